"""Draws against the distribution they should come from, and penalties against their definitions."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from wicket.engines.contract import Sampling
from wicket.engines.decoding.sampler import Sampler, logprob_of

LOGITS = np.log(np.array([0.5, 0.25, 0.125, 0.0625, 0.0625], dtype=np.float32))


def shares(sampling: Sampling, logits: NDArray[np.float32] = LOGITS, draws: int = 4000) -> dict[int, float]:
    sampler = Sampler(sampling, [])
    counted = Counter(sampler.draw(logits) for _ in range(draws))
    return {token: count / draws for token, count in counted.items()}


def test_greedy_takes_the_largest() -> None:
    assert Sampler(Sampling(temperature=0), []).draw(LOGITS) == 0


def test_draws_follow_the_distribution() -> None:
    got = shares(Sampling(seed=3))
    assert got == pytest.approx({0: 0.5, 1: 0.25, 2: 0.125, 3: 0.0625, 4: 0.0625}, abs=0.03)


def test_temperature_sharpens() -> None:
    weights = np.exp(LOGITS / 0.5)
    expected = dict(enumerate((weights / weights.sum()).tolist()))
    assert shares(Sampling(temperature=0.5, seed=3)) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("sampling", "left"),
    [
        (Sampling(top_k=2, seed=1), {0, 1}),
        (Sampling(top_k=1, seed=1), {0}),
        (Sampling(top_p=0.7, seed=1), {0, 1}),
        (Sampling(top_p=0.0, seed=1), {0}),
        (Sampling(min_p=0.2, seed=1), {0, 1, 2}),
        (Sampling(top_k=3, top_p=0.99, seed=1), {0, 1, 2}),
        (Sampling(top_k=99, top_p=0.76, seed=1), {0, 1, 2}),
    ],
)
def test_filters_leave_only_the_likely(sampling: Sampling, left: set[int]) -> None:
    got = shares(sampling)
    assert set(got) == left
    mass = sum(math.exp(LOGITS[token]) for token in left)
    assert got == pytest.approx({token: math.exp(LOGITS[token]) / mass for token in left}, abs=0.03)


@pytest.mark.parametrize("top_p", [0.3, 0.9, 0.999])
def test_top_p_over_a_wide_vocabulary_equals_a_full_sort(top_p: float) -> None:
    random = np.random.default_rng(0)
    logits = (random.standard_normal(5000) * 0.01).astype(np.float32)
    order = np.argsort(-logits, kind="stable")
    weights = np.exp(logits[order].astype(np.float64))
    kept = order[: int((np.cumsum(weights) - weights < top_p * weights.sum()).sum())]
    sampler = Sampler(Sampling(top_p=top_p, seed=5), [])
    assert {sampler.draw(logits) for _ in range(300)} <= set(kept.tolist())
    assert len(kept) > 1024 or top_p < 0.5


def test_a_seed_repeats_and_another_differs() -> None:
    flat = np.zeros(1000, dtype=np.float32)
    runs = []
    for seed in (1, 1, 2):
        sampler = Sampler(Sampling(seed=seed), [])
        runs.append([sampler.draw(flat) for _ in range(10)])
    assert runs[0] == runs[1] != runs[2]


def test_penalties() -> None:
    logits = np.array([2.0, 1.9, -1.0, 0.0], dtype=np.float32)
    repeated = Sampler(Sampling(temperature=0, repetition_penalty=2.0), [0])
    assert repeated.draw(logits) == 1
    # The prompt does not count for these two.
    assert Sampler(Sampling(temperature=0, presence_penalty=1.0), [0]).draw(logits) == 0
    for sampling in (
        Sampling(temperature=0, presence_penalty=0.2),
        Sampling(temperature=0, frequency_penalty=0.2),
    ):
        sampler = Sampler(sampling, [])
        sampler.note(0)
        assert sampler.draw(logits) == 1
    sampler = Sampler(Sampling(temperature=0, frequency_penalty=0.03), [])
    drawn = []
    for _ in range(6):
        drawn.append(sampler.draw(logits))
        sampler.note(drawn[-1])
    assert drawn == [0, 0, 0, 0, 1, 0]


def test_bias_and_constraint() -> None:
    assert Sampler(Sampling(temperature=0, logit_bias={3: 100.0, 9999: 1.0}), []).draw(LOGITS) == 3
    allowed = np.array([False, False, True, True, False])
    assert Sampler(Sampling(temperature=0), []).draw(LOGITS, allowed) == 2
    sampler = Sampler(Sampling(seed=1), [])
    assert {sampler.draw(LOGITS, allowed) for _ in range(100)} == {2, 3}
    assert LOGITS.max() == pytest.approx(math.log(0.5))


def test_logprobs_are_the_models_own() -> None:
    got = logprob_of(LOGITS + 5, 2, 3)
    assert got.logprob == pytest.approx(math.log(0.125), abs=1e-5)
    assert [token for token, _ in got.top] == [0, 1, 2]
    assert [value for _, value in got.top] == pytest.approx(
        [math.log(p) for p in (0.5, 0.25, 0.125)], abs=1e-5
    )
    assert logprob_of(LOGITS, 0, 0).top == []
