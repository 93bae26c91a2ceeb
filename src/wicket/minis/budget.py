"""Which share of the requests a mini must take so that the others stay within a day's budget. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

DAY_MS = 86_400_000
LEAST_ELAPSED = 1 / 24  # of a day that must have passed before its own pace counts


class Spent(msgspec.Struct, frozen=True):
    """What one UTC day asked of a route: requests answered, those the others answered, and their cost."""

    num_requests: int = 0
    num_large: int = 0
    large_nanos: int = 0


class Demand(msgspec.Struct, frozen=True):
    """What is to be expected: requests a day, nano-USD for one at the others, and how today stands.

    `day_left` is the share of the UTC day that is still to come.
    """

    requests_per_day: float
    nanos_per_request: float
    spent_nanos: int
    day_left: float


def demand_of(yesterday: Spent, today: Spent, now_ms: int) -> Demand | None:
    """What the last two days say; None while they don't say enough.

    The busier of yesterday and today's pace counts, so that a growing traffic is met in time.
    """
    elapsed = now_ms % DAY_MS / DAY_MS
    pace = today.num_requests / elapsed if elapsed >= LEAST_ELAPSED else 0.0
    per_day = max(float(yesterday.num_requests), pace)
    num_large = yesterday.num_large + today.num_large
    nanos = yesterday.large_nanos + today.large_nanos
    if per_day <= 0 or num_large == 0 or nanos <= 0:
        return None
    return Demand(per_day, nanos / num_large, today.large_nanos, 1.0 - elapsed)


def share_needed(demand: Demand, budget_nanos: int) -> float:
    """The share of the requests still to come today that the mini must take: 0 to 1."""
    left = budget_nanos - demand.spent_nanos
    if left <= 0:
        return 1.0
    wanted = demand.requests_per_day * demand.day_left * demand.nanos_per_request
    return max(0.0, 1.0 - left / wanted) if wanted > 0 else 0.0


def summed(days: Sequence[Spent]) -> Spent:
    """Several days, or parts of one, as one."""
    return Spent(
        sum(day.num_requests for day in days),
        sum(day.num_large for day in days),
        sum(day.large_nanos for day in days),
    )
