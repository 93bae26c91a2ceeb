"""How often somebody may try: so many times in a window, by name; bounded in memory."""

from __future__ import annotations

from collections import OrderedDict, deque

MAX_NAMES = 20_000


class Throttle:
    """`limit` tries within `window_s` for each name. `now_s` is monotonic, so no clock change helps."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, name: str, now_s: float) -> float:
        """0 if one more try may be made, which is then counted; else in how many seconds one may."""
        tries = self._tries.setdefault(name, deque())
        self._tries.move_to_end(name)
        while tries and now_s - tries[0] >= self._window_s:
            tries.popleft()
        if len(tries) >= self._limit:
            return max(0.001, tries[0] + self._window_s - now_s)
        tries.append(now_s)
        while len(self._tries) > MAX_NAMES:
            self._tries.popitem(last=False)
        return 0.0

    def forget(self, name: str) -> None:
        """Whoever got it right begins anew."""
        self._tries.pop(name, None)
