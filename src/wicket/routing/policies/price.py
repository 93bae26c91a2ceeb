"""The cheapest first, by what this request is expected to cost; an unknown price comes last."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.deployment import Deployment
from wicket.routing.estimate import cost_pico, dollars
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """By the estimate; equals stay as configured."""
    return sorted(candidates, key=lambda one: _rank(one, facts))


def _rank(one: Deployment, facts: Facts) -> tuple[bool, int]:
    cost = cost_pico(one, facts.input_tokens, facts.output_tokens)
    return (cost is None, cost or 0)


def reason(candidate: Deployment, facts: Facts) -> str:
    """The estimate."""
    cost = cost_pico(candidate, facts.input_tokens, facts.output_tokens)
    return "price unknown" if cost is None else f"about {dollars(cost)} USD"
