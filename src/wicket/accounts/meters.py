"""What a request is counted against before it goes out: a credit, a hard budget, a limit."""

from __future__ import annotations

import msgspec


class Meter(msgspec.Struct, frozen=True):
    """One allowance of one scope. `id` is `credit:SCOPE`, `budget:NUMBER` or `limit:NUMBER`.

    `unit` is what it counts: "nanos" (1e-9 USD), "requests", "tokens" or "concurrent" (requests at once).
    `amount` is its size in a window of `window_s` seconds (0: none, as for credits and concurrency). `model`
    is the one model that counts, "" for all.
    """

    id: str
    scope: str
    unit: str
    amount: int = 0
    window_s: int = 0
    model: str = ""
