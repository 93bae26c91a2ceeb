"""Settlement of what a provider works on after its request was answered: one record, with the request's id.

The ledger knows a record by its id, so settling twice changes nothing. Pure.
"""

from __future__ import annotations

import msgspec

from wicket.accounts.cost import charge_nanos, cost_nanos
from wicket.accounts.kinds import with_unpriced
from wicket.accounts.price import Price
from wicket.accounts.record import NO_USAGE, Record, Usage

UNDER_WAY = "under_way"  # the outcome that a record has while it is not in the ledger yet


class Outcome(msgspec.Struct, frozen=True):
    """What came of it: `outcome` is "ok" or says why not. `is_paid`: the caller pays for `usage`.

    `cost_nanos` is what it cost where that is known otherwise than by `usage` and the price; -1: it is not.
    """

    outcome: str
    is_paid: bool = False
    model: str = ""
    usage: Usage | None = None
    cost_nanos: int = -1


def begun(record: Record) -> Record:
    """A request's record as it is while the provider works: nothing is used, nothing is charged."""
    tries = [msgspec.structs.replace(one, cost_nanos=0, usage=NO_USAGE) for one in record.attempts]
    return msgspec.structs.replace(
        record, outcome=UNDER_WAY, usage=NO_USAGE, cost_nanos=0, charge_nanos=0, attempts=tries
    )


def ended(record: Record, price: Price | None, markup_ppm: int, end: Outcome, now_ms: int) -> Record:
    """The record of what was `begun`, now that it is over.

    Cost and charge are rounded once each. Raises `UpstreamBroken` for amounts that can't be booked.
    """
    usage = end.usage or NO_USAGE
    if price is not None:
        usage = with_unpriced(price, usage)
    cost = end.cost_nanos
    if cost < 0:
        cost = cost_nanos(price, usage) if price is not None and end.usage is not None else 0
    total_us = max(0, now_ms - record.started_ms) * 1_000
    tries = list(record.attempts)
    if tries:
        reason = "" if end.is_paid else end.outcome
        tries[-1] = msgspec.structs.replace(
            tries[-1], reason=reason, ended_us=total_us, cost_nanos=cost, usage=usage
        )
    return msgspec.structs.replace(
        record,
        outcome=end.outcome,
        served_model=end.model or record.served_model,
        usage=usage,
        cost_nanos=sum(one.cost_nanos for one in tries) if tries else cost,
        charge_nanos=charge_nanos(cost, markup_ppm) if end.is_paid else 0,
        total_us=total_us,
        attempts=tries,
    )
