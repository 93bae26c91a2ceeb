"""The request path, decided without I/O: events come in, actions go out.

    state       event                     → actions
    PLANNED     Planned                   → Send the first candidate
    WAITING     Opened                    → (nothing yet; the first-token clock runs on)
                Refused                   → (an error status: its text gets a moment)
                Spoke                     → the others are cancelled; Commit, or hold if the route holds
                Heard, Finished           → (held)
                Ended                     → Commit, Finish, Settle
                Failed                    → same again, wait, next candidate, or Fail and Settle
                Ticked                    → send what waited; late first token: hedge or next candidate;
                                            silence: next candidate; total limit: Fail and Settle
    COMMITTED   Heard, Finished           → Forward
                Ended                     → Forward, Finish, Settle
                Failed, silence, total    → Fail (in-band), Settle
    any         ClientGone                → Cancel all, Settle
    OVER        anything                  → nothing

`drive` feeds it from callbacks, the simulator in the tests from an invented clock. Limits and retries
follow contract §3: a first 5xx, reset or short Retry-After is asked again once at the same deployment,
then the next candidate; a stale kept-alive connection costs no retry; a late first token means the next
candidate only while there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import msgspec

from wicket.errors import CallerFault, Fault, ProviderFault, UpstreamBroken, UpstreamTimeout
from wicket.gateway.events import (
    Action,
    Begin,
    Cancel,
    ClientGone,
    Commit,
    Ended,
    Event,
    Fail,
    Failed,
    Finish,
    Finished,
    Forward,
    Heard,
    KeepAlive,
    Opened,
    Planned,
    Refused,
    Send,
    Settle,
    Spoke,
    Ticked,
)

NEVER = 1 << 62
MAX_WAIT_US = 3_000_000
SECOND_US = 1_000_000
BACK_OFF_US = (50_000, 450_000)  # before asking a busy deployment again that gave no Retry-After
REFUSAL_US = 2 * SECOND_US  # for an error's text, once its status is here
BEGIN_AFTER_US = 10 * SECOND_US
KEEP_ALIVE_EVERY_US = 10 * SECOND_US


class State(IntEnum):
    """Where the request stands."""

    PLANNED = 0
    WAITING = 1
    COMMITTED = 2
    OVER = 3


class Rules(msgspec.Struct, frozen=True):
    """What the route decides, in microseconds. `hedge_us` 0: never race a second candidate.

    `contexts[i]` is candidate i's context in tokens, 0 if unknown. `mini_us` is what a mini gets that is
    asked first, 0 if there is none.
    """

    num_candidates: int
    first_token_us: int
    gap_us: int
    total_us: int
    is_streamed: bool
    holds_whole: bool = False
    hedge_us: int = 0
    max_hedges: int = 1
    contexts: tuple[int, ...] = ()
    mini_us: int = 0


class Try:
    """One attempt as the walk sees it."""

    live = True
    refusal: Fault | None = None
    spoke = False
    finished = False

    def __init__(self, number: int, candidate: int, now_us: int) -> None:
        self.number = number
        self.candidate = candidate
        self.sent_us = now_us
        self.heard_us = now_us


class Walk:
    """A request's state. Mutated by `step` only; equal histories give equal walks."""

    state = State.PLANNED
    next_candidate = 0
    again: frozenset[int] = frozenset()  # candidates asked a second time already
    wait: tuple[int, int] | None = None  # (when, candidate) of a send that waits
    fault: Fault | None = None  # what the last failure said
    chosen = -1  # the attempt that is the answer
    begun_us = 0  # when a held stream's headers went out, 0 if not
    hedges = 0
    started_us = 0
    due_us = NEVER

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.tries: list[Try] = []


def step(walk: Walk, event: Event) -> Sequence[Action]:
    """What to do about `event`. Pure: no clock, no chance, no I/O."""
    handler = TABLE.get((walk.state, type(event)))
    return handler(walk, event) if handler is not None else ()


# Beginning and sending

FIRST = (Send(0, 0),)
FORWARD = tuple((Forward(number),) for number in range(8))


def _plan(walk: Walk, event: Planned) -> Sequence[Action]:
    walk.started_us = event.now_us
    walk.state = State.WAITING
    walk.next_candidate = 1
    rules = walk.rules
    if rules.num_candidates > 1 or rules.holds_whole:
        return (_send(walk, 0, event.now_us),)
    walk.tries.append(Try(0, 0, event.now_us))  # the common case, spelled out: nothing but the total limit
    walk.due_us = event.now_us + rules.total_us
    return FIRST


def _send(walk: Walk, candidate: int, now_us: int, *, is_fresh: bool = False) -> Send:
    number = len(walk.tries)
    walk.tries.append(Try(number, candidate, now_us))
    _set_due(walk, now_us)
    return Send(number, candidate, is_fresh)


def _has_alternative(walk: Walk) -> bool:
    return walk.next_candidate < walk.rules.num_candidates


def _next(walk: Walk, now_us: int) -> Send | None:
    if not _has_alternative(walk):
        return None
    candidate = walk.next_candidate
    walk.next_candidate += 1
    return _send(walk, candidate, now_us)


# While nothing has been shown to the caller


def _opened(walk: Walk, event: Opened) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    attempt.heard_us = event.now_us
    return ()


def _refused(walk: Walk, event: Refused) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    attempt.refusal = event.fault
    attempt.heard_us = event.now_us
    _set_due(walk, event.now_us)
    return ()


def _spoke(walk: Walk, event: Spoke) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    if not attempt.live:
        return ()
    attempt.spoke = True
    attempt.heard_us = event.now_us
    walk.chosen = event.attempt
    walk.wait = None
    losers = _cancel_others(walk, event.attempt, "hedge_lost")
    _set_due(walk, event.now_us)
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
    losers = _cancel_others(walk, event.attempt, "hedge_lost")
    return (*losers, Commit(event.attempt), Finish(event.attempt), _settle(walk, "ok"))


def _failed(walk: Walk, event: Failed) -> Sequence[Action]:
    attempt = walk.tries[event.attempt]
    if not attempt.live:
        return ()
    attempt.live = False
    if walk.chosen == event.attempt:
        walk.chosen = -1
    if event.is_stale:
        return (_send(walk, attempt.candidate, event.now_us, is_fresh=True),)
    return _after_failure(walk, attempt, event.fault, event.now_us)


def _after_failure(walk: Walk, attempt: Try, fault: Fault, now_us: int) -> Sequence[Action]:
    walk.fault = _more_telling(walk.fault, fault)
    if not fault.elsewhere:
        walk.fault = fault
        return _give_up(walk, fault)
    if any(other.live for other in walk.tries):  # its rival still runs
        _set_due(walk, now_us)
        return ()
    candidate = attempt.candidate
    if fault.again and candidate not in walk.again:
        pause = _back_off(walk) if fault.retry_after_ms is None else fault.retry_after_ms * 1_000
        if pause <= MAX_WAIT_US and now_us + pause < walk.started_us + walk.rules.total_us:
            walk.again |= {candidate}
            walk.wait = (now_us + pause, candidate)
            _set_due(walk, now_us)
            return ()
    if fault.code == "context_length_exceeded":
        _skip_small_contexts(walk, candidate)
    send = _next(walk, now_us)
    return (send,) if send is not None else _give_up(walk, walk.fault)


def _back_off(walk: Walk) -> int:
    """Within `BACK_OFF_US`, scattered by the request's own start: many do not come back at once."""
    least, most = BACK_OFF_US
    return least + walk.started_us * 0x9E3779B1 % (1 << 32) * (most - least) // (1 << 32)


def _skip_small_contexts(walk: Walk, candidate: int) -> None:
    """A prompt too long for one model goes on to a larger one only; unknown sizes may be larger."""
    contexts = walk.rules.contexts
    size = contexts[candidate] if contexts else 0
    while _has_alternative(walk) and contexts and size and 0 < contexts[walk.next_candidate] <= size:
        walk.next_candidate += 1


def _more_telling(old: Fault | None, new: Fault) -> Fault:
    """What the caller is told when nothing worked: the newest fault.

    But a context error outlives later faults, and a refused prefill, or a deployment that can't even be told
    the request, does not hide why it was its turn.
    """
    if old is None or not new.elsewhere:
        return new
    if old.code == "not_confident":  # a mini's business, of which the caller need not know
        return new
    if old.code == "context_length_exceeded" or new.code == "prefill_unsupported":
        return old
    if isinstance(new, CallerFault):
        return old
    return new


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
    return (Forward(event.attempt), Finish(event.attempt), _settle(walk, "ok"))


def _failed_committed(walk: Walk, event: Failed) -> Sequence[Action]:
    if event.attempt != walk.chosen:
        return ()
    walk.tries[event.attempt].live = False
    return _give_up(walk, event.fault)


# Time


def _tick(walk: Walk, event: Ticked) -> Sequence[Action]:
    now = event.now_us
    rules = walk.rules
    if now >= walk.started_us + rules.total_us:
        return _give_up(
            walk, _timeout("total_timeout", "The answer took longer than the route's total limit.")
        )
    actions: list[Action] = []
    if walk.wait is not None and now >= walk.wait[0]:
        candidate = walk.wait[1]
        walk.wait = None
        was_reset = walk.fault is not None and walk.fault.code == "reset"
        actions.append(_send(walk, candidate, now, is_fresh=was_reset))
    for attempt in list(walk.tries):
        if attempt.live and walk.state != State.OVER:
            actions.extend(_check(walk, attempt, now))
    if walk.state == State.WAITING and rules.holds_whole and rules.is_streamed:
        actions.extend(_keep_waiting(walk, now))
    if walk.state != State.OVER:
        _set_due(walk, now)
    return actions


def _check(walk: Walk, attempt: Try, now: int) -> Sequence[Action]:
    rules = walk.rules
    if attempt.finished:
        if now - attempt.heard_us < SECOND_US:
            return ()
        attempt.live = False  # a finish reason is an end; only usage or [DONE] is missing
        committed = walk.state == State.COMMITTED
        walk.chosen = attempt.number
        first = Forward(attempt.number) if committed else Commit(attempt.number)
        cancel = Cancel(attempt.number, "")
        return (*_cancel_others(walk, attempt.number, "hedge_lost"), cancel, first, Finish(attempt.number),
                _settle(walk, "ok"))  # fmt: skip
    if attempt.refusal is not None:
        if now - attempt.heard_us < REFUSAL_US:
            return ()
        return _abandon(walk, attempt, attempt.refusal, now)
    if attempt.spoke:
        if now - attempt.heard_us < rules.gap_us:
            return ()
        fault = _timeout("gap_timeout", "The provider fell silent in the middle of its answer.")
        return _abandon(walk, attempt, fault, now)
    late = now - attempt.sent_us
    if _may_hedge(walk) and late >= rules.hedge_us:
        walk.hedges += 1
        send = _next(walk, now)
        return (send,) if send is not None else ()
    if late >= _patience(rules, attempt) and (_has_alternative(walk) or _has_rival(walk, attempt)):
        fault = _timeout("first_token_timeout", "The provider's first token did not come in time.")
        return _abandon(walk, attempt, fault, now)
    return ()


def _may_hedge(walk: Walk) -> bool:
    rules = walk.rules
    return rules.hedge_us > 0 and walk.hedges < rules.max_hedges and _has_alternative(walk)


def _has_rival(walk: Walk, attempt: Try) -> bool:
    """Whether a younger attempt runs, which has its own time still before it."""
    return any(other.live and other.number > attempt.number for other in walk.tries)


def _abandon(walk: Walk, attempt: Try, fault: Fault, now: int) -> Sequence[Action]:
    attempt.live = False
    cancel = Cancel(attempt.number, fault.code)
    if walk.state == State.COMMITTED:
        return (cancel, *_give_up(walk, fault))
    if walk.chosen == attempt.number:
        walk.chosen = -1
    return (cancel, *_after_failure(walk, attempt, fault, now))


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


def _deadline(walk: Walk, attempt: Try) -> int:
    """When `_check` would act on a live attempt."""
    rules = walk.rules
    if attempt.finished:
        return attempt.heard_us + SECOND_US
    if attempt.refusal is not None:
        return attempt.heard_us + REFUSAL_US
    if attempt.spoke:
        return attempt.heard_us + rules.gap_us
    if _may_hedge(walk):
        return attempt.sent_us + min(rules.hedge_us, _patience(rules, attempt))
    if _has_alternative(walk) or _has_rival(walk, attempt):
        return attempt.sent_us + _patience(rules, attempt)
    return NEVER


def _patience(rules: Rules, attempt: Try) -> int:
    """How long an attempt's first token is waited for while there is an alternative."""
    return rules.mini_us if rules.mini_us and attempt.candidate == 0 else rules.first_token_us


def _set_due(walk: Walk, now: int) -> None:
    """The next moment at which a tick could matter. Data moves `heard_us` only, so a tick may come early."""
    rules = walk.rules
    due = walk.started_us + rules.total_us
    if walk.wait is not None:
        due = min(due, walk.wait[0])
    for attempt in walk.tries:
        if attempt.live:
            due = min(due, _deadline(walk, attempt))
    if rules.holds_whole and rules.is_streamed and walk.state == State.WAITING:
        begun = walk.begun_us
        due = min(due, begun + KEEP_ALIVE_EVERY_US if begun else walk.started_us + BEGIN_AFTER_US)
    walk.due_us = max(due, now + 1)


# Endings


def _client_gone(walk: Walk, event: ClientGone) -> Sequence[Action]:
    return (*_cancel_others(walk, -1, "client_gone"), _settle(walk, "client_gone"))


def _give_up(walk: Walk, fault: Fault | None) -> Sequence[Action]:
    fault = fault or UpstreamBroken("no_deployment", "No deployment could answer.")
    return (*_cancel_others(walk, -1, fault.code), Fail(fault), _settle(walk, fault.code))


def _settle(walk: Walk, outcome: str) -> Settle:
    walk.state = State.OVER
    walk.due_us = NEVER
    return Settle(outcome)


def _cancel_others(walk: Walk, keep: int, reason: str) -> Sequence[Action]:
    if len(walk.tries) == 1 and keep == 0:
        return ()
    cancels = []
    for attempt in walk.tries:
        if attempt.live and attempt.number != keep:
            attempt.live = False
            cancels.append(Cancel(attempt.number, reason))
    return cancels


def _note(walk: Walk, event: Heard | Finished) -> None:
    attempt = walk.tries[event.attempt]
    attempt.heard_us = event.now_us
    if type(event) is Finished and not attempt.finished:
        attempt.finished = True
        _set_due(walk, event.now_us)


def _timeout(code: str, message: str) -> ProviderFault:
    return UpstreamTimeout(code, message)


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
    (State.WAITING, Ticked): _tick,
    (State.WAITING, ClientGone): _client_gone,
    (State.COMMITTED, Heard): _forward,
    (State.COMMITTED, Finished): _forward,
    (State.COMMITTED, Ended): _ended_committed,
    (State.COMMITTED, Failed): _failed_committed,
    (State.COMMITTED, Ticked): _tick,
    (State.COMMITTED, ClientGone): _client_gone,
}
