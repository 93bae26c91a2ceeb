"""Paired statistics against independent computations: whole enumeration, numpy, the binomial by fractions."""

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest

from wicket.minis.paired import (
    RESAMPLES,
    bootstrap,
    difference,
    mcnemar,
    quantile,
    sign_test,
)


def all_means(values: list[float]) -> list[float]:
    """The bootstrap distribution itself: every resample, each as likely as any other."""
    return sorted(sum(chosen) / len(values) for chosen in itertools.product(values, repeat=len(values)))


@pytest.mark.parametrize("values", [[0.0, 1.0, 1.0, -1.0, 0.5], [1.0, 2.5, 0.25, 7.0, 3.0, 3.5]])
def test_percentiles_are_those_of_every_resample(values: list[float]) -> None:
    exact = all_means(values)
    low, high = bootstrap(values, method="percentile", resamples=40_000)
    for found, share in ((low, 0.025), (high, 0.975)):
        # within what 40,000 draws can be off by in the share: five standard errors
        off = 5 * math.sqrt(share * (1 - share) / 40_000)
        assert quantile(exact, share - off) <= found <= quantile(exact, share + off)


def test_bca_agrees_with_a_plain_numpy_one() -> None:
    draw = np.random.default_rng(3)
    values = draw.exponential(size=40)
    means = draw.choice(values, size=(60_000, 40)).mean(axis=1)
    left_out = np.array([np.delete(values, index).mean() for index in range(40)])
    spread = left_out.mean() - left_out
    acceleration = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    normal = __import__("statistics").NormalDist()
    bias = normal.inv_cdf(float((means < values.mean()).mean()))
    ends = []
    for share in (0.025, 0.975):
        moved = bias + normal.inv_cdf(share)
        ends.append(float(np.quantile(means, normal.cdf(bias + moved / (1 - acceleration * moved)))))
    assert bootstrap(values.tolist(), resamples=30_000) == pytest.approx(ends, abs=0.02)
    plain = bootstrap(values.tolist(), method="percentile", resamples=30_000)
    assert plain[1] < ends[1] and plain[0] < ends[0]  # skewed to the right: both ends move up


def test_the_interval_covers_as_often_as_it_says() -> None:
    draw = random.Random(11)
    covered = 0
    for _ in range(200):
        deltas = draw.choices([-1.0, 0.0, 1.0], [0.1, 0.6, 0.3], k=60)
        low, high = bootstrap(deltas, resamples=400)
        covered += low <= 0.2 <= high
    assert 0.89 <= covered / 200 <= 0.99


def test_a_difference_is_that_of_the_second_and_repeats_itself() -> None:
    first, second = [1.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0]
    found = difference(first, second)
    assert (found.mean, found.num) == (0.4, 5) and found.low <= 0.4 <= found.high
    assert difference(first, second) == found
    turned = difference(second, first)
    assert turned.mean == -0.4 and turned.low == pytest.approx(-found.high, abs=0.21)
    assert difference([], []) == difference([], []) and difference([], []).num == 0
    same = difference([1.0] * 9, [1.0] * 9)
    assert (same.mean, same.low, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="zip"):
        difference([1.0], [])


def exact_p(one: int, other: int) -> Fraction:
    """Twice the smaller tail, by the binomial's definition."""
    num = one + other
    tail = sum(Fraction(math.comb(num, k), 2**num) for k in range(min(one, other) + 1))
    return min(Fraction(1), 2 * tail)


def test_the_sign_test_is_the_binomial() -> None:
    for one, other in itertools.product(range(12), repeat=2):
        assert sign_test(one, other) == pytest.approx(float(exact_p(one, other)), rel=1e-12)
    assert sign_test(0, 0) == 1.0 and sign_test(5, 0) == 0.0625
    assert 0 < sign_test(900, 1_100) < 1e-5 and sign_test(0, 5_000) == 0.0  # below the least float
    for coins in range(1, 9):  # by flipping all coins
        flips = list(itertools.product((0, 1), repeat=coins))
        few = min(coins, 2)
        as_uneven = sum(abs(sum(flip) - coins / 2) >= abs(few - coins / 2) for flip in flips)
        assert sign_test(few, coins - few) == pytest.approx(as_uneven / len(flips))


def test_mcnemar_counts_only_where_they_differ() -> None:
    found = mcnemar([True] * 8 + [False] * 4, [True] * 2 + [False] * 6 + [True] + [False] * 3)
    assert (found.only_first, found.only_second) == (6, 1)
    assert found.p_value == pytest.approx(2 * (1 + 7) / 128)


def test_quantiles_are_numpys() -> None:
    draw = random.Random(5)
    for num in (1, 2, 3, 10, 101):
        values = sorted(draw.gauss(0, 1) for _ in range(num))
        for share in (0.0, 0.05, 0.5, 0.95, 1.0):
            assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)))
    assert math.isnan(quantile([], 0.5)) and RESAMPLES >= 1_000
