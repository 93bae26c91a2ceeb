"""From evidence to confidence, and from a quality floor to the confidence that meets it."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.minis.confidence import (
    EVIDENCE,
    NEVER,
    Calibration,
    Point,
    at_floor,
    confidence,
    evidence,
    floor_for_quality,
    floor_for_share,
    interval,
    points_of,
)

OUTCOMES = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=200)


def made_of(outcomes: list[tuple[int, bool]]) -> Calibration:
    claimed, right = [value / 20 for value, _ in outcomes], [is_right for _, is_right in outcomes]
    return Calibration(num_validated=len(outcomes), points=points_of(claimed, right))


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.integers(1, 4)), min_size=1, max_size=60))
def test_an_answer_of_weight_three_counts_like_three(outcomes: list[tuple[int, bool, int]]) -> None:
    repeated = [(value, right) for value, right, times in outcomes for _ in range(times)]
    weighted = points_of(
        [value / 20 for value, _, _ in outcomes],
        [right for _, right, _ in outcomes],
        [float(times) for _, _, times in outcomes],
    )
    assert weighted == made_of(repeated).points


def test_parts_of_answers_are_rounded_against_the_mini() -> None:
    found = points_of([0.9, 0.8, 0.7], [True, False, False], [1.0, 0.1, 0.1])
    assert found == [Point(0.9, 1, 1), Point(0.8, 2, 1), Point(0.7, 2, 1)]
    assert points_of([0.9], [True], [0.5]) == [Point(0.9, 0, 0)]
    tenths = points_of([0.9] * 10, [False] * 10, [0.1] * 10)
    assert tenths == [Point(0.9, 1, 0)], "ten tenths are one, whatever floats make of them"


def test_evidence_has_a_value_for_each_name() -> None:
    seen = evidence([-0.1, -0.3], -9.0)
    assert len(seen) == len(EVIDENCE)
    assert seen == pytest.approx([-0.4, -0.2, -0.3, math.log(2), -9.0])
    assert evidence([], 0.0) == [0.0, 0.0, 0.0, 0.0, 0.0]


def test_confidence_is_the_logistic_of_standardised_evidence() -> None:
    calibration = Calibration([1.0, 0.0], [2.0, 1.0], [3.0, -1.0], 0.5)
    assert confidence(calibration, [2.0, 1.0]) == pytest.approx(1 / (1 + math.exp(-(0.5 + 1.5 - 1.0))))
    assert 0.0 < confidence(calibration, [-1e9, 1e9]) < 1e-9
    assert 1.0 - 1e-9 < confidence(calibration, [1e9, -1e9]) <= 1.0


@settings(deadline=None)
@given(OUTCOMES)
def test_points_count_what_each_floor_takes(outcomes: list[tuple[int, bool]]) -> None:
    for point in made_of(outcomes).points:
        taken = [right for value, right in outcomes if value / 20 >= point.floor]
        assert (point.num_taken, point.num_right) == (len(taken), sum(taken))


@settings(deadline=None)
@given(OUTCOMES, st.floats(0.5, 1.0))
def test_the_floor_is_the_lowest_that_keeps_the_quality(
    outcomes: list[tuple[int, bool]], quality: float
) -> None:
    calibration = made_of(outcomes)
    floor = floor_for_quality(calibration, quality)

    def keeps(point: Point) -> bool:
        return interval(point.num_right, point.num_taken)[0] >= quality

    good = [point.floor for point in calibration.points if keeps(point)]
    assert floor == min(good, default=NEVER)
    if floor < NEVER:
        point = at_floor(calibration, floor)
        assert point.num_right >= quality * point.num_taken


@settings(deadline=None)
@given(OUTCOMES, st.floats(0.0, 1.0))
def test_the_share_asked_for_is_taken(outcomes: list[tuple[int, bool]], share: float) -> None:
    calibration = made_of(outcomes)
    point = at_floor(calibration, floor_for_share(calibration, share))
    assert point.num_taken >= share * len(outcomes) - 1e-9


def test_no_finite_sample_proves_certainty() -> None:
    calibration = made_of([(20, True)] * 5_000)
    assert floor_for_quality(calibration, 1.0) == NEVER
    assert floor_for_quality(calibration, 0.99) == 1.0
    assert floor_for_quality(Calibration(), 0.5) == NEVER


def test_what_is_unknown_takes_nothing() -> None:
    assert at_floor(made_of([(10, True)] * 20), NEVER) == Point(NEVER, 0, 0)


@pytest.mark.parametrize(
    ("right", "num", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_wilsons_interval(right: int, num: int, low: float, high: float) -> None:
    """The first row is Newcombe's own example (Statistics in Medicine 17:857, 1998)."""
    assert interval(right, num) == pytest.approx((low, high), abs=2e-4)


def test_the_floor_keeps_its_promise_nearly_always() -> None:
    """Of many slices of one world, few give a floor whose true precision is below the quality."""
    chance = random.Random(5)
    broken_promises = 0
    for _ in range(300):
        drawn = [(value := chance.random(), chance.random() < value**0.25) for _ in range(400)]
        calibration = Calibration(num_validated=400, points=points_of(*zip(*drawn, strict=True)))
        floor = floor_for_quality(calibration, 0.93)
        if floor < 1:  # the mean of value**0.25 above the floor
            true = 0.8 * (1 - floor**1.25) / (1 - floor)
            broken_promises += true < 0.93 - 0.01
    assert broken_promises <= 12
