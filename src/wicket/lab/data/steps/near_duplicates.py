"""One of each cluster of nearly equal documents: MinHash finds them, exact similarity settles it.

See `wicket.lab.shingles` for the method and its sources. The first of a cluster stays.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from wicket.lab.data.document import Part, Shard, text_part
from wicket.lab.data.step import Outcome, Removed
from wicket.lab.shingles import clusters, near_pairs, shingles

VERSION = 1
SCOPE = "shard"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`threshold` is the Jaccard similarity of word 3-grams. With `same_answer`, documents whose answers
    differ both stay: a table for two and a table for six are not the same request."""

    of: Part = "request"
    threshold: Annotated[float, msgspec.Meta(ge=0.6, le=1.0)] = 0.8
    same_answer: bool = True


def apply(shard: Shard, options: Options, evaluation: Shard = ()) -> Outcome:
    """Take out all of a cluster but its first."""
    if not shard:
        return Outcome([])
    # A plain text has no request: it is compared as a whole.
    texts = [text_part(document, options.of if document.messages else "all") for document in shard]
    found = near_pairs(shingles(texts), options.threshold)
    joined = clusters(len(shard), zip(found.first.tolist(), found.second.tolist(), strict=True))
    first: dict[tuple[int, str], str] = {}
    kept, removed = [], []
    for document, cluster in zip(shard, joined, strict=True):
        answer = text_part(document, "answer") if options.same_answer and document.messages else ""
        key = (cluster, answer)
        if key in first:
            removed.append(Removed(document, "nearly_same", first[key]))
        else:
            first[key] = document.origin
            kept.append(document)
    return Outcome(kept, removed)
