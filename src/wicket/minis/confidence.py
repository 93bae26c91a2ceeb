"""How sure a mini is of its answer, and which confidence a quality floor asks for. Pure.

Evidence becomes a probability by logistic regression (Platt 1999), fitted on a validation slice that the mini
was not trained on. On the same slice, for every confidence that could be a floor, it is counted how many
answers would be taken and how many of them are right. A quality floor is met by the lowest confidence whose
precision is at least the floor, not as seen but at the lower end of its interval (Wilson 1927).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

EVIDENCE = ("total", "mean", "least", "length", "familiarity")
LABEL_EVIDENCE = (
    "logprob",
    "margin",
    "order",
    "similarity",
    "familiarity",
)  # as many, so that cards are alike
NEVER = 2.0  # a floor that no confidence reaches
_EPSILON = 1e-6  # sums of weights are floats
Z_95 = 1.9600  # the normal quantile of a two-sided interval of 95 %


class Point(msgspec.Struct, frozen=True, array_like=True):
    """With this floor, so many validation answers are taken, and so many of them are right."""

    floor: float
    num_taken: int
    num_right: int


class Calibration(msgspec.Struct, frozen=True):
    """`weights` apply to evidence brought to mean 0 and deviation 1; `points` go from the strictest floor.

    Where strangers were counted in, at a stated share, they are in `num_validated` and in `points`.
    """

    means: list[float] = []
    deviations: list[float] = []
    weights: list[float] = []
    bias: float = 0.0
    num_validated: int = 0
    points: list[Point] = []


def evidence(logprobs: Sequence[float], familiarity: float) -> list[float]:
    """What the model itself says of an answer: `EVIDENCE` in this order.

    `logprobs` are natural logs of the probability of each token of the answer, its end included;
    `familiarity` says how like the training requests this one is (see `familiarity.py`).
    """
    total = sum(logprobs)
    count = max(1, len(logprobs))
    return [total, total / count, min(logprobs, default=0.0), math.log(count), familiarity]


def label_evidence(
    logprob: float, margin: float, entropy: float, similarity: float, familiarity: float
) -> list[float]:
    """What a classifier says of its best label: `LABEL_EVIDENCE` in this order.

    `logprob` is the natural log of the label's probability, `margin` how far it is above the second's,
    `entropy` that of all labels in nats, `similarity` the cosine to the mean of its training requests.
    """
    return [logprob, margin, -entropy, similarity, familiarity]


def confidence(calibration: Calibration, seen: Sequence[float]) -> float:
    """The probability that the answer is right, 0 to 1."""
    score = calibration.bias
    for value, mean, deviation, weight in zip(
        seen, calibration.means, calibration.deviations, calibration.weights, strict=True
    ):
        score += weight * (value - mean) / deviation
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))


def points_of(
    confidences: Sequence[float], is_right: Sequence[bool], weights: Sequence[float] = ()
) -> list[Point]:
    """The counts for every floor that makes a difference, the strictest first.

    `weights` say how often each answer counts (once each, if left out). Counts are rounded against the mini:
    what is wrong up, what is right down.
    """
    counts = weights or [1.0] * len(confidences)
    ordered = sorted(zip(confidences, is_right, counts, strict=True), key=lambda each: -each[0])
    points: list[Point] = []
    right, wrong = 0.0, 0.0
    for index, (value, is_so, weight) in enumerate(ordered, 1):
        right, wrong = (right + weight, wrong) if is_so else (right, wrong + weight)
        if index == len(ordered) or ordered[index][0] < value:
            num_right = math.floor(right + _EPSILON)
            points.append(Point(value, num_right + math.ceil(wrong - _EPSILON), num_right))
    return points


def floor_for_quality(calibration: Calibration, quality: float) -> float:
    """The lowest confidence at which precision is at least `quality`; `NEVER` if none is known to be."""
    best = NEVER
    for point in calibration.points:
        if interval(point.num_right, point.num_taken)[0] >= quality:
            best = point.floor
    return best


def floor_for_share(calibration: Calibration, share: float) -> float:
    """The highest confidence at which at least `share` of all requests are taken."""
    wanted = share * calibration.num_validated
    for point in calibration.points:
        if point.num_taken >= wanted:
            return point.floor
    return 0.0


def at_floor(calibration: Calibration, floor: float) -> Point:
    """What validation says of a floor."""
    found = Point(floor, 0, 0)
    for point in calibration.points:
        if point.floor >= floor:
            found = point
    return found


def interval(num_right: int, num: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson, JASA 22:209, 1927)."""
    if num == 0:
        return 0.0, 1.0
    share, square = num_right / num, z * z
    middle = share + square / (2 * num)
    spread = z * math.sqrt(share * (1 - share) / num + square / (4 * num * num))
    return max(0.0, (middle - spread) / (1 + square / num)), min(1.0, (middle + spread) / (1 + square / num))
