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
    from wicket.routing.health import HealthTable

NO_ROOM = "deployment_busy"
LATE = frozenset({"first_token_timeout", "total_timeout"})
WAITED = LATE | {"hedge_lost", "client_gone"}


def sent(attempt: Attempt, health: HealthTable) -> None:
    """`attempt` goes out now."""
    deployment = attempt.deployment
    vitals = attempt.vitals = health.find(deployment)
    attempt.health = health
    attempt.is_watched = True
    vitals.num_running += 1
    if (vitals.breaker.reopens_us or health.is_barred) and not deployment.engine:
        attempt.is_probe = health.sent(vitals, deployment, attempt.started_us)


def spoke(attempt: Attempt, now_us: int) -> None:
    """A stream's first token."""
    vitals = attempt.vitals
    if vitals is None:
        return
    vitals.heard(now_us - attempt.started_us, now_us, is_streamed=True)
    if now_us >= vitals.next_limits_us:
        vitals.read_headers(attempt.headers, now_us)
    if attempt.is_probe:
        assert attempt.health is not None
        attempt.health.spoke(vitals, attempt.deployment, attempt.started_us, now_us)


def over(attempt: Attempt) -> None:
    """It ended: well, badly or cancelled, or before it was sent."""
    attempt.is_watched = False
    place = attempt.place
    if place is not None:
        if place.is_waiting and attempt.reason in LATE:
            attempt.reason = NO_ROOM
        place.leave()
    vitals, health = attempt.vitals, attempt.health
    if vitals is None or health is None:
        return
    attempt.vitals = None
    vitals.num_running -= 1
    now_us = attempt.ended_us
    if attempt.reason or attempt.fault is not None:
        _failed(attempt, health, now_us)
        return
    started_us = attempt.started_us
    if attempt.splitter is None:
        vitals.heard(now_us - started_us, now_us, is_streamed=False)
        if now_us >= vitals.next_limits_us:
            vitals.read_headers(attempt.headers, now_us)
    counts = attempt.counts
    if counts is not None:
        first_us = attempt.first_token_us
        vitals.wrote(counts.output_tokens, now_us - (started_us if first_us < 0 else first_us))
    if health.is_barred or not vitals.breaker.is_calm:
        health.did_well(vitals, attempt.deployment, started_us, now_us)


def _failed(attempt: Attempt, health: HealthTable, now_us: int) -> None:
    deployment, fault = attempt.deployment, attempt.fault
    if deployment.engine:
        return
    silent_us = 0 if attempt.spoke else now_us - attempt.started_us
    if silent_us and attempt.reason in WAITED:
        health.find(deployment).first_token.at_least(silent_us, now_us)
    if attempt.headers:
        health.find(deployment).read_headers(attempt.headers, now_us)
    blame = blame_of(attempt.reason, attempt.status, silent_us)
    wait_us = None if fault is None or fault.retry_after_ms is None else fault.retry_after_ms * 1_000
    health.went_wrong(deployment, blame, attempt.reason, (now_us, attempt.is_probe), wait_us)
    if blame == Blame.FAILURE and fault is not None:
        _spare_the_second_try(attempt, fault, health)


def _spare_the_second_try(attempt: Attempt, fault: Fault, health: HealthTable) -> None:
    """Where somebody else can be asked, the same deployment again is pointless once its breaker is open."""
    if attempt.has_others and health.reopens_us(attempt.deployment):
        fault.again = False
