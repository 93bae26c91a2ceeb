"""What a request is counted against before it goes out: a credit, a hard or soft budget, a limit."""

from __future__ import annotations

import msgspec

NANOS = "nanos"  # 1e-9 USD of charge
REQUESTS = "requests"
TOKENS = "tokens"  # input and output together
CONCURRENT = "concurrent"  # requests at once

MINUTE = "minute"  # a bucket that refills evenly
DAY = "day"
MONTH = "month"
TOTAL = "total"
FIXED = (DAY, MONTH, TOTAL)  # begin anew at a moment of the calendar, or never

CREDIT_PREFIX = "credit:"


class Meter(msgspec.Struct, frozen=True):
    """One allowance of one scope. `id` is `credit:SCOPE`, `budget:NUMBER` or `limit:NUMBER`.

    `unit` is what it counts, `amount` its size in each `window` ("": none, as for credits and concurrency).
    `zone` is the IANA zone by whose midnights days and months begin. `model` is the one model that counts, ""
    for all. `is_soft`: it warns and refuses nothing.
    """

    id: str
    scope: str
    unit: str
    amount: int = 0
    window: str = ""
    model: str = ""
    zone: str = "UTC"
    is_soft: bool = False

    @property
    def is_credit(self) -> bool:
        """Whether it is a prepaid credit, whose amount the ledger knows."""
        return self.id.startswith(CREDIT_PREFIX)


def credit_meter(scope: str) -> Meter:
    """The meter of a scope's prepaid credit."""
    return Meter(id=CREDIT_PREFIX + scope, scope=scope, unit=NANOS)


def counts_for(meter: Meter, model: str, deployment: str) -> bool:
    """Whether what a request of `model` that `deployment` answered used counts here."""
    wanted = meter.model
    return not wanted or wanted in (model, deployment) or model.startswith(wanted + ":")
