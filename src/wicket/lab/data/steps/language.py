"""Documents in another language than those wanted."""

from __future__ import annotations

from typing import Literal

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data.document import Part, Shard, text_part
from wicket.lab.data.languages import detect, languages
from wicket.lab.data.step import Outcome, Removed

VERSION = 1
SCOPE = "document"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`keep`: ISO 639-1 codes. What is too short or mixed to tell is kept unless `unknown` is "remove"."""

    keep: tuple[str, ...] = ("en",)
    unknown: Literal["keep", "remove"] = "keep"
    of: Part = "all"


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Take out the others; counts what was found. Raises `CallerFault` for a code that isn't known."""
    for code in options.keep:
        if code not in languages():
            raise CallerFault(
                "bad_option", f"Step language: {code!r} is not told apart; known: {', '.join(languages())}."
            )
    kept, removed = [], []
    found: dict[str, int] = {}
    for document in shard:
        code = detect(text_part(document, options.of))
        found[code or "unknown"] = found.get(code or "unknown", 0) + 1
        if code in options.keep or (not code and options.unknown == "keep"):
            kept.append(document)
        else:
            removed.append(Removed(document, code or "unknown"))
    return Outcome(kept, removed, found=found)
