"""Holds of requests that are answered and not settled yet: what a provider works on (`gateway.later`).

answered "it is begun"  → what the request takes of money and counted limits stays held in this worker
settled, or `HELD_US`   → that is free again; the charge itself comes by the ledger, whoever wrote it
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wicket.gateway.hold import Hold, HoldLease
    from wicket.gateway.metering import Metering

HELD_US = 3_600_000_000
MAX_HELD = 10_000  # per worker; beyond them the oldest is let go


class Pledges:
    """One worker's holds of requests that are answered and not settled."""

    def __init__(self, metering: Metering) -> None:
        self._metering = metering
        self._held: dict[int, tuple[int, list[tuple[HoldLease, int]]]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def take(self, number: int, hold: Hold, now_us: int) -> None:
        """The request is answered: what it holds is held on in its number's name."""
        if len(self._held) >= MAX_HELD:
            self.release([next(iter(self._held))])
        parts = hold.handed_over()
        if parts:
            self._held[number] = (now_us + HELD_US, parts)

    def release(self, numbers: Iterable[int]) -> None:
        """These are settled; the ledger has told the supervisor what they came to."""
        freed: list[HoldLease] = []
        for number in numbers:
            _, parts = self._held.pop(number, (0, []))
            for lease, need in parts:
                lease.put(need, 0)
                freed.append(lease)
        self._metering.settled(freed)

    def tick(self, now_us: int) -> None:
        """The wheel turns: what was held for long enough is let go, the oldest first."""
        while self._held:
            number, (until_us, _) = next(iter(self._held.items()))
            if until_us > now_us:
                return
            self.release([number])
