"""How long to wait before a process that ended is started again: pure arithmetic."""

from __future__ import annotations

FIRST_S = 0.25
LONGEST_S = 30.0
STABLE_S = 20.0


class Backoff:
    """The first restart after a stable life is immediate; then 0.25 s, doubling, at most 30 s."""

    def __init__(self) -> None:
        self.failures = 0

    def after(self, lived_s: float) -> float:
        """Seconds to wait, given how long the process that just ended had lived."""
        if lived_s >= STABLE_S:
            self.failures = 0
        self.failures += 1
        if self.failures == 1:
            return 0.0
        return float(min(LONGEST_S, FIRST_S * 2 ** min(self.failures - 2, 16)))
