"""Answers that refuse: a student would learn to refuse as well.

OpenAI's `refusal` field and finish reason "content_filter" say it plainly; else the answer's beginning does.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from wicket.lab.data.document import Document, Shard, answer_text
from wicket.lab.data.step import Outcome, Removed

VERSION = 1
SCOPE = "document"

_CANNOT = (
    r"(?:can't|cannot|can not|couldn't|am not able|am unable|'m not able|'m unable|won't|will not|"
    r"must decline|have to decline|must refuse|don't feel comfortable|am not comfortable|'m not comfortable)"
)
_DO = (
    r"(?:to )?(?:be able to )?(?:help|assist|comply|fulfil+|provide|do that|do this|answer|discuss|create|"
    r"write|generate|support|engage|participate|continue|offer|give|share|process|complete|accommodate|with)"
)
_SORRY = (
    r"(?:i(?:'m| am) (?:really |very |so |truly )?sorry|(?:i )?apologi[sz]e|my apologies|sorry|unfortunately|"
    r"i regret)"
)
_MODEL = r"(?:ai|artificial intelligence|(?:large )?language model|assistant)"
_PATTERNS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"^\W*(?:{_SORRY}\b.{{0,40}}?\b)?i ?{_CANNOT}\s+(?:\w+\s+){{0,3}}?{_DO}\b",
        rf"^\W*(?:{_SORRY}\b.{{0,60}}?)?\bas an? {_MODEL}\b.{{0,80}}?(?:{_CANNOT}|\bdo(?: not|n't) have)",
        r"^\W*(?:(?:es )?tut mir leid|entschuldigung).{0,40}\b(?:ich kann|kann ich)\b.{0,60}\bnicht\b",
        r"^\W*(?:je suis désolée?|désolée?).{0,40}\bje ne (?:peux|suis)\b",
        r"^\W*(?:lo siento|lamento).{0,40}\bno (?:puedo|me es posible)\b",
        r"^\W*(?:this|your|the) (?:request|content|prompt) (?:violates|goes against|was flagged)\b",
    )
)
_BEGINNING = 300


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refusal is short: an answer of more than `max_characters` says more than that and is kept.

    `phrases`: further beginnings, as plain text, that refuse in your traffic.
    """

    max_characters: Annotated[int, msgspec.Meta(ge=1)] = 600
    phrases: tuple[str, ...] = ()


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Take out the refusals."""
    kept, removed = [], []
    for document in shard:
        reason = _why(document, options)
        if reason:
            removed.append(Removed(document, reason))
        else:
            kept.append(document)
    return Outcome(kept, removed)


def is_refusal(answer: str, options: Options | None = None) -> bool:
    """Whether an answer's beginning refuses."""
    options = options or Options()
    text = answer.strip()
    if not text or len(text) > options.max_characters:
        return False
    begin = text[:_BEGINNING].replace("\n", " ").replace("\u2019", "'")
    lower = begin.casefold()
    return any(lower.startswith(phrase.casefold()) for phrase in options.phrases) or any(
        pattern.search(begin) for pattern in _PATTERNS
    )


def _why(document: Document, options: Options) -> str:
    if document.messages and document.messages[-1].get("refusal"):
        return "refusal_field"
    if document.meta.get("finish_reason") == "content_filter":
        return "content_filter"
    return "refuses" if document.messages and is_refusal(answer_text(document), options) else ""
