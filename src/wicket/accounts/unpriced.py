"""What was used and is in no sum, because nobody knows its price: told per request, and per month by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from wicket.accounts.record import Record


class UnpricedRow(msgspec.Struct, frozen=True, order=True):
    """How many requests of a team and a model used a kind (see `unpriced_kinds`) that has no known price."""

    team: str
    model: str
    kind: str
    requests: int


def unpriced_kinds(record: Record) -> tuple[str, ...]:
    """The kinds of `record` without a price.

    "tokens" where the answering model has no price at all; else as `record.OtherUsage` names them, and the
    provider's own tools by name. () for a request whose cost is all of it.
    """
    usage = record.usage
    found = usage.other.unpriced if usage.other is not None else ()
    is_unknown = record.deployment and not record.price_row and (usage.input_tokens or usage.output_tokens)
    return ("tokens", *found) if is_unknown else found


def unpriced_rows(records: Iterable[Record], teams: Mapping[int, str]) -> list[UnpricedRow]:
    """The same summed, sorted; `teams` by key id."""
    counts = Counter(
        (teams.get(record.key_id, ""), record.model, kind)
        for record in records
        for kind in unpriced_kinds(record)
    )
    return sorted(UnpricedRow(*group, number) for group, number in counts.items())
