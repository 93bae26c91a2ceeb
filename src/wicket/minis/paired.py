"""Whether one model is better than another on the same cases, and how sure that is. Pure.

Both models answer the same cases, so the difference is taken case by case: what makes a case hard for both
falls out. Two views of the same data:

- `difference`: how much better, with an interval by the bootstrap over cases (Efron 1979): percentile, or
  bias-corrected and accelerated (BCa; Efron, JASA 82:171, 1987; Efron and Tibshirani 1993, chapter 14).
- `mcnemar`: how likely the cases that only one of the two got right are to be split so unevenly by chance:
  the exact binomial form of McNemar's test (McNemar, Psychometrika 12:153, 1947).

A share on its own has `confidence.interval` (Wilson).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

import msgspec

LEVEL = 0.95
RESAMPLES = 4_000
SEED = 1_979
_MIN_ACCELERATED = 3  # cases; with fewer there is no skewness to speak of
_NORMAL = NormalDist()


class Difference(msgspec.Struct, frozen=True):
    """The mean of the second less the mean of the first over `num` cases, with its interval."""

    mean: float
    low: float
    high: float
    num: int


class Discordance(msgspec.Struct, frozen=True):
    """Cases that only the first or only the second got right, and the two-sided p-value of that split."""

    only_first: int
    only_second: int
    p_value: float


Method = Literal["bca", "percentile"]


def difference(
    first: Sequence[float], second: Sequence[float], *, method: Method = "bca", resamples: int = RESAMPLES
) -> Difference:
    """How much better the second is than the first; both hold one score per case, in the same order.

    The random numbers are seeded: the same scores give the same interval. Without a case the mean is 0 and
    the interval everything from -1 to 1. Where all cases differ by the same amount, resampling can show no
    spread: the interval is that one number, and the caller has to say how few cases there were.
    """
    deltas = [b - a for a, b in zip(first, second, strict=True)]
    if not deltas:
        return Difference(0.0, -1.0, 1.0, 0)
    mean = math.fsum(deltas) / len(deltas)
    low, high = bootstrap(deltas, method=method, resamples=resamples)
    return Difference(mean, low, high, len(deltas))


def bootstrap(
    values: Sequence[float], *, method: Method = "bca", level: float = LEVEL, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The interval of the mean of `values` (at least one) by resampling them with replacement."""
    num = len(values)
    draw = random.Random(SEED)  # noqa: S311 - not a secret
    means = sorted(math.fsum(draw.choices(values, k=num)) / num for _ in range(resamples))
    tail = (1.0 - level) / 2.0
    tails = (tail, 1.0 - tail)
    if method == "bca" and num >= _MIN_ACCELERATED and means[0] < means[-1]:
        tails = _corrected(values, means, tail)
    return quantile(means, tails[0]), quantile(means, tails[1])


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> Discordance:
    """The exact test over cases that both answered; the p-value is 1 where the two never differ."""
    pairs = list(zip(first, second, strict=True))
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    return Discordance(only_first, only_second, sign_test(only_first, only_second))


def sign_test(one: int, other: int) -> float:
    """Two-sided p-value of a split `one` : `other` where both sides are equally likely."""
    num, few = one + other, min(one, other)
    ways, term = 0, 1
    for k in range(few + 1):
        ways += term
        term = term * (num - k) // (k + 1)
    return min(1.0, 2 * ways / (1 << num))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The `share` quantile (0 to 1) of values in ascending order, between neighbours in a straight line.

    Type 7 of Hyndman and Fan (American Statistician 50:361, 1996). NaN where there is no value.
    """
    if not ordered:
        return math.nan
    place = min(max(share, 0.0), 1.0) * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _corrected(values: Sequence[float], means: Sequence[float], tail: float) -> tuple[float, float]:
    """Which shares of the resampled means BCa takes instead of `tail` and 1 - `tail`.

    The bias counts ties half, since the mean of few right-or-wrong cases takes few values. For a mean, the
    jackknife's acceleration has a closed form in the values themselves.
    """
    num = len(values)
    mean = math.fsum(values) / num
    close = 1e-12 * max(1.0, abs(mean))
    below = sum(value < mean - close for value in means)
    tied = sum(abs(value - mean) <= close for value in means)
    share = (below + tied / 2) / len(means)
    bias = _NORMAL.inv_cdf(min(max(share, 0.5 / len(means)), 1 - 0.5 / len(means)))
    squares = math.fsum((value - mean) ** 2 for value in values)
    cubes = math.fsum((value - mean) ** 3 for value in values)
    acceleration = cubes / (6 * squares**1.5) if squares > 0 else 0.0

    def corrected(normal: float) -> float:
        moved = bias + normal
        return _NORMAL.cdf(bias + moved / (1 - acceleration * moved))

    return corrected(_NORMAL.inv_cdf(tail)), corrected(_NORMAL.inv_cdf(1 - tail))
