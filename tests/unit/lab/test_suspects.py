import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.lab.logged import examples_of, intents, poisoned, samples_of, slots, small_talk
from wicket.lab.curate import curate
from wicket.lab.suspects import LEAST_LOSSES, by_loss, by_words


def heaps(num_right: int, num_wrong: int, gap: float, seed: int = 0) -> list[float]:
    """Losses as a half-trained model has them: right answers low, wrong ones high, both spread out."""
    draw = np.random.default_rng(seed)
    right = np.exp(draw.normal(-2.0, 0.7, num_right))
    return [*right.tolist(), *np.exp(draw.normal(-2.0 + gap, 0.5, num_wrong)).tolist()]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_wrong_answers_are_found_by_their_losses(share: float) -> None:
    num_wrong = int(2000 * share)
    found = by_loss(heaps(2000 - num_wrong, num_wrong, 3.5))
    wrong = set(range(2000 - num_wrong, 2000))
    assert len(wrong & set(found.places)) >= 0.85 * num_wrong
    assert len(set(found.places) - wrong) <= 0.02 * 2000
    assert found.rule == "two_heaps" and found.threshold > 0
    assert found.share == len(found.places) / 2000


def test_one_heap_has_next_to_no_suspects() -> None:
    for seed in range(5):
        found = by_loss(heaps(2000, 0, 0, seed))
        assert found.share <= 0.02


def test_a_hard_task_is_not_all_suspects() -> None:
    found = by_loss(heaps(1000, 1000, 4.0))
    assert found.share <= 0.02


def test_few_losses_show_nothing_and_no_numbers_are_suspects_in_any_case() -> None:
    assert by_loss([0.1] * (LEAST_LOSSES - 2) + [9.0]).places == ()
    found = by_loss([0.1, math.nan, 0.2, math.inf])
    assert found.places == (1, 3) and by_loss([]).places == ()


def test_equal_losses_have_no_suspects_and_one_far_out_is_one() -> None:
    assert by_loss([0.5] * 100).places == ()
    assert by_loss([0.5] * 100 + [40.0]).places == (100,)


@given(st.lists(st.floats(0, 100), min_size=LEAST_LOSSES, max_size=120), st.randoms())
def test_suspects_are_above_the_threshold_in_every_order(losses: list[float], draw: random.Random) -> None:
    found = by_loss(losses)
    assert set(found.places) == {place for place, loss in enumerate(losses) if loss > found.threshold}
    order = draw.sample(range(len(losses)), len(losses))
    again = by_loss([losses[place] for place in order])
    assert math.isclose(again.threshold, found.threshold, rel_tol=1e-3) or again.share == found.share


@pytest.mark.parametrize(("poison", "least"), [("other", 0.7), ("hacked", 0.4), ("empty", 0.4)])
def test_wrong_labels_are_found_by_the_words_of_other_requests(poison: str, least: float) -> None:
    mixed, bad = poisoned(intents(), poison)
    found = curate(examples_of(samples_of(mixed)))
    left = {sample.id for sample in found.samples} & bad
    assert len(left) >= 0.9 * len(bad)  # rules alone see nothing in them
    suspects = by_words(found.samples, "label")
    flagged = {found.samples[place].id for place in suspects.places}
    assert len(flagged & left) >= least * len(left)
    assert len(flagged - left) <= 0.03 * len(found.samples)


def test_clean_labels_have_few_suspects_and_texts_none() -> None:
    assert by_words(samples_of(intents()), "label").share <= 0.03
    assert by_words(samples_of(slots()), "json").share <= 0.06
    assert by_words(samples_of(small_talk(200)), "text").places == ()
    assert by_words(samples_of(intents()[:20]), "label").places == ()


def test_suspects_do_not_depend_on_the_order() -> None:
    samples = samples_of(poisoned(intents(), "other")[0])
    shuffled = random.Random(6).sample(samples, len(samples))
    one = {samples[place].id for place in by_words(samples, "label").places}
    assert one == {shuffled[place].id for place in by_words(shuffled, "label").places} != set()
