"""What the passing of time does to a walk: waits end, late ones are raced or replaced, silence is an end."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.errors import Fault, UpstreamTimeout
from wicket.gateway.events import Action, Begin, Cancel, Commit, Finish, Forward, KeepAlive, Ticked
from wicket.gateway.walk_due import (
    BEGIN_AFTER_US,
    KEEP_ALIVE_EVERY_US,
    REFUSAL_US,
    USAGE_US,
    is_replaceable,
    may_hedge,
    patience,
    set_due,
)
from wicket.gateway.walk_end import cancel_others, give_up, settle
from wicket.gateway.walk_next import after_break, after_failed_continuation, after_failure, send
from wicket.gateway.walk_state import State, Try, Walk, successor


def tick(walk: Walk, event: Ticked) -> Sequence[Action]:
    """A limit may have passed."""
    now = event.now_us
    if now >= walk.started_us + walk.rules.total_us:
        return _out_of_time(walk)
    actions: list[Action] = []
    if walk.wait is not None and now >= walk.wait[0]:
        candidate = walk.wait[1]
        walk.wait = None
        was_reset = walk.fault is not None and walk.fault.code == "reset"
        actions.append(send(walk, candidate, now, is_fresh=was_reset))
    for attempt in list(walk.tries):
        if attempt.live and walk.state != State.OVER:
            actions.extend(_check(walk, attempt, event))
    if walk.state == State.WAITING and walk.rules.holds_whole and walk.rules.is_streamed:
        actions.extend(_keep_waiting(walk, now))
    if walk.state != State.OVER:
        set_due(walk, now)
    return actions


def _out_of_time(walk: Walk) -> Sequence[Action]:
    for attempt in walk.tries:
        if attempt.live and attempt.finished:  # the answer is all there: only its usage will never be known
            return _conclude(walk, attempt)
    late = UpstreamTimeout("total_timeout", "The answer took longer than the route's total limit.")
    return give_up(walk, late)


def _check(walk: Walk, attempt: Try, event: Ticked) -> Sequence[Action]:
    now = event.now_us
    silent_us = now - attempt.heard_us
    if attempt.finished:
        return _conclude(walk, attempt) if silent_us >= USAGE_US else ()
    if attempt.refusal is not None:
        return _abandon(walk, attempt, attempt.refusal, event) if silent_us >= REFUSAL_US else ()
    if attempt.spoke:
        if silent_us < walk.rules.gap_us:
            return ()
        fault = UpstreamTimeout("gap_timeout", "The provider fell silent in the middle of its answer.")
        return _abandon(walk, attempt, fault, event)
    late_us = now - attempt.sent_us
    if late_us >= patience(walk.rules, attempt) and is_replaceable(walk, attempt):
        fault = UpstreamTimeout("first_token_timeout", "The provider's first token did not come in time.")
        return _abandon(walk, attempt, fault, event)
    if may_hedge(walk, attempt) and late_us >= walk.rules.hedge_us:
        return _hedge(walk, attempt, event)
    return ()


def _hedge(walk: Walk, attempt: Try, event: Ticked) -> Sequence[Action]:
    """Race another deployment. One that is not allowed now is not asked for again: the moment has passed."""
    walk.has_hedged = True
    if not event.may_hedge:
        return ()
    candidate = successor(walk, attempt.candidate)
    return (send(walk, candidate, event.now_us, kind="hedge"),)


def _conclude(walk: Walk, attempt: Try) -> Sequence[Action]:
    """A finish reason is an end; only usage or the end mark is missing."""
    attempt.live = False
    first = Commit(attempt.number) if walk.state == State.WAITING else Forward(attempt.number)
    walk.chosen = attempt.number
    others = cancel_others(walk, attempt.number, "hedge_lost")
    return (*others, Cancel(attempt.number, ""), first, Finish(attempt.number), settle(walk, "ok"))


def _abandon(walk: Walk, attempt: Try, fault: Fault, event: Ticked) -> Sequence[Action]:
    attempt.live = False
    cancel = Cancel(attempt.number, fault.code)
    if walk.state == State.COMMITTED:
        return (cancel, *after_break(walk, attempt, fault, event.now_us, event.may_continue))
    if walk.state == State.CONTINUING:
        return (cancel, *after_failed_continuation(walk, attempt, fault, event.now_us))
    if walk.chosen == attempt.number:
        walk.chosen = -1
    return (cancel, *after_failure(walk, attempt, fault, event.now_us))


def _keep_waiting(walk: Walk, now: int) -> Sequence[Action]:
    if walk.begun_us == 0:
        if now - walk.started_us < BEGIN_AFTER_US:
            return ()
        walk.begun_us = now
        return (Begin(), KeepAlive())
    if now - walk.begun_us < KEEP_ALIVE_EVERY_US:
        return ()
    walk.begun_us = now
    return (KeepAlive(),)
