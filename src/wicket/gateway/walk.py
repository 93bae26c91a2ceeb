"""The request path, decided without I/O: events come in, actions go out.

    state       event                     → actions
    PLANNED     Planned                   → Send the first candidate
    WAITING     Opened                    → (nothing yet; the first-token clock runs on)
                Refused                   → (an error status: its text gets a moment)
                Spoke                     → the others are cancelled; Commit, or hold if the route holds
                Heard, Finished           → (held)
                Ended                     → Commit, Finish, Settle
                Failed                    → the same again, another credential, another deployment,
                                            or Fail and Settle (`walk_next`)
                Ticked                    → send what waited; late first token: race or replace;
                                            silence: replace; total limit: Fail, Settle (`walk_time`)
    COMMITTED   Heard, Finished           → Forward
                Ended                     → Forward, Finish, Settle
                Failed, silence           → Send to who can continue the answer, or Fail (in-band), Settle
    CONTINUING  Spoke                     → Join: it is COMMITTED again
                Failed, late              → Send to the next who can, or Fail (in-band), Settle
    any         total limit               → Fail, Settle
                ClientGone                → Cancel all, Settle
    OVER        anything                  → nothing

`drive` feeds it from callbacks, the simulator in the tests from an invented clock. What it remembers is in
`walk_state`, when it wants to hear of time in `walk_due`, how it ends in `walk_end`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wicket.gateway.events import (
    Action,
    ClientGone,
    Commit,
    Ended,
    Event,
    Failed,
    Finish,
    Finished,
    Forward,
    Heard,
    Join,
    Opened,
    Planned,
    Refused,
    Send,
    Spoke,
    Ticked,
)
from wicket.gateway.walk_due import set_due
from wicket.gateway.walk_end import cancel_others, settle
from wicket.gateway.walk_next import after_break, after_failed_continuation, after_failure, send
from wicket.gateway.walk_state import State, Try, Walk
from wicket.gateway.walk_time import tick

FIRST = (Send(0, 0),)
FORWARD = tuple((Forward(number),) for number in range(8))


def step(walk: Walk, event: Event) -> Sequence[Action]:
    """What to do about `event`. Pure: no clock, no chance, no I/O."""
    handler = TABLE.get((walk.state, type(event)))
    return handler(walk, event) if handler is not None else ()


def _plan(walk: Walk, event: Planned) -> Sequence[Action]:
    walk.started_us = event.now_us
    walk.state = State.WAITING
    rules = walk.rules
    if rules.num_candidates > 1 or rules.holds_whole:
        return (send(walk, 0, event.now_us),)
    walk.tries.append(Try(0, 0, event.now_us))  # the common case, spelled out: nothing but the total limit
    walk.asked = 1
    walk.due_us = event.now_us + rules.total_us
    return FIRST


# While nothing has been shown to the caller


def _opened(walk: Walk, event: Opened) -> Sequence[Action]:
    walk.tries[event.attempt].heard_us = event.now_us
    return ()


def _refused(walk: Walk, event: Refused) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    attempt.refusal = event.fault
    attempt.heard_us = event.now_us
    set_due(walk, event.now_us)
    return ()


def _spoke(walk: Walk, event: Spoke) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    if not attempt.live:
        return ()
    attempt.spoke = True
    attempt.heard_us = event.now_us
    walk.chosen = event.attempt
    walk.wait = None
    losers = cancel_others(walk, event.attempt, "hedge_lost")
    set_due(walk, event.now_us)
    if walk.rules.holds_whole:
        return losers
    walk.state = State.COMMITTED
    return (*losers, Commit(event.attempt))


def _held(walk: Walk, event: Heard | Finished) -> Sequence[Action]:
    _note(walk, event)
    return ()


def _ended(walk: Walk, event: Ended) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    if not attempt.live:
        return ()
    attempt.live = False
    walk.chosen = event.attempt
    losers = cancel_others(walk, event.attempt, "hedge_lost")
    return (*losers, Commit(event.attempt), Finish(event.attempt), settle(walk, "ok"))


def _failed(walk: Walk, event: Failed) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    if not attempt.live:
        return ()
    attempt.live = False
    if walk.chosen == event.attempt:
        walk.chosen = -1
    if event.is_stale:
        return _once_more(walk, attempt, event.now_us)
    return after_failure(walk, attempt, event.fault, event.now_us)


def _once_more(walk: Walk, attempt: Try, now: int, kind: str = "") -> Sequence[Action]:
    """The connection was stale, which says nothing about the provider."""
    attempt.is_free = True
    return (send(walk, attempt.candidate, now, is_fresh=True, kind=kind),)


# After the commit point


def _forward(walk: Walk, event: Heard | Finished) -> Sequence[Action]:
    number = event.attempt
    if number != walk.chosen:
        return ()
    _note(walk, event)
    return FORWARD[number] if number < len(FORWARD) else (Forward(number),)


def _ended_committed(walk: Walk, event: Ended) -> Sequence[Action]:
    if event.attempt != walk.chosen:
        return ()
    walk.tries[event.attempt].live = False
    return (Forward(event.attempt), Finish(event.attempt), settle(walk, "ok"))


def _broke(walk: Walk, event: Failed) -> Sequence[Action]:
    if event.attempt != walk.chosen:
        return ()
    attempt = walk.tries[event.attempt]
    attempt.live = False
    return after_break(walk, attempt, event.fault, event.now_us, event.may_continue)


# While a broken answer is being continued


def _joined(walk: Walk, event: Spoke | Ended) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    if not attempt.live:
        return ()
    attempt.spoke = True
    attempt.heard_us = event.now_us
    walk.chosen = event.attempt
    walk.state = State.COMMITTED
    if type(event) is Ended:
        return (Join(event.attempt), *_ended_committed(walk, event))
    set_due(walk, event.now_us)
    return (Join(event.attempt),)


def _failed_again(walk: Walk, event: Failed) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    if not attempt.live:
        return ()
    attempt.live = False
    if event.is_stale:
        return _once_more(walk, attempt, event.now_us, "continuation")
    return after_failed_continuation(walk, attempt, event.fault, event.now_us)


# Always


def _client_gone(walk: Walk, event: ClientGone) -> Sequence[Action]:
    return (*cancel_others(walk, -1, "client_gone"), settle(walk, "client_gone"))


def _note(walk: Walk, event: Heard | Finished) -> None:
    attempt = walk.tries[event.attempt]
    attempt.heard_us = event.now_us
    if type(event) is Finished and not attempt.finished:
        attempt.finished = True
        set_due(walk, event.now_us)


Handler = Callable[[Walk, Any], Sequence[Action]]

TABLE: dict[tuple[State, type], Handler] = {
    (State.PLANNED, Planned): _plan,
    (State.WAITING, Opened): _opened,
    (State.WAITING, Refused): _refused,
    (State.WAITING, Spoke): _spoke,
    (State.WAITING, Heard): _held,
    (State.WAITING, Finished): _held,
    (State.WAITING, Ended): _ended,
    (State.WAITING, Failed): _failed,
    (State.WAITING, Ticked): tick,
    (State.WAITING, ClientGone): _client_gone,
    (State.COMMITTED, Heard): _forward,
    (State.COMMITTED, Finished): _forward,
    (State.COMMITTED, Ended): _ended_committed,
    (State.COMMITTED, Failed): _broke,
    (State.COMMITTED, Ticked): tick,
    (State.COMMITTED, ClientGone): _client_gone,
    (State.CONTINUING, Opened): _opened,
    (State.CONTINUING, Refused): _refused,
    (State.CONTINUING, Spoke): _joined,
    (State.CONTINUING, Ended): _joined,
    (State.CONTINUING, Failed): _failed_again,
    (State.CONTINUING, Ticked): tick,
    (State.CONTINUING, ClientGone): _client_gone,
}
