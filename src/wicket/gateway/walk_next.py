"""After a failure: the same deployment again, another credential, another deployment, or nobody.

what failed                        → who is asked
401, 403, quota, 429               → the deployment's next credential, at once
5xx, reset, 429 of the last one    → the same again, after Retry-After (up to 3 s) or a back-off
anything of the provider's own     → the next deployment; other credentials of this one come last
context too long                   → nobody whose context is known to be as small
a refusal, a mistake of the caller → nobody
the answer itself, after its
commit point                       → who can continue it, else nobody
"""

from __future__ import annotations

from collections.abc import Sequence

from wicket.errors import CallerFault, Fault
from wicket.gateway.events import Action, Send
from wicket.gateway.walk_due import set_due
from wicket.gateway.walk_end import give_up
from wicket.gateway.walk_state import (
    State,
    Try,
    Walk,
    another_credential,
    anyone_left,
    group_of,
    may_ask,
    num_unasked,
    who_continues,
)

MAX_WAIT_US = 3_000_000
LEAST_BACK_OFF_US = 50_000
BACK_OFF_US = 400_000  # what is added at most before the first second try; doubled for each further one
OF_THE_CREDENTIAL = frozenset({"provider_auth_failed", "provider_quota_exhausted", "rate_limit_exceeded"})
OF_THE_MODEL = frozenset({"context_length_exceeded", "prefill_unsupported"})  # whatever the credential


def send(walk: Walk, candidate: int, now: int, *, is_fresh: bool = False, kind: str = "") -> Send:
    """Ask a candidate."""
    number = len(walk.tries)
    walk.tries.append(Try(number, candidate, now))
    walk.asked |= 1 << candidate
    set_due(walk, now)
    return Send(number, candidate, is_fresh, kind)


def after_failure(walk: Walk, attempt: Try, fault: Fault, now: int) -> Sequence[Action]:
    """While nothing has been shown to the caller."""
    walk.fault = _more_telling(walk.fault, fault)
    if not fault.elsewhere:
        walk.fault = fault
        return give_up(walk, fault)
    group = group_of(walk.rules, attempt.candidate)
    _remember(walk, attempt.candidate, fault)
    if any(other.live for other in walk.tries):  # its rival still runs
        set_due(walk, now)
        return ()
    if fault.code in OF_THE_CREDENTIAL:
        other = another_credential(walk, group)
        if other >= 0:
            return (send(walk, other, now),)
    if fault.again and _may_retry(walk, attempt.candidate):
        pause = _back_off(walk) if fault.retry_after_ms is None else fault.retry_after_ms * 1_000
        if pause <= MAX_WAIT_US and now + pause < walk.started_us + walk.rules.total_us:
            walk.retried += (group,)
            walk.wait = (now + pause, attempt.candidate)
            set_due(walk, now)
            return ()
    candidate = anyone_left(walk)
    return (send(walk, candidate, now),) if candidate >= 0 else give_up(walk, walk.fault)


def after_break(walk: Walk, attempt: Try, fault: Fault, now: int, may_continue: bool) -> Sequence[Action]:
    """The answer itself failed, after its commit point: continue it elsewhere, or say so."""
    walk.broken = fault
    if not (may_continue and fault.elsewhere):
        return give_up(walk, fault)
    return _continue(walk, attempt, now)


def after_failed_continuation(walk: Walk, attempt: Try, fault: Fault, now: int) -> Sequence[Action]:
    """Who was to continue could not: the caller hears of what broke the answer, never of this."""
    if not fault.elsewhere:
        return give_up(walk, walk.broken)
    return _continue(walk, attempt, now)


def _continue(walk: Walk, attempt: Try, now: int) -> Sequence[Action]:
    walk.failed |= 1 << group_of(walk.rules, attempt.candidate)
    candidate = who_continues(walk)
    if candidate < 0:
        return give_up(walk, walk.broken)
    walk.state = State.CONTINUING
    walk.chosen = -1
    return (send(walk, candidate, now, kind="continuation"),)


def _remember(walk: Walk, candidate: int, fault: Fault) -> None:
    rules = walk.rules
    group = group_of(rules, candidate)
    if fault.code not in OF_THE_CREDENTIAL:
        walk.failed |= 1 << group
    if fault.code not in OF_THE_MODEL:
        return
    is_size = fault.code == "context_length_exceeded"
    size = rules.contexts[candidate] if rules.contexts and is_size else 0
    for other in range(rules.num_candidates):
        is_as_small = size and 0 < rules.contexts[other] <= size  # an unknown one may be larger
        if group_of(rules, other) == group or is_as_small:
            walk.asked |= 1 << other


def _may_retry(walk: Walk, candidate: int) -> bool:
    rules = walk.rules
    if rules.cooling and rules.cooling[candidate]:
        return False
    group = group_of(rules, candidate)
    if walk.retried.count(group) >= rules.retries or not may_ask(walk, group):
        return False
    num_tries = sum(not attempt.is_free for attempt in walk.tries)
    return num_tries + num_unasked(walk) < rules.max_attempts  # nobody's first turn pays for a second one


def _back_off(walk: Walk) -> int:
    """Full jitter over a range that doubles with each try, scattered by the request's own start.

    Many that failed together do not come back together (AWS Architecture Blog, "Exponential Backoff And
    Jitter", 2015).
    """
    turn = len(walk.retried)
    draw = (walk.started_us + turn) * 0x9E3779B1 % (1 << 32)
    return LEAST_BACK_OFF_US + draw * (BACK_OFF_US << turn) // (1 << 32)


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
