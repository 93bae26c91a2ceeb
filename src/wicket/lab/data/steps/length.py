"""Documents that are too short or too long."""

from __future__ import annotations

from typing import Annotated

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data.document import Document, Shard, text_part
from wicket.lab.data.step import Outcome, Removed

VERSION = 1
SCOPE = "document"
Number = Annotated[int, msgspec.Meta(ge=0)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Characters, ends included. A plain text counts as an answer; one without messages has no request."""

    min_request: Number = 1
    max_request: Number = 32_000
    min_answer: Number = 1
    max_answer: Number = 100_000


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Take out what is outside. Raises `CallerFault` for bounds that nothing can be within."""
    for part in ("request", "answer"):
        if getattr(options, f"min_{part}") > getattr(options, f"max_{part}"):
            raise CallerFault("bad_option", f"Step length: min_{part} is above max_{part}.")
    kept, removed = [], []
    for document in shard:
        reason = _why(document, options)
        if reason:
            removed.append(Removed(document, reason))
        else:
            kept.append(document)
    return Outcome(kept, removed)


def _why(document: Document, options: Options) -> str:
    if document.messages:
        num = len(text_part(document, "request").strip())
        if num < options.min_request:
            return "short_request"
        if num > options.max_request:
            return "long_request"
        if document.messages[-1].get("tool_calls"):  # such an answer is no text
            return ""
    num = len(text_part(document, "answer").strip())
    if num < options.min_answer:
        return "short_answer"
    return "long_answer" if num > options.max_answer else ""
