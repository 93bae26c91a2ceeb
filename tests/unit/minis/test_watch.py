"""The watch over a mini's answers: quiet while it keeps its promise, quick when it does not."""

import random

from wicket.minis.watch import LEVELS, Watched, check_share, checked, quality_at


def run(precision: float, quality: float, num: int, seed: int) -> tuple[Watched, int]:
    """The state after checks of a mini of this precision, and at which check the first alarm came (0: none)."""
    chance, state, first = random.Random(seed), Watched(), 0
    for number in range(1, num + 1):
        state = checked(state, chance.random() < precision, quality)
        if state.num_alarms and not first:
            first = number
    return state, first


def test_a_mini_that_keeps_its_promise_is_left_alone() -> None:
    alarms = sum(run(0.97, 0.95, 400, seed)[0].num_alarms > 0 for seed in range(200))
    assert alarms <= 14  # of 200 minis, each checked as often as 20,000 answers would be at 2 %


def test_a_mini_that_fails_is_found_within_few_checks() -> None:
    for seed in range(100):
        state, first = run(0.2, 0.95, 40, seed)
        assert 0 < first <= 12 and state.level == LEVELS


def test_a_level_asks_for_half_as_many_wrong_answers() -> None:
    assert quality_at(0, 0.9) == 0.9
    assert abs(quality_at(1, 0.9) - 0.95) < 1e-9
    assert quality_at(LEVELS, 0.9) > 1.0


def test_suspicion_means_more_checks() -> None:
    calm = Watched()
    assert check_share(calm, 0.02) == 0.02
    assert check_share(checked(calm, False, 0.95), 0.02) == 0.1
    assert check_share(checked(calm, False, 0.95), 0.5) == 1.0


def test_counts_are_kept() -> None:
    state = checked(checked(Watched(), True, 0.95), False, 0.95)
    assert (state.num_checked, state.num_agreed) == (2, 1)
