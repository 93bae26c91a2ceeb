"""How many extra calls the routes of one worker have earned: a share of their requests, saved up a little.

The count is exact: a request earns its share when it begins, a hedge spends a whole call when it is sent,
and both happen in the worker's one thread. Each worker keeps to the share by itself, so all together do, and
nothing needs to be exchanged; what one has saved another can't spend.
"""

from __future__ import annotations

from wicket.routing.deployment import Route

CALL_PPM = 1_000_000
MAX_SAVED = 20  # calls: after a quiet day a brown-out is not answered with thousands at once


class HedgeBudget:
    """One per worker; a reload keeps it. In millionths of a call, so that no rounding adds one."""

    def __init__(self) -> None:
        self._saved: dict[str, int] = {}

    def earn(self, route: Route) -> None:
        """A request of this route begins."""
        assert route.hedge is not None
        saved = self._saved.get(route.name, 0) + route.hedge.max_share_ppm
        self._saved[route.name] = min(saved, MAX_SAVED * CALL_PPM)

    def may(self, route: Route) -> bool:
        """Whether one extra call may go out now."""
        return self._saved.get(route.name, 0) >= CALL_PPM

    def spend(self, route: Route) -> None:
        """One goes out."""
        self._saved[route.name] = self._saved.get(route.name, 0) - CALL_PPM
