"""A request in other words by a teacher, with the answer it had. Pure."""

from __future__ import annotations

import re
from typing import Any

from wicket.lab.data.document import Document, has_answer
from wicket.minis.form import text_of

_ASKED = (
    "Rewrite the message between the lines in other words, as another person would have written it. Keep its "
    "language, its meaning, every name, every number and placeholders such as [EMAIL_1]. Do not answer it. "
    "Reply with the rewritten message only.\n---\n"
)
_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")  # as wicket.guardrails.pii writes them
_WORD = re.compile(r"\w+")
_MOST = 4.0  # times as long is an answer, or a remark about the task


def asking(document: Document) -> list[dict[str, Any]]:
    """What the teacher is asked; [] for a document without a request of text."""
    place = _place(document)
    if place is None:
        return []
    return [{"role": "user", "content": f"{_ASKED}{document.messages[place]['content']}\n---"}]


def mistake(document: Document, reply: str) -> str:
    """What is wrong with a reply; "" if nothing."""
    place = _place(document)
    assert place is not None
    before = str(document.messages[place]["content"])
    if _WORD.findall(before.casefold()) == _WORD.findall(reply.casefold()):
        return "it is the same"
    if len(reply) > _MOST * len(before) + 80:
        return "it is far longer than the message"
    missing = [name for name in _PLACEHOLDER.findall(before) if name not in reply]
    return f"{missing[0]} is missing" if missing else ""


def result(document: Document, reply: str) -> list[dict[str, Any]]:
    """The conversation with the request in its new words."""
    place = _place(document)
    assert place is not None
    messages = list(document.messages)
    messages[place] = {
        **messages[place],
        "content": reply.strip().removeprefix("---").removesuffix("---").strip(),
    }
    return messages


def _place(document: Document) -> int | None:
    """The last user message, if it is text."""
    end = len(document.messages) - has_answer(document)
    for at in reversed(range(end)):
        message = document.messages[at]
        if message.get("role") == "user":
            content = message.get("content")
            return at if isinstance(content, str) and text_of(content) else None
    return None
