"""What a request is expected to cost before it is asked, and what its route's largest model would have cost.

The largest model is the dearest for the tokens in question: among deployments that differ in price row, each
is priced with the tokens that were used, so nobody's tokenizer is asked.
"""

from __future__ import annotations

from wicket.accounts.record import Record, Usage
from wicket.config.deployments import price_of
from wicket.gateway.attempt import LEARN_MASK, Attempt, cost_of
from wicket.gateway.call import Call
from wicket.gateway.needs import output_limit
from wicket.gateway.request import Rates
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Fields

_MOST = 1 << 40  # tokens; more is no limit but nonsense


def note_costs(record: Record, call: Call, answer: Attempt | None, rates: Rates) -> None:
    """Put the estimate and the largest model's cost into the record of an answer, and learn its length."""
    if answer is None:
        return
    usage, cost = answer.bill()
    one = answer.deployment
    price = answer.prepared.price
    if price is not None:
        num_input = rates.inputs.estimate(one.id, call.body_bytes)
        record.estimate_nanos = cost_of(price, Usage(num_input, expected_output(call, one, rates)))
    record.large_cost_nanos = largest_nanos(call.route.deployments, one, usage, -1 if price is None else cost)
    if not call.id & LEARN_MASK and answer.counts is not None:
        rates.answers.learn(one.id, usage.output_tokens)


def largest_nanos(deployments: tuple[Deployment, ...], answered: Deployment, usage: Usage, cost: int) -> int:
    """The most that `usage` costs at any of the deployments; `cost` is what it did, -1 for unknown."""
    if len(deployments) == 1:
        return cost
    seen = {answered.price_id}
    most = cost
    for one in deployments:
        if one.price_id not in seen and one.prices is not None:
            seen.add(one.price_id)
            most = max(most, cost_of(price_of(one), usage))
    return most


def expected_output(call: Call, one: Deployment, rates: Rates) -> int:
    """Tokens of output, by the deployment's answers so far; no more than it and the caller allow."""
    if not call.api.can_stream:  # embeddings and the like have none
        return 0
    expected = rates.answers.expect(one.id)
    most = longest(call, one)
    each = min(expected, most) if most else expected
    return each * num_choices(call.fields) if "n" in call.fields else each


def most_output(call: Call, one: Deployment) -> int:
    """The longest output that the caller's limit and the deployment allow; 0 where neither is known."""
    return longest(call, one) * num_choices(call.fields) if call.api.can_stream else 0


def longest(call: Call, one: Deployment) -> int:
    """The same of one answer, where several are asked for at once."""
    asked, known = output_limit(call.fields, call.api), one.max_output_tokens
    return min(asked, known) if asked and known else asked or known


def num_choices(fields: Fields) -> int:
    """How many answers are asked for at once; 1 for what is no such number."""
    raw = fields.get("n")
    return 1 if raw is None else _count(raw) or 1


def _count(raw: bytes | memoryview) -> int:
    try:
        value = json.decode(raw)
    except json.DecodeError:
        return 0
    return value if type(value) is int and 0 < value <= _MOST else 0
