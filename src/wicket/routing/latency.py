"""How long first tokens take: a moving mean that jumps up at once and falls slowly, and a window of the last.

Peak-EWMA: a sample above the mean replaces it, one below moves it by 1 - exp(-dt/tau). What is not heard of
decays as if it had become fast, so that it is tried again.
"""

from __future__ import annotations

from array import array
from math import exp

TAU_US = 15_000_000.0
WINDOW = 64
MIN_SAMPLES = 20
FRESH = 8  # so many new samples make a remembered percentile old


class PeakEwma:
    """Microseconds to the first token."""

    __slots__ = ("at_us", "value_us")

    def __init__(self) -> None:
        self.value_us = 0.0
        self.at_us = 0

    def add(self, sample_us: int, now_us: int) -> None:
        """A first token came after `sample_us`."""
        value = self.value_us
        if sample_us >= value:
            self.value_us = float(sample_us)
        else:
            self.value_us = sample_us + (value - sample_us) * exp((self.at_us - now_us) / TAU_US)
        self.at_us = now_us

    def at_least(self, waited_us: int, now_us: int) -> None:
        """No token came in this time: it would have taken longer."""
        if waited_us > self.now(now_us):
            self.value_us = float(waited_us)
            self.at_us = now_us

    def now(self, now_us: int) -> int:
        """The mean as it stands now."""
        if not self.value_us:
            return 0
        return int(self.value_us * exp(min(0, self.at_us - now_us) / TAU_US))


class Window:
    """The last samples, and a percentile of them that is sorted out only now and then."""

    __slots__ = ("_known", "_num_fresh", "_samples", "num_seen")

    def __init__(self) -> None:
        self._samples = array("q")
        self._known: dict[float, int] = {}
        self._num_fresh = 0
        self.num_seen = 0

    def add(self, sample_us: int) -> None:
        """One more; the oldest goes."""
        if self.num_seen < WINDOW:
            self._samples.append(sample_us)
        else:
            self._samples[self.num_seen % WINDOW] = sample_us
        self.num_seen += 1
        self._num_fresh += 1

    def share(self, share: float) -> int:
        """The time within which this share came (0 to 1); 0 until there are `MIN_SAMPLES`."""
        if self.num_seen < MIN_SAMPLES:
            return 0
        if self._num_fresh >= FRESH or not self._known:
            self._num_fresh = 0
            self._known = {}
        found = self._known.get(share)
        if found is None:
            ordered = sorted(self._samples)
            found = self._known[share] = ordered[min(int(share * len(ordered)), len(ordered) - 1)]
        return found
