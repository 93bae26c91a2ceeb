"""Settlement: from what happened to one record. Pure; called exactly once per request."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.accounts.cost import PPM, charge_nanos
from wicket.accounts.record import NO_USAGE, Record
from wicket.accounts.record import Attempt as AttemptRecord
from wicket.gateway.attempt import Attempt
from wicket.gateway.call import Call
from wicket.gateway.dropped import shown
from wicket.routing.deployment import Deployment

PAID = ("", "client_gone")  # how an attempt may end that the caller pays for


def charge_of(call: Call, answer: Attempt | None) -> int:
    """Nano-USD the caller pays: the answer's cost and the route's markup; failed attempts are free.

    So is an answer that broke halfway; a caller who left pays for what had come. Where the provider's bill
    goes to the caller, only the operator's fee is charged, without a markup.
    """
    if answer is None or answer.reason not in PAID:
        return 0
    cost = answer.bill()[1]
    markup = markup_of(call, answer.deployment)
    return charge_nanos(cost, markup) if markup else cost


def markup_of(call: Call, deployment: Deployment) -> int:
    """What the caller pays beyond the cost of an answer, in parts per million of it; below 0 it is less."""
    fee = deployment.own_key_fee_ppm
    if fee >= 0:
        return fee - PPM
    route = call.route
    return route.markup_of(deployment) if route.parts else route.markup_ppm


def settle(
    call: Call, attempts: Sequence[Attempt], answer: Attempt | None, status: int, outcome: str, now_us: int
) -> Record:
    """The request's record. `answer` is the attempt the caller got (all or part of), None if none."""
    started = call.started_us
    price_row = answer.deployment.price_id if answer is not None else ""
    tries = [_attempt(attempt, started, price_row) for attempt in attempts]
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
        record.price_row = price_row
        left_out = answer.left_out
        record.dropped = list(shown(left_out)) if left_out else []
    return record


def _attempt(attempt: Attempt, started_us: int, price_row: str) -> AttemptRecord:
    usage, cost = attempt.bill()
    own = attempt.deployment.price_id
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
        price_row=own if cost and own != price_row else "",
    )
