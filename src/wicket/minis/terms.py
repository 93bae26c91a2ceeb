"""What a cascade's mini may do now: from its card, the route's aim and the watch to one floor. Pure.

The operator gives an aim, never a threshold: the quality that a mini's answers must have, or what the others
may cost a day. Quality is met by calibration alone. A budget is met by the share of requests that the mini
must take, and that share decides the floor (see `budget.py`); while the share is not known, and after an
alarm, quality goes first.
"""

from __future__ import annotations

import msgspec

from wicket.minis.answers import AnswerShape
from wicket.minis.budget import Demand, share_needed
from wicket.minis.confidence import (
    NEVER,
    Calibration,
    at_floor,
    floor_for_quality,
    floor_for_share,
    interval,
)
from wicket.minis.watch import LEVELS, quality_at

LEAST_EXPECTED, MOST_EXPECTED = 0.5, 0.99  # what a budget's floor is taken to be worth, whatever was seen


class CascadeTerms(msgspec.Struct, array_like=True, frozen=True):
    """One cascade now: the least confidence at which the mini's answer is taken, and how many are checked.

    `floor` above 1: the mini is not asked. `check_share` (0 to 1) of the answers taken are asked of the next
    deployment as well, behind the caller's back, to see whether it says the same, judged by `shape`.
    `run` is the mini's.
    """

    floor: float
    check_share: float = 0.0
    shape: AnswerShape = AnswerShape()
    run: str = ""


class Aim(msgspec.Struct, frozen=True):
    """What the operator wants of a cascade: one of the two. `budget_nanos` is nano-USD a day."""

    quality: float | None = None
    budget_nanos: int | None = None


def floor_of(calibration: Calibration, aim: Aim, level: int, demand: Demand | None) -> float:
    """The floor now, at a level of the watch; `demand` is None while nothing is known of it."""
    if not calibration.points or level >= LEVELS:
        return NEVER
    if aim.quality is not None:
        return floor_for_quality(calibration, quality_at(level, aim.quality))
    floor = _budget_floor(calibration, aim, demand)
    if level == 0:
        return floor
    return max(floor, floor_for_quality(calibration, quality_at(level, _worth(calibration, floor))))


def quality_of(calibration: Calibration, aim: Aim, level: int, demand: Demand | None) -> float:
    """The quality that the answers taken now are held to: what the watch measures them by."""
    if aim.quality is not None:
        return quality_at(level, aim.quality)
    return quality_at(level, _worth(calibration, _budget_floor(calibration, aim, demand)))


def _budget_floor(calibration: Calibration, aim: Aim, demand: Demand | None) -> float:
    if demand is None:
        return strictest_floor(calibration)
    share = share_needed(demand, aim.budget_nanos or 0)
    return floor_for_share(calibration, share) if share > 0 else strictest_floor(calibration)


def strictest_floor(calibration: Calibration) -> float:
    """The floor whose precision is known to be the highest: at the lower end of its interval."""
    best, floor = 0.0, NEVER
    for point in calibration.points:
        least = interval(point.num_right, point.num_taken)[0]
        if least > best:
            best, floor = least, point.floor
    return floor


def _worth(calibration: Calibration, floor: float) -> float:
    point = at_floor(calibration, floor)
    seen = point.num_right / point.num_taken if point.num_taken else MOST_EXPECTED
    return min(MOST_EXPECTED, max(LEAST_EXPECTED, seen))
