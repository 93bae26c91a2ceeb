"""The mini first, if it may answer now, then the others as configured.

A mini that may not answer is left out, not put last: behind the large model it would be one more to fall back
to, and a large model that has somebody behind it is given less time to think.
"""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """The configured order without a mini whose engine is not ready or whose floor no answer can reach."""
    may_answer = facts.floor <= 1.0
    kept = [one for one in candidates if not one.task or (may_answer and one.engine not in facts.unready)]
    return candidates if len(kept) == len(candidates) else kept


def reason(candidate: Deployment, facts: Facts) -> str:
    """What a mini has to reach."""
    if candidate.task:
        return f"the mini, if it is sure enough ({facts.floor:.3f})"
    return "behind the mini, as configured"
