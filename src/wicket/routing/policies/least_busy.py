"""The fewest requests under way first; chance decides between equals."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.chance import draw
from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """By requests under way at each."""
    health = facts.health
    keys = [
        (health.num_running(one) if health is not None else 0, draw(facts.seed, place))
        for place, one in enumerate(candidates)
    ]
    return [candidates[place] for place in sorted(range(len(candidates)), key=keys.__getitem__)]


def reason(candidate: Deployment, facts: Facts) -> str:
    """How many are under way."""
    return f"{facts.health.num_running(candidate) if facts.health is not None else 0} under way"
