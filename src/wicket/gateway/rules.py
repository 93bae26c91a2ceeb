"""A route's settings as the walk's limits, computed once per route and order of candidates."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wicket.gateway.call import Call
from wicket.routing.deployment import Deployment, Route, Timeouts
from wicket.routing.plan import Health

MIN_WHOLE_LIMIT_US = 120_000_000  # a whole answer's first byte is its last: give it time to be written
DEFAULTS = Timeouts()
PREFILL = "prefill"  # the feature of a model that goes on from a trailing message of its own
_MAX_CACHED = 1_024


class Rules(msgspec.Struct, frozen=True):
    """What the route decides, in microseconds; tuples have an entry per candidate, or are empty.

    `groups`: candidates of the same deployment, credentials apart, have the same number; empty: each has one
    candidate. `retries`: second tries of one deployment. `max_attempts`: of all together. `hedge_us`: when a
    second deployment is raced against the first, 0 for never. `contexts`: in tokens, 0 if unknown. `mini_us`:
    what a mini gets that is asked first, 0 if there is none. `cooling`: who is in cooldown and gets no second
    try. `continues`: who can go on with a partial answer; empty: the route does not.
    """

    num_candidates: int
    first_token_us: int
    gap_us: int
    total_us: int
    is_streamed: bool
    holds_whole: bool = False
    hedge_us: int = 0
    contexts: tuple[int, ...] = ()
    mini_us: int = 0
    groups: tuple[int, ...] = ()
    retries: int = 1
    max_attempts: int = 6
    cooling: tuple[bool, ...] = ()
    continues: tuple[bool, ...] = ()


def rules_of(route: Route, candidates: Sequence[Deployment], streamed: bool, patience_s: int = 0) -> Rules:
    """The limits for a request on this route; `patience_s` takes the place of defaults that are shorter."""
    timeouts = route.timeouts
    first = _patient(timeouts.first_token_ms, DEFAULTS.first_token_ms, patience_s)
    has_more = len(candidates) > 1
    return Rules(
        num_candidates=len(candidates),
        first_token_us=first if streamed else max(first, MIN_WHOLE_LIMIT_US),
        mini_us=timeouts.mini_ms * 1_000 if has_more and candidates[0].task else 0,
        gap_us=_patient(timeouts.gap_ms, DEFAULTS.gap_ms, patience_s),
        total_us=timeouts.total_ms * 1_000,
        is_streamed=streamed,
        holds_whole=route.commit == "whole",
        contexts=tuple([d.context_tokens for d in candidates]) if has_more else (),
        groups=_groups(candidates) if has_more else (),
        retries=route.retries,
        max_attempts=route.max_attempts,
        continues=_continues(candidates) if route.continues and streamed and has_more else (),
    )


def _patient(limit_ms: int, default_ms: int, patience_s: int) -> int:
    """A limit in microseconds: what somebody set holds, for pictures as for chats."""
    return max(limit_ms, patience_s * 1_000) * 1_000 if limit_ms == default_ms else limit_ms * 1_000


def _groups(candidates: Sequence[Deployment]) -> tuple[int, ...]:
    numbers: dict[str, int] = {}
    groups = tuple([numbers.setdefault(one.id, len(numbers)) for one in candidates])
    return groups if len(numbers) < len(candidates) else ()


def _continues(candidates: Sequence[Deployment]) -> tuple[bool, ...]:
    found = tuple([one.prefill or PREFILL in one.features for one in candidates])
    return found if any(found) else ()


def at_this_moment(
    rules: Rules, route: Route, candidates: Sequence[Deployment], health: Health | None, now_us: int
) -> Rules:
    """The same limits with what is true now: who is in cooldown, and when late is late."""
    cooling = () if health is None else tuple([health.reopens_us(one) > now_us for one in candidates])
    if True not in cooling:
        cooling = ()
    hedge_us = 0
    hedge = route.hedge
    is_asked_softly = bool(candidates[0].task) or (route.floor > 0 and bool(candidates[0].engine))
    if hedge is not None and not is_asked_softly:
        hedge_us = hedge.after_us
        if not hedge_us and health is not None:
            hedge_us = health.late_us(candidates[0], hedge.after, rules.is_streamed)
    if not cooling and not hedge_us:
        return rules
    return msgspec.structs.replace(rules, cooling=cooling, hedge_us=hedge_us)


class RuleBook:
    """`rules_of`, remembered; one per configuration snapshot."""

    def __init__(self) -> None:
        self._rules: dict[tuple[int, ...], tuple[Route, Sequence[Deployment], Rules]] = {}

    def find(self, call: Call, candidates: Sequence[Deployment], health: Health | None = None) -> Rules:
        """The limits for this order of candidates; alone, one is asked again whatever its health."""
        route, streamed, patience_s = call.route, call.is_streamed, call.api.patience_s
        if call.preferences is not None:  # a route of this request's own, which none comes back to
            rules = rules_of(route, candidates, streamed, patience_s)
            return at_this_moment(rules, route, candidates, health, call.started_us)
        if candidates is route.deployments:
            key: tuple[int, ...] = (id(route), streamed, patience_s)
        else:
            key = (id(route), streamed, patience_s, *map(id, candidates))
        found = self._rules.get(key)
        if found is None:  # the entry keeps route and deployments alive, so their ids stay their own
            if len(self._rules) >= _MAX_CACHED:
                self._rules.clear()
            rules = rules_of(route, candidates, streamed, patience_s)
            found = self._rules[key] = (route, candidates, rules)
        if len(candidates) == 1 or (health is None and route.hedge is None):
            return found[2]
        return at_this_moment(found[2], route, candidates, health, call.started_us)
