import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.lab.logged import intents, slots
from wicket.lab.shingles import clusters, jaccard, near_pairs, shingles, words

WORDS = st.lists(st.sampled_from([f"w{n}" for n in range(40)]), min_size=1, max_size=30).map(" ".join)


def grams(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + 3]) for at in range(max(1, len(found) - 2))}


def plain_jaccard(one: str, other: str) -> float:
    return len(grams(one) & grams(other)) / len(grams(one) | grams(other))


def compared(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    """All near pairs, by comparing all with all."""
    sets = [grams(text) for text in texts]
    found = set()
    for one in range(len(texts)):
        for other in range(one + 1, len(texts)):
            shared = len(sets[one] & sets[other])
            if shared >= threshold * (len(sets[one]) + len(sets[other]) - shared):
                found.add((one, other))
    return found


def edited(draw: random.Random, text: str, num: int) -> str:
    found = text.split()
    for _ in range(num):
        found[draw.randrange(len(found))] = f"edit{draw.randrange(1000)}"
    return " ".join(found)


@given(st.lists(WORDS, min_size=2, max_size=8))
def test_similarity_is_exact(texts: list[str]) -> None:
    pairs = np.array([(one, other) for one in range(len(texts)) for other in range(len(texts))])
    found = jaccard(shingles(texts), pairs)
    expected = [plain_jaccard(texts[one], texts[other]) for one, other in pairs]
    assert np.allclose(found, expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.7, 0.8, 0.9]))
def test_near_pairs_are_those_that_comparing_all_with_all_finds(seed: int, threshold: float) -> None:
    draw = random.Random(seed)
    vocabulary = [f"w{n}" for n in range(300)]
    texts = []
    for _ in range(25):
        text = " ".join(draw.choices(vocabulary, k=draw.randint(15, 80)))
        texts += [text, *(edited(draw, text, draw.randint(1, 4)) for _ in range(3))]
    found = near_pairs(shingles(texts), threshold)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    expected = {pair for pair in compared(texts, threshold) if grams(texts[pair[0]]) != grams(texts[pair[1]])}
    assert all(plain_jaccard(texts[one], texts[other]) >= threshold for one, other in pairs)
    allowed = 0.06 if threshold < 0.8 else 0.01  # of pairs right at the threshold some are missed
    assert len(expected - pairs) <= allowed * len(expected)


def test_real_requests_are_paired_as_comparing_all_with_all_does() -> None:
    texts = sorted({" ".join(words(text)) for text, _ in [*slots(), *intents()]})
    found = near_pairs(shingles(texts), 0.8)
    expected = compared(texts, 0.8)
    assert len(expected) > 5
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == expected


def test_case_and_punctuation_do_not_count_and_scripts_without_blanks_do() -> None:
    assert words("A Table, for TWO!") == ["a", "table", "for", "two"]
    assert words("予約したい") == list("予約したい")
    assert words("?!") == ["?!"] and words("") == [""]
    found = near_pairs(shingles(["A table for two.", "a table for two", "no table for six", ""]), 0.9)
    assert found.first.tolist() == [0] and found.second.tolist() == [1]
    near = near_pairs(
        shingles(["明日の夜七時に二人で予約したいのですが", "明日の夜七時に二人で予約したいのですか"]), 0.8
    )
    assert near.first.tolist() == [0]


def test_a_thousand_equal_texts_come_together_by_few_pairs() -> None:
    texts = ["the very same request"] * 1000 + ["another one altogether"]
    found = near_pairs(shingles(texts), 0.8)
    assert len(found.first) == 999
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert clusters(len(texts), pairs) == [0] * 1000 + [1000]


def test_nothing_is_no_pair() -> None:
    assert len(near_pairs(shingles([]), 0.8).first) == 0
    assert len(near_pairs(shingles(["one"]), 0.8).first) == 0


@given(
    st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40), st.randoms()
)
def test_clusters_are_the_same_in_every_order(
    num: int, pairs: list[tuple[int, int]], draw: random.Random
) -> None:
    pairs = [(one % num, other % num) for one, other in pairs]
    found = clusters(num, pairs)
    assert all(found[one] == found[other] for one, other in pairs)
    assert all(found[item] <= item and found[found[item]] == found[item] for item in range(num))
    assert clusters(num, draw.sample(pairs, len(pairs))) == found
