"""The most left of its rate limit first, as its own headers say; chance decides between equals."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.chance import draw
from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """By the share that is left; unknown counts as all of it."""
    health = facts.health
    keys = [
        (-health.headroom(one, facts.now_us) if health is not None else 0.0, draw(facts.seed, place))
        for place, one in enumerate(candidates)
    ]
    return [candidates[place] for place in sorted(range(len(candidates)), key=keys.__getitem__)]


def reason(candidate: Deployment, facts: Facts) -> str:
    """The share that is left."""
    left = facts.health.headroom(candidate, facts.now_us) if facts.health is not None else 1.0
    return f"{left:.0%} of its rate limit is left"
