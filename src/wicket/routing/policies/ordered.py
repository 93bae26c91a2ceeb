"""As configured."""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """The configured order."""
    return candidates


def reason(candidate: Deployment, facts: Facts) -> str:
    """Nothing but its place."""
    return "as configured"
