"""Whether a mini still is as good as it was, by checking some of its confident answers. Pure.

Page's cumulative sum (Biometrika 41:100, 1954) over the checks: agreements lower it a little, disagreements
raise it much; beyond a bound the mini is worse than its quality floor and its share goes down a level. While
the sum is above zero, and after an alarm, more answers are checked, so that a suspicion is settled within few
answers.

Which answers are checked is not drawn: they are evenly spaced (every fiftieth for a share of 2 %). A mini
that has gone wrong altogether is then caught within a known number of answers (70, after which its share
falls); were they drawn, it could be 300 (`tests/unit/minis/test_drift.py`).
"""

from __future__ import annotations

import math

import msgspec

ALARM = 4.0  # in nats: about three disagreements in a row
SUSPICIOUS_FACTOR = 5  # so many times more checks while there is a suspicion
LEVELS = 2  # 0: as calibrated; 1: the stricter floor; 2: the mini answers nothing
WORSE = 4  # "worse" means so many times as many wrong answers as the quality floor allows


class Watched(msgspec.Struct, frozen=True):
    """The state of one route's watch. Counts are since the mini was put in place."""

    level: int = 0
    suspicion: float = 0.0
    num_checked: int = 0
    num_agreed: int = 0
    num_alarms: int = 0


def checked(state: Watched, agreed: bool, quality: float) -> Watched:
    """The state after one more check of an answer that was taken at `quality`."""
    allowed = min(max(1.0 - quality, 0.005), 0.5)
    worse = min(0.9, WORSE * allowed)
    step = math.log((1 - worse) / (1 - allowed)) if agreed else math.log(worse / allowed)
    suspicion = max(0.0, state.suspicion + step)
    is_alarm = suspicion >= ALARM and state.level < LEVELS
    return Watched(
        level=state.level + is_alarm,
        suspicion=0.0 if is_alarm else suspicion,
        num_checked=state.num_checked + 1,
        num_agreed=state.num_agreed + agreed,
        num_alarms=state.num_alarms + is_alarm,
    )


def quality_at(level: int, quality: float) -> float:
    """The quality floor of a level: half as many wrong answers each; above 1 it is never met."""
    return 2.0 if level >= LEVELS else 1.0 - (1.0 - quality) / 2**level


def check_share(state: Watched, share: float) -> float:
    """The share of confident answers to check now."""
    return min(1.0, share * SUSPICIOUS_FACTOR) if state.suspicion > 0 or state.level > 0 else share


def next_check(credit: float, share: float) -> tuple[float, bool]:
    """Whether the next answer is checked, and the credit from then on: a check is due at a credit of 1."""
    credit += share
    return (credit - 1.0, True) if credit >= 1.0 else (credit, False)
