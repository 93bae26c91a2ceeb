"""How a walk ends: with an answer, a fault, or a caller who left; always with one settlement."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.errors import Fault, UpstreamBroken
from wicket.gateway.events import Action, Cancel, Fail, Settle
from wicket.gateway.walk_state import NEVER, State, Walk


def settle(walk: Walk, outcome: str) -> Settle:
    """The last action of every walk."""
    walk.state = State.OVER
    walk.due_us = NEVER
    return Settle(outcome)


def give_up(walk: Walk, fault: Fault | None) -> Sequence[Action]:
    """Everybody is let go, the caller hears of `fault`."""
    fault = fault or UpstreamBroken("no_deployment", "No deployment could answer.")
    return (*cancel_others(walk, -1, fault.code), Fail(fault), settle(walk, fault.code))


def cancel_others(walk: Walk, keep: int, reason: str) -> Sequence[Action]:
    """Let everybody go but the attempt `keep`, -1 for nobody."""
    if len(walk.tries) == 1 and keep == 0:
        return ()
    cancels = []
    for attempt in walk.tries:
        if attempt.live and attempt.number != keep:
            attempt.live = False
            cancels.append(Cancel(attempt.number, reason))
    return cancels
