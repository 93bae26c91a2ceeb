"""Planted drift, over many seeds: how many wrong answers get through before the mini's share falls."""

import random

import pytest

from wicket.minis.watch import LEVELS, Watched, check_share, checked, next_check, quality_at

QUALITY = 0.95
SHARE = 0.02  # the default of check_share
SEEDS = range(300)


def bad_until(level: int, wrong: float, seed: int, *, is_drawn: bool = False) -> int:
    """Wrong answers that callers got until the watch is at `level`, if a `wrong` share of the answers is.

    The floor does not help here: the wrong answers are as confident as the right ones.
    """
    source, state, num_bad = random.Random(seed), Watched(), 0
    credit = source.random()
    while state.level < level:
        is_bad = source.random() < wrong
        num_bad += is_bad
        share = check_share(state, SHARE)
        credit, is_due = next_check(credit, share)
        if is_drawn:
            is_due = source.random() < share
        if is_due:
            state = checked(state, not is_bad, quality_at(state.level, QUALITY))
    return num_bad


def test_a_mini_gone_wrong_altogether_is_caught_within_seventy_answers_whatever_the_seed() -> None:
    assert max(bad_until(1, 1.0, seed) for seed in SEEDS) <= 71
    assert max(bad_until(LEVELS, 1.0, seed) for seed in SEEDS) <= 101, "and is out after thirty more"


@pytest.mark.parametrize(("wrong", "most"), [(0.5, 0.99), (0.3, 0.95), (0.2, 0.90)])
def test_a_mini_gone_partly_wrong_is_caught_before_two_hundred_got_through(wrong: float, most: float) -> None:
    found = sorted(bad_until(1, wrong, seed) for seed in SEEDS)
    assert found[int(most * len(found)) - 1] < 200
    assert found[len(found) // 2] < 100


def test_drawing_the_checks_would_let_more_through() -> None:
    drawn = [bad_until(1, 1.0, seed, is_drawn=True) for seed in SEEDS]
    assert max(drawn) > 200 > max(bad_until(1, 1.0, seed) for seed in SEEDS)


def test_a_mini_that_is_as_good_as_it_must_be_is_rarely_suspected() -> None:
    """3 % wrong at a floor for 5 %, for 20,000 answers each, which is 400 checks and more."""
    num_alarms = 0
    for seed in range(100):
        source, state, credit = random.Random(seed), Watched(), 0.0
        for _ in range(20_000):
            credit, is_due = next_check(credit, check_share(state, SHARE))
            if is_due:
                state = checked(state, source.random() >= 0.03, quality_at(state.level, QUALITY))
        num_alarms += state.level > 0
    assert num_alarms <= 10


def test_checks_are_evenly_spaced_and_never_more_than_all() -> None:
    credit, due = 0.0, []
    for index in range(100):
        credit, is_due = next_check(credit, 0.25)
        if is_due:
            due.append(index)
    assert due == list(range(3, 100, 4))
    assert check_share(Watched(suspicion=1.0), 0.5) == 1.0
    assert next_check(0.3, 0.0) == (0.3, False)
