"""What a walk remembers, and who of its plan may still be asked. Values and questions; nothing changes here.

A *group* is a deployment with all of its credentials: candidates of the plan that share a deployment id.
"""

from __future__ import annotations

from enum import IntEnum

from wicket.errors import Fault
from wicket.gateway.rules import Rules

NEVER = 1 << 62
SECOND_US = 1_000_000
MAX_TRIES_PER_GROUP = 4  # of one deployment, all of its credentials counted


class State(IntEnum):
    """Where the request stands."""

    PLANNED = 0
    WAITING = 1
    COMMITTED = 2
    CONTINUING = 3
    OVER = 4


class Try:
    """One attempt as the walk sees it."""

    live = True
    refusal: Fault | None = None
    spoke = False
    finished = False
    is_free = False  # it met a stale connection, which counts for nothing

    def __init__(self, number: int, candidate: int, now_us: int) -> None:
        self.number = number
        self.candidate = candidate
        self.sent_us = now_us
        self.heard_us = now_us


class Walk:
    """A request's state. Mutated by `step` only; equal histories give equal walks."""

    state = State.PLANNED
    asked = 0  # a bit per candidate that was asked, or is ruled out
    failed = 0  # a bit per group that failed by itself, not by its credential
    retried: tuple[int, ...] = ()  # the group of each second try
    wait: tuple[int, int] | None = None  # (when, candidate) of a send that waits
    fault: Fault | None = None  # what the caller hears if nothing works
    broken: Fault | None = None  # what broke the answer that is being continued
    chosen = -1  # the attempt that is the answer
    begun_us = 0  # when a held stream's headers went out, 0 if not
    has_hedged = False  # it raced a second one, or was not allowed to
    started_us = 0
    due_us = NEVER

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tries: list[Try] = []


def group_of(rules: Rules, candidate: int) -> int:
    """The group of a candidate."""
    return rules.groups[candidate] if rules.groups else candidate


def may_ask(walk: Walk, group: int) -> bool:
    """Whether the bounds allow one more attempt, at this group. Stale connections don't count."""
    num_all = num_here = 0
    for attempt in walk.tries:
        if not attempt.is_free:
            num_all += 1
            num_here += group_of(walk.rules, attempt.candidate) == group
    return num_all < walk.rules.max_attempts and num_here < MAX_TRIES_PER_GROUP


def num_unasked(walk: Walk) -> int:
    """How many deployments of the plan have not had their turn."""
    rules = walk.rules
    left = {group_of(rules, one) for one in range(rules.num_candidates) if not walk.asked >> one & 1}
    return len(left - {group_of(rules, attempt.candidate) for attempt in walk.tries})


def another_credential(walk: Walk, group: int) -> int:
    """The next candidate of the same deployment, -1 if there is none."""
    rules = walk.rules
    if rules.groups and may_ask(walk, group):
        for candidate, other in enumerate(rules.groups):
            if other == group and not walk.asked >> candidate & 1:
                return candidate
    return -1


def another_deployment(walk: Walk, group: int) -> int:
    """The next candidate of another deployment that has not failed, -1 if there is none."""
    rules = walk.rules
    for candidate in range(rules.num_candidates):
        if not walk.asked >> candidate & 1:
            other = group_of(rules, candidate)
            if other != group and not walk.failed >> other & 1 and may_ask(walk, other):
                return candidate
    return -1


def successor(walk: Walk, late: int) -> int:
    """Who may take over from a candidate that is only late, -1 for nobody: another deployment, and none in
    cooldown unless the late one is too. Plans have those last, so that the first one left tells of all."""
    rules = walk.rules
    found = another_deployment(walk, group_of(rules, late))
    if found >= 0 and rules.cooling and rules.cooling[found] and not rules.cooling[late]:
        return -1
    return found


def anyone_left(walk: Walk) -> int:
    """The next candidate at all: deployments that have not failed first; -1 if nobody is left."""
    candidate = another_deployment(walk, -1)
    if candidate >= 0 or not walk.rules.groups:
        return candidate
    for candidate, group in enumerate(walk.rules.groups):
        if not walk.asked >> candidate & 1 and may_ask(walk, group):
            return candidate
    return -1


def who_continues(walk: Walk) -> int:
    """The next candidate that takes a partial answer and has not failed, -1 if there is none."""
    rules = walk.rules
    for candidate, can in enumerate(rules.continues):
        if can and not walk.asked >> candidate & 1:
            group = group_of(rules, candidate)
            if not walk.failed >> group & 1 and may_ask(walk, group):
                return candidate
    return -1
