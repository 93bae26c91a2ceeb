from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.record import Usage
from wicket.accounts.token_rates import TokenRates, estimated_usage


def test_four_bytes_a_token_until_something_is_known() -> None:
    rates = TokenRates()
    assert rates.estimate("m", 400) == 100
    assert rates.estimate("m", 401) == 101
    rates.learn("m", 0, 10)
    rates.learn("m", 10, 0)
    assert rates.estimate("m", 400) == 100


@given(st.integers(1, 10_000), st.lists(st.integers(1, 100_000), min_size=1, max_size=50))
def test_a_steady_rate_is_learned(bytes_per_token: int, reports: list[int]) -> None:
    rates = TokenRates()
    for num_tokens in reports:
        rates.learn("m", num_tokens * bytes_per_token, num_tokens)
    estimate = rates.estimate("m", 1_000 * bytes_per_token)
    # the floor of each decay step may lose up to one part in the running sum
    assert abs(estimate - 1_000) <= 1_000 * 40 // min(reports) + 1


def test_new_reports_outweigh_old_ones() -> None:
    rates = TokenRates()
    for _ in range(500):
        rates.learn("m", 800, 100)
    for _ in range(500):
        rates.learn("m", 200, 100)
    assert rates.estimate("m", 1_000) == pytest.approx(500, abs=2)


def test_models_learn_apart_and_make_room() -> None:
    rates = TokenRates()
    rates.learn("first", 100, 100)
    for number in range(4_096):
        rates.learn(str(number), 200, 100)
    assert rates.estimate("first", 100) == 25
    assert rates.estimate("4095", 100) == 50


def test_estimated_usage_says_so() -> None:
    inputs, outputs = TokenRates(), TokenRates()
    outputs.learn("m", 20, 10)
    assert estimated_usage(inputs, outputs, "m", (40, 40)) == Usage(10, 20, is_estimated=True)


def test_the_nearest_number_leans_to_neither_side() -> None:
    rates = TokenRates()
    rates.learn("m", 100, 10)
    assert [rates.nearest("m", size) for size in (0, 4, 5, 14, 15, 24, 25)] == [0, 0, 1, 1, 2, 2, 3]
    assert [rates.estimate("m", size) for size in (0, 4, 5, 14)] == [0, 1, 1, 2]
    assert rates.nearest("m", 10**30) == 10**29 and rates.nearest("unknown", 8) == 2
