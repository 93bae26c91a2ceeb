"""Settlement: from what happened to one record. Pure; called exactly once per request."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.accounts.cost import charge_nanos
from wicket.accounts.record import NO_USAGE, Record
from wicket.accounts.record import Attempt as AttemptRecord
from wicket.gateway.attempt import Attempt
from wicket.gateway.call import Call
from wicket.gateway.dropped import shown

PAID = ("", "client_gone")  # how an attempt may end that the caller pays for


def charge_of(call: Call, answer: Attempt | None) -> int:
    """Nano-USD the caller pays: the answer's cost and the route's markup; failed attempts are free.

    So is an answer that broke halfway; a caller who left pays for what had come.
    """
    if answer is None or answer.reason not in PAID:
        return 0
    cost = answer.bill()[1]
    route = call.route
    markup = route.markup_of(answer.deployment) if route.parts else route.markup_ppm
    return charge_nanos(cost, markup) if markup else cost


def settle(
    call: Call, attempts: Sequence[Attempt], answer: Attempt | None, status: int, outcome: str, now_us: int
) -> Record:
    """The request's record. `answer` is the attempt the caller got (all or part of), None if none."""
    started = call.started_us
    tries = [_attempt(attempt, started) for attempt in attempts]
    cost = sum(attempt.cost_nanos for attempt in tries)
    record = Record(
        id=call.id,
        started_ms=call.unix_ms,
        key_id=call.caller.key_id,
        api=call.api.name,
        model=call.model,
        deployment="",
        served_model="",
        status=status,
        outcome=outcome,
        is_stream=call.is_streamed,
        usage=NO_USAGE,
        cost_nanos=cost,
        charge_nanos=charge_of(call, answer),
        first_token_us=-1,
        total_us=now_us - started,
        attempts=tries,
        payer=call.caller.payer,
    )
    if answer is not None:
        record.deployment = answer.deployment.id
        record.served_model = answer.model
        record.usage = answer.bill()[0]
        first = answer
        while first.continued is not None:
            first = first.continued
        record.first_token_us = first.first_token_us - started if first.first_token_us >= 0 else -1
        record.price_row = answer.deployment.price_id
        record.dropped = list(shown(answer.dropped)) if answer.dropped else []
    return record


def _attempt(attempt: Attempt, started_us: int) -> AttemptRecord:
    usage, cost = attempt.bill()
    return AttemptRecord(
        deployment=attempt.deployment.id,
        status=attempt.status,
        reason=attempt.reason,
        started_us=attempt.started_us - started_us,
        first_token_us=attempt.first_token_us - started_us if attempt.first_token_us >= 0 else -1,
        ended_us=attempt.ended_us - started_us if attempt.ended_us >= 0 else -1,
        cost_nanos=cost,
        usage=usage,
        is_probe=attempt.is_probe,
        kind=attempt.kind,
    )
