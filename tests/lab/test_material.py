"""Batches of samples: each once a round, of like lengths, and what of them is learned."""

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

from wicket.lab.encode import IGNORED, Encoded  # noqa: E402
from wicket.lab.material import Batch, Samples  # noqa: E402

NUM, ROWS = 150, 4


def samples() -> list[Encoded]:
    """Sample `index` begins with token `index` and is up to 40 tokens long."""
    return [Encoded([index, *[7] * (index * 17 % 40)], [8, 9]) for index in range(NUM)]


def first_tokens(source: Samples, numbers: range) -> list[int]:
    return [int(row[0]) for number in numbers for row in source.batch(number).ids]


def test_each_is_seen_once_before_any_is_seen_twice() -> None:
    source = Samples(samples(), rows=ROWS, seed=3)
    a_round = -(-NUM // ROWS)
    first, second = range(a_round), range(a_round, 2 * a_round)
    assert sorted(first_tokens(source, first)) == sorted(first_tokens(source, second)) == list(range(NUM))
    assert first_tokens(source, first) != first_tokens(source, second)


def test_a_batch_is_the_same_whenever_it_is_asked_for() -> None:
    one, other = (Samples(samples(), rows=ROWS, seed=3) for _ in range(2))
    for number in (41, 0, 40, 7):
        assert torch.equal(one.batch(number).ids, other.batch(number).ids)
    assert not torch.equal(one.batch(0).ids, Samples(samples(), rows=ROWS, seed=4).batch(0).ids)


def test_little_is_padded() -> None:
    source = Samples(samples(), rows=ROWS, seed=3)
    read = sum(source.batch(number).ids.numel() for number in range(-(-NUM // ROWS)))
    needed = sum(map(len, samples()))
    assert needed <= read < 1.25 * needed


def test_the_whole_of_a_batch_is_requests_too_and_no_padding() -> None:
    targets = [[IGNORED, IGNORED, 8, 2, IGNORED], [IGNORED, IGNORED, IGNORED, 9, 2]]
    batch = Batch(torch.tensor([[5, 6, 7, 8, 0], [5, 6, 7, 8, 9]]), torch.tensor(targets))
    found = batch.whole()
    assert found.targets.tolist() == [[6, 7, 8, 2, IGNORED], [6, 7, 8, 9, 2]]
    assert torch.equal(found.ids, batch.ids) and found.learned.sum() == 9
