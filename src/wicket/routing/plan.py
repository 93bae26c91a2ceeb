"""From a route to the order in which its deployments are asked."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast

import msgspec

from wicket.routing.deployment import Deployment, Route
from wicket.routing.filters import Needs, Removed, sieve
from wicket.routing.preferences import Preferences

# Those that an operator or a caller may choose; "cascade" needs a mini.
POLICIES = ("ordered", "weighted", "latency", "least_busy", "price", "throughput", "headroom")
SUFFIXES = {":floor": "price", ":nitro": "throughput"}  # behind a model's name → the policy it asks for


class Health(Protocol):
    """How each deployment has been doing, as far as this worker knows. Times are monotonic microseconds."""

    def reopens_us(self, deployment: Deployment) -> int:
        """When its cooldown ends (its credential's included); 0 if it may be asked now."""
        ...

    def num_running(self, deployment: Deployment) -> int:
        """Attempts under way at it."""
        ...

    def has_room(self, deployment: Deployment) -> bool:
        """Whether it takes one more without a wait."""
        ...

    def first_token_us(self, deployment: Deployment, now_us: int) -> int:
        """Peak-EWMA of its time to first token; 0 if unknown."""
        ...

    def late_us(self, deployment: Deployment, share: float, is_streamed: bool) -> int:
        """The time in which this share of its first tokens came; 0 until enough is known."""
        ...

    def tokens_per_s(self, deployment: Deployment) -> float:
        """How fast it writes; 0 if unknown."""
        ...

    def headroom(self, deployment: Deployment, now_us: int) -> float:
        """The share that is left of its tightest rate limit, by its own headers; 1.0 if unknown."""
        ...


class Facts(msgspec.Struct, frozen=True):
    """What a policy may know: the moment, the request's size and the engines that can't answer right now.

    `floor` is the least confidence at which a mini's answer is taken now; above 1 none is. `is_chat`: whether
    a local model can judge the request before it answers. `input_tokens` is an estimate, `output_tokens` the
    caller's limit, 0 for none.
    """

    now_us: int = 0
    seed: int = 0
    unready: frozenset[str] = frozenset()
    floor: float = 0.0
    is_chat: bool = True
    health: Health | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class Policy(Protocol):
    """A policy file: pure functions of candidates and facts.

    Who cools, is full or failed need not concern it: they are put last afterwards (`last_resorts_last`).
    """

    def order(self, candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
        """An order of `candidates`: nothing invented, nothing twice, and nothing lost but a mini that would
        refuse."""
        ...

    def reason(self, candidate: Deployment, facts: Facts) -> str:
        """Why it stands where it does, in a few words."""
        ...


class Plan(msgspec.Struct, frozen=True):
    """Who is asked, in order, and who is not: together they are the route's deployments."""

    order: Sequence[Deployment]
    removed: Sequence[Removed] = ()


@cache
def policy(name: str) -> Policy:
    """The policy called `name`: a file in `policies/`. Raises `ModuleNotFoundError` for an unknown one."""
    return cast(Policy, importlib.import_module(f"wicket.routing.policies.{name.replace('-', '_')}"))


def plan(route: Route, facts: Facts) -> Sequence[Deployment]:
    """The deployments in the order they will be asked, where nothing is filtered."""
    found = route.deployments
    if len(found) == 1:
        return found
    if route.floor or route.task:
        return last_resorts_last(arranged(_with_judges(found, route, facts), route.policy, facts), facts)
    return last_resorts_last(arranged(found, route.policy, facts), facts)


def choose(route: Route, facts: Facts, needs: Needs, preferences: Preferences | None) -> Plan:
    """`plan` with what keeps deployments out: what the request needs, limits, the caller's wishes."""
    ordered: list[Deployment] = []
    removed: list[Removed] = []
    for part in route.parts or (route,):
        limits = [one for one in (part.limits, preferences.limits if preferences else None) if one]
        kept, gone = sieve(part.deployments, needs, limits, preferences)
        name = preferences.policy if preferences and preferences.policy else part.policy
        judged = _with_judges(kept, part, facts) if part.floor or part.task else kept
        found = last_resorts_last(arranged(judged, name, facts), facts)
        if len(found) < len(kept):
            there = {id(one) for one in found}
            gone += [Removed(one, "can't judge or answer now") for one in kept if id(one) not in there]
        if preferences is not None:
            found, others = _as_listed(found, preferences)
            gone += others
        ordered += found
        removed += gone
    return Plan(last_resorts_last(ordered, facts), removed)


def arranged(candidates: Sequence[Deployment], name: str, facts: Facts) -> Sequence[Deployment]:
    """By the policy called `name`; the credentials of one deployment stay together, in their own order."""
    chosen = policy(name)
    if name in _KEEPS_TOGETHER or len(candidates) < 2:
        return chosen.order(candidates, facts)
    groups: dict[str, list[Deployment]] = {}
    for one in candidates:
        groups.setdefault(one.id, []).append(one)
    if len(groups) == len(candidates):
        return chosen.order(candidates, facts)
    heads = [_most_usable(group, facts) for group in groups.values()]
    return [one for head in chosen.order(heads, facts) for one in groups[head.id]]


def last_resorts_last(ordered: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """Those with room, those without, those that cool in the order of their return, those that have failed.

    Nobody is left out: when nothing better is there, even they are asked. `ordered` itself if it stays so.
    """
    if facts.health is None and not facts.unready:
        return ordered
    ranks = [_rank(one, facts) for one in ordered]
    if not any(ranks):
        return ordered
    return [ordered[place] for place in sorted(range(len(ordered)), key=ranks.__getitem__)]


def reason_of(one: Deployment, name: str, facts: Facts) -> str:
    """Why `one` stands where it does under the policy called `name`."""
    rank = _rank(one, facts)
    said = policy(name).reason(one, facts)
    if rank == _FAILED:
        return f"last: its engine is not ready; {said}"
    if rank > _FULL:
        return f"last: it cools for {(rank - _FULL - facts.now_us) / 1e6:.1f} s; {said}"
    return f"late: no room for one more; {said}" if rank else said


_KEEPS_TOGETHER = ("ordered", "cascade")
_FULL, _FAILED = 1, 1 << 62


def _rank(one: Deployment, facts: Facts) -> int:
    if one.engine and one.engine in facts.unready:
        return _FAILED
    health = facts.health
    if health is None:
        return 0
    reopens_us = health.reopens_us(one)
    if reopens_us > facts.now_us:
        return reopens_us + _FULL
    return 0 if health.has_room(one) else _FULL


def _most_usable(group: Sequence[Deployment], facts: Facts) -> Deployment:
    """Who stands for all credentials of a deployment: the first that may be asked."""
    return group[0] if len(group) == 1 else min(group, key=lambda one: _rank(one, facts))


def _as_listed(
    ordered: Sequence[Deployment], preferences: Preferences
) -> tuple[Sequence[Deployment], list[Removed]]:
    """The caller's list of providers first; without fallbacks the list, or the first deployment, only."""
    wanted = preferences.order
    if wanted:
        places = {name: place for place, name in enumerate(wanted)}
        ordered = sorted(ordered, key=lambda one: places.get(one.provider, len(wanted)))
    if preferences.allow_fallbacks or not ordered:
        return ordered, []
    first = ordered[0].id
    kept = [one for one in ordered if (one.provider in wanted if wanted else one.id == first)]
    there = {id(one) for one in kept}
    why, field = "a fallback, and provider.allow_fallbacks is false", "provider.allow_fallbacks"
    return kept, [Removed(one, why, field) for one in ordered if id(one) not in there]


def _with_judges(candidates: Sequence[Deployment], route: Route, facts: Facts) -> Sequence[Deployment]:
    """Without minis and local models that are to judge the request and can't; the last has nothing to judge.

    They are left out, not put last: there they would answer whatever they are bad at.
    """
    last = len(candidates) - 1
    kept = [
        one
        for place, one in enumerate(candidates)
        if place == last
        or not (one.task or (route.floor and one.engine))
        or ((facts.is_chat or one.task) and not _rank(one, facts))
    ]
    return candidates if len(kept) == len(candidates) else kept
