"""By chance, each as often first as its weight says: 3 and 1 share requests three to one.

The order is drawn without putting back, as exponential times with the weights as rates (Efraimidis and
Spirakis, "Weighted random sampling with a reservoir", 2006). Weight 0 is asked when all others have failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from wicket.routing.chance import draw
from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """The earliest first."""
    seed = facts.seed
    times = [
        -math.log(1.0 - draw(seed, place)) / one.weight if one.weight > 0 else math.inf
        for place, one in enumerate(candidates)
    ]
    return [candidates[place] for place in sorted(range(len(candidates)), key=times.__getitem__)]


def reason(candidate: Deployment, facts: Facts) -> str:
    """Its weight."""
    return f"drawn with weight {candidate.weight:g}"
