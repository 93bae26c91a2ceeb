"""From a route to the order in which its deployments are asked."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast

import msgspec

from wicket.routing.deployment import Deployment, Route


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
    """What a policy may know: the moment and the engines that can't answer right now.

    `floor` is the least confidence at which a mini's answer is taken now; above 1 none is. `is_chat`: whether
    a local model can judge the request before it answers.
    """

    now_us: int = 0
    seed: int = 0
    unready: frozenset[str] = frozenset()
    floor: float = 0.0
    is_chat: bool = True
    health: Health | None = None


class Policy(Protocol):
    """A policy file: a pure function from candidates and facts to an order."""

    def order(self, candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
        """An order of `candidates`: nothing invented, nothing twice, and nothing lost but a mini that would
        refuse."""
        ...


@cache
def policy(name: str) -> Policy:
    """The policy called `name`: a file in `policies/`. Raises `ModuleNotFoundError` for an unknown one."""
    return cast(Policy, importlib.import_module(f"wicket.routing.policies.{name.replace('-', '_')}"))


def plan(route: Route, facts: Facts) -> Sequence[Deployment]:
    """The deployments in the order they will be asked."""
    found = route.deployments
    if len(found) == 1:
        return found
    if route.floor and (facts.unready or not facts.is_chat):
        found = _without_judges(found, facts)
    return cooled_last(policy(route.policy).order(found, facts), facts)


def cooled_last(order: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """The same order, but those that cool down are asked when everybody else was; nobody is left out."""
    health = facts.health
    if health is None:
        return order
    now_us = facts.now_us
    cools = [health.reopens_us(one) > now_us for one in order]
    if True not in cools:
        return order
    return [
        *(one for one, is_cool in zip(order, cools, strict=True) if not is_cool),
        *(one for one, is_cool in zip(order, cools, strict=True) if is_cool),
    ]


def _without_judges(candidates: tuple[Deployment, ...], facts: Facts) -> tuple[Deployment, ...]:
    """Without local models that are to judge the request and can't; the last one has nothing to judge.

    They are left out, not put last: there they would answer whatever they are bad at.
    """
    last = len(candidates) - 1
    return tuple(
        one
        for place, one in enumerate(candidates)
        if place == last or not one.engine or (facts.is_chat and one.engine not in facts.unready)
    )
