"""As configured: the first that can answer, engines that are down last."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """The configured order; a stable move of failed engines to the end."""
    if not facts.unready:
        return candidates
    return sorted(candidates, key=lambda deployment: deployment.engine in facts.unready)
