"""A route's settings as the walk's limits, computed once per route and order of candidates."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.gateway.walk import Rules
from wicket.routing.deployment import Deployment, Route

MIN_WHOLE_LIMIT_US = 120_000_000  # a whole answer's first byte is its last: give it time to be written
_MAX_CACHED = 4_096


def rules_of(route: Route, candidates: Sequence[Deployment], streamed: bool) -> Rules:
    """The limits for a request on this route."""
    timeouts = route.timeouts
    first = timeouts.first_token_ms * 1_000
    has_mini = len(candidates) > 1 and candidates[0].task
    return Rules(
        num_candidates=len(candidates),
        first_token_us=first if streamed else max(first, MIN_WHOLE_LIMIT_US),
        mini_us=timeouts.mini_ms * 1_000 if has_mini else 0,
        gap_us=timeouts.gap_ms * 1_000,
        total_us=timeouts.total_ms * 1_000,
        is_streamed=streamed,
        holds_whole=route.commit == "whole",
        contexts=tuple([d.context_tokens for d in candidates]) if len(candidates) > 1 else (),
    )


class RuleBook:
    """`rules_of`, remembered; one per configuration snapshot."""

    def __init__(self) -> None:
        self._rules: dict[tuple[int, bool], tuple[Route, Rules]] = {}

    def find(self, route: Route, candidates: Sequence[Deployment], streamed: bool) -> Rules:
        """The limits; only those of the configured order are remembered."""
        if candidates is not route.deployments:
            return rules_of(route, candidates, streamed)
        key = (id(route), streamed)
        found = self._rules.get(key)
        if found is None:  # the entry keeps the route alive, so its id stays its own
            if len(self._rules) >= _MAX_CACHED:
                self._rules.clear()
            found = self._rules[key] = (route, rules_of(route, candidates, streamed))
        return found[1]
