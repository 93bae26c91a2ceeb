"""One of each document; the first stays."""

from __future__ import annotations

import msgspec

from wicket.lab.data.document import Part, Shard, text_part
from wicket.lab.data.step import Outcome, Removed
from wicket.wire import json

VERSION = 1
SCOPE = "shard"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`of`: what must be equal. "all" is every message, "request" leaves one answer to each request.

    With `squeeze`, case and white space make no difference.
    """

    of: Part = "all"
    squeeze: bool = False


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Take out every later one."""
    first: dict[bytes, str] = {}
    kept, removed = [], []
    for document in shard:
        if options.of == "all" and not options.squeeze:
            key = json.encode_sorted([document.messages, document.text, document.tools])
        else:
            text = text_part(document, options.of)
            key = (" ".join(text.casefold().split()) if options.squeeze else text).encode(
                "utf-8", "surrogatepass"
            )
        if key in first:
            removed.append(Removed(document, "same", first[key]))
        else:
            first[key] = document.origin
            kept.append(document)
    return Outcome(kept, removed)
