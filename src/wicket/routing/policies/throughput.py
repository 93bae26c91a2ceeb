"""The most tokens a second first. What nothing is known of comes last, but first in one request of eight."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.chance import draw
from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts

_TRIED = 1 / 8  # unmeasured would stay unmeasured if it were never first


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """By measured speed; equals and the unknown among themselves stay as configured."""
    health = facts.health
    if health is None:
        return candidates
    is_trial = draw(facts.seed, 0) < _TRIED
    speeds = [(health.tokens_per_s(one), one) for one in candidates]
    known = [one for speed, one in sorted(speeds, key=lambda pair: -pair[0]) if speed > 0]
    unknown = [one for speed, one in speeds if speed <= 0]
    return unknown + known if is_trial else known + unknown


def reason(candidate: Deployment, facts: Facts) -> str:
    """Its speed."""
    speed = facts.health.tokens_per_s(candidate) if facts.health is not None else 0.0
    return f"{speed:.0f} tokens a second" if speed > 0 else "speed unknown"
