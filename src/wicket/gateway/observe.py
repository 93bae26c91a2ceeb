"""What attempts say of their deployments, at the lowest cost: three calls per attempt, none per frame.

    sent    when it goes out: one more runs there; while a breaker is open, it may be the probe
    spoke   at a stream's first token
    over    exactly once, however it ended

Engines of ours are counted and timed, but have no breaker: one that fails is known to be down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wicket.errors import Fault
from wicket.routing.blame import Blame, blame_of

if TYPE_CHECKING:
    from wicket.gateway.attempt import Attempt
    from wicket.gateway.lanes import Place
    from wicket.routing.health import HealthTable
    from wicket.routing.vitals import Vitals

LOOK_EVERY_US = 1_000
NO_ROOM = "deployment_busy"
LATE = frozenset({"first_token_timeout", "total_timeout"})
WAITED = LATE | {"hedge_lost", "client_gone"}


def sent(attempt: Attempt, health: HealthTable) -> None:
    """`attempt` goes out now."""
    deployment = attempt.deployment
    attempt.vitals = vitals = health.find(deployment)
    vitals.num_running += 1
    if health.is_stirred and not deployment.engine:
        attempt.is_probe = health.sent(vitals, deployment, attempt.started_us)


def spoke(attempt: Attempt, now_us: int) -> None:
    """A stream's first token, told where somebody may want to know before its end."""
    vitals = attempt.vitals
    if vitals is None:
        return
    vitals.fresh.append((now_us, max(1, now_us - attempt.started_us), 0, 0))
    if attempt.is_probe:
        vitals.table.spoke(vitals, attempt.deployment, attempt.started_us, now_us)


def over(attempt: Attempt) -> None:
    """It ended: well, badly or cancelled, or before it was sent."""
    if attempt.place is not None:
        _leave(attempt, attempt.place)
    vitals = attempt.vitals
    if vitals is None:
        return
    attempt.vitals = None
    vitals.num_running -= 1
    now_us = attempt.ended_us
    if attempt.reason or attempt.fault is not None:
        _failed(attempt, vitals, now_us)
        return
    if vitals.table.is_stirred:
        vitals.table.did_well(vitals, attempt.deployment, attempt.started_us, now_us)
    if now_us >= vitals.next_look_us:
        _answered(attempt, vitals, now_us)


def _answered(attempt: Attempt, vitals: Vitals, now_us: int) -> None:
    """What a good answer says of speed and limits: of at most a thousand in a second."""
    vitals.next_look_us = now_us + LOOK_EVERY_US
    started_us, first_us = attempt.started_us, attempt.first_token_us
    num_tokens = 0 if attempt.counts is None else attempt.counts.output_tokens
    if attempt.splitter is None:
        vitals.fresh.append((now_us, started_us - now_us, num_tokens, now_us - started_us))
    else:
        wait_us = 0 if attempt.has_rivals or attempt.is_probe else max(1, first_us - started_us)
        vitals.fresh.append((now_us, wait_us, num_tokens, now_us - first_us))
    if now_us >= vitals.next_limits_us:
        vitals.read_headers(attempt.headers, now_us)


def _leave(attempt: Attempt, place: Place) -> None:
    if place.is_waiting and attempt.reason in LATE:
        attempt.reason = NO_ROOM
    place.leave()


def _failed(attempt: Attempt, vitals: Vitals, now_us: int) -> None:
    deployment, fault = attempt.deployment, attempt.fault
    if deployment.engine:
        return
    silent_us = 0 if attempt.spoke else now_us - attempt.started_us
    if silent_us and attempt.reason in WAITED:
        vitals.waited(silent_us, now_us)
    if attempt.headers:
        vitals.read_headers(attempt.headers, now_us)
    blame = blame_of(attempt.reason, attempt.status, silent_us)
    wait_us = None if fault is None or fault.retry_after_ms is None else fault.retry_after_ms * 1_000
    health = vitals.table
    health.went_wrong(deployment, blame, attempt.reason, (now_us, attempt.is_probe), wait_us)
    if blame == Blame.FAILURE and fault is not None:
        _spare_the_second_try(attempt, fault, health)


def _spare_the_second_try(attempt: Attempt, fault: Fault, health: HealthTable) -> None:
    """Where somebody else can be asked, the same deployment again is pointless once its breaker is open."""
    if attempt.has_others and health.reopens_us(attempt.deployment):
        fault.again = False
