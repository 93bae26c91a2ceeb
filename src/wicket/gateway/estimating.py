"""What a request would cost, deployment by deployment of its plan: nobody is asked.

Amounts are estimated by the bytes per token and the lengths of answers that this worker has learned, and
bounded by `accounts.cost.bound_cost_nanos`.
"""

from __future__ import annotations

from typing import Any

from wicket.accounts.bounds import Parts, bound_input_tokens
from wicket.accounts.cost import bound_cost_nanos, charge_nanos
from wicket.accounts.record import Usage
from wicket.config.deployments import price_of
from wicket.gateway.attempt import cost_of
from wicket.gateway.call import Call
from wicket.gateway.expected import expected_output, most_output
from wicket.gateway.planning import Situation, chosen, facts_of, nobody_left
from wicket.gateway.request import Rates
from wicket.routing.deployment import Deployment

DAYS_IN_MONTH = 30
_NANOS = 1_000_000_000


def estimate(
    now: Situation, call: Call, rates: Rates, parts: Parts, requests_per_day: float | None = None
) -> dict[str, Any]:
    """The document of `POST /v1/cost/estimate`. Raises `CallerFault` where nobody may answer the request.

    `expected` is the deployment that is asked first, `largest` the dearest of the plan.
    """
    plan = chosen(call, facts_of(now, call))
    if not plan.order:
        raise nobody_left(call, plan.removed)
    candidates: list[dict[str, Any]] = []
    for one in plan.order:  # further credentials of a deployment cost the same
        if all(one.id != known["deployment"] for known in candidates):
            candidates.append({"place": len(candidates) + 1, **_candidate(call, one, rates, parts)})
    priced = [one for one in candidates if one["cost_usd"] is not None]
    largest = max(priced, key=lambda one: one["cost_usd"], default=None)
    document: dict[str, Any] = {
        "object": "cost.estimate",
        "model": call.model,
        "api": call.api.name,
        "expected": _amounts(candidates[0]),
        "largest": _amounts(largest) if largest is not None else None,
        "candidates": candidates,
    }
    if requests_per_day is not None:
        document["month"] = _month(requests_per_day, document)
    return document


def _candidate(call: Call, one: Deployment, rates: Rates, parts: Parts) -> dict[str, Any]:
    price = price_of(one)
    given = rates.inputs.estimate(one.id, call.body_bytes)
    most_given = bound_input_tokens(call.body_bytes, parts, one.context_tokens)
    made, most_made = expected_output(call, one, rates), most_output(call, one)
    is_bounded = bool(most_made) or not call.api.can_stream
    cost = most = None
    if price is not None:
        cost = cost_of(price, Usage(given, made))
        most = bound_cost_nanos(price, most_given, most_made) if is_bounded else None
    markup = call.route.markup_of(one) if call.route.parts else call.route.markup_ppm
    return {
        "deployment": one.id,
        "provider": one.provider,
        "model": one.model,
        "input_tokens": given,
        "max_input_tokens": most_given,
        "output_tokens": made,
        "max_output_tokens": most_made if is_bounded else None,
        "cost_usd": _usd(cost),
        "max_cost_usd": _usd(most),
        "charge_usd": _usd(_charge(cost, markup)),
        "max_charge_usd": _usd(_charge(most, markup)),
        "price_row": one.price_id or None,
    }


def _amounts(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("deployment", "cost_usd", "charge_usd", "max_cost_usd")}


def _month(per_day: float, document: dict[str, Any]) -> dict[str, Any]:
    """So many requests like this one, for thirty days."""
    requests = per_day * DAYS_IN_MONTH
    expected, largest = document["expected"], document["largest"]

    def times(usd: float | None) -> float | None:
        return None if usd is None else round(usd * requests, 9)

    return {
        "days": DAYS_IN_MONTH,
        "requests": requests,
        "cost_usd": times(expected["cost_usd"]),
        "charge_usd": times(expected["charge_usd"]),
        "largest_cost_usd": times(largest["cost_usd"]) if largest is not None else None,
    }


def _charge(cost: int | None, markup_ppm: int) -> int | None:
    return None if cost is None else charge_nanos(cost, markup_ppm)


def _usd(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / _NANOS
