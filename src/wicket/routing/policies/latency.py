"""The quickest first word: of two drawn at random, the one whose first token is expected earlier.

The expectation is the peak-EWMA of its time to first token times its requests under way and one. Two random
choices keep a herd from running to one place (Mitzenmacher, "The power of two choices in randomized load
balancing", 2001). One that nothing is known of is tried when it is idle.
"""

from __future__ import annotations

from collections.abc import Sequence

from wicket.routing.chance import draw
from wicket.routing.deployment import Deployment
from wicket.routing.plan import Facts


def order(candidates: Sequence[Deployment], facts: Facts) -> Sequence[Deployment]:
    """Drawn two by two: the better of the two is next, the other stays."""
    left = list(zip(_waits(candidates, facts), range(len(candidates)), strict=True))
    ordered = []
    for turn in range(len(candidates)):
        first = int(draw(facts.seed, 2 * turn) * len(left))
        chosen = left[first]
        if len(left) > 1:
            second = (first + 1 + int(draw(facts.seed, 2 * turn + 1) * (len(left) - 1))) % len(left)
            chosen = min(chosen, left[second])
        left.remove(chosen)
        ordered.append(candidates[chosen[1]])
    return ordered


def _waits(candidates: Sequence[Deployment], facts: Facts) -> list[int]:
    """Microseconds until each would speak; the unknown are as slow as the slowest while they are tried."""
    health = facts.health
    if health is None:
        return [0] * len(candidates)
    firsts = [health.first_token_us(one, facts.now_us) for one in candidates]
    running = [health.num_running(one) for one in candidates]
    slowest = max(firsts, default=0) or 1
    return [
        (first or slowest) * (busy + 1) if first or busy else 0
        for first, busy in zip(firsts, running, strict=True)
    ]


def reason(candidate: Deployment, facts: Facts) -> str:
    """What is expected of it."""
    first = facts.health.first_token_us(candidate, facts.now_us) if facts.health is not None else 0
    if not first:
        return "first token unknown"
    busy = facts.health.num_running(candidate) if facts.health is not None else 0
    return f"first token in about {first * (busy + 1) // 1_000} ms ({busy} under way)"
