"""What a shard is made of: one conversation or one text, with where it came from. Pure.

A shard's bytes are JSON lines that `wicket.lab.examples` and everybody's fine-tuning tools read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from wicket.minis.form import text_of
from wicket.wire import json

Part = Literal["request", "answer", "all"]


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A conversation in OpenAI's messages, or a plain `text`; `origin` is "FILE:LINE"."""

    messages: list[dict[str, Any]] = []
    text: str = ""
    tools: list[Any] | None = None
    meta: dict[str, Any] = {}
    logprobs: list[Any] | None = None
    origin: str = ""


Shard = Sequence[Document]

_decode = msgspec.json.Decoder(Document).decode


def to_bytes(shard: Iterable[Document]) -> bytes:
    """The shard's file: one JSON object a line."""
    return b"".join(json.encode(document) + b"\n" for document in shard)


def from_bytes(data: bytes) -> list[Document]:
    """What `to_bytes` wrote. Raises `json.DecodeError` for anything else."""
    return [_decode(line) for line in data.splitlines() if line]


def sha256(data: bytes) -> str:
    """The hash that names content everywhere here."""
    return hashlib.sha256(data).hexdigest()


def has_answer(document: Document) -> bool:
    """Whether the last message is the assistant's."""
    return bool(document.messages) and document.messages[-1].get("role") == "assistant"


def answer_text(document: Document) -> str:
    """The last answer as text; a plain text is all answer. "" where there is none or it isn't text."""
    if not document.messages:
        return document.text
    return (text_of(document.messages[-1].get("content")) or "") if has_answer(document) else ""


def request_text(document: Document) -> str:
    """What was asked: every message before the answer but the system's, which is the same for all."""
    asked = document.messages[:-1] if has_answer(document) else document.messages
    texts = [text_of(m.get("content")) or "" for m in asked if m.get("role") not in ("system", "developer")]
    return "\n".join(text for text in texts if text)


def text_part(document: Document, part: Part) -> str:
    """The text that a step looks at."""
    if part == "answer":
        return answer_text(document)
    if part == "request":
        return request_text(document)
    return "\n".join(text for text in (request_text(document), answer_text(document)) if text)


def excerpt(document: Document, limit: int = 200) -> str:
    """The beginning, in one line, for a report."""
    text = " ".join(text_part(document, "all").split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
