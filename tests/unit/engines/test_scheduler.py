"""The scheduler without a model: what is planned, what is shared, and that it always comes to an end."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from wicket.engines.decoding.blocks import BlockPool, block_digest, root_digest
from wicket.engines.decoding.scheduler import Scheduler, Sequence, Slice

SIZE = 4


def scheduler(num_blocks: int = 64, max_batch: int = 4, max_prefill: int = 8) -> Scheduler:
    return Scheduler(BlockPool(num_blocks, SIZE), max_batch, max_prefill, max_scored=3)


def step(made: Scheduler) -> list[Slice]:
    """Plan, compute, draw token 7 for each finished slice, and let go of whoever is done."""
    slices = made.plan()
    made.advance(slices)
    for piece in slices:
        if piece.is_last:
            if not piece.sequence.is_scored:
                piece.sequence.tokens.append(7)
            if piece.sequence.is_scored or piece.sequence.num_output >= piece.sequence.max_tokens:
                made.remove(piece.sequence)
    return slices


def test_prompts_are_cut_into_chunks() -> None:
    made = scheduler()
    made.add(Sequence(1, list(range(20)), 2))
    assert [(s.start, s.count) for _ in range(4) for s in step(made)] == [(0, 8), (8, 8), (16, 4), (20, 1)]
    assert made.is_idle()


def test_decoding_goes_on_beside_a_long_prompt() -> None:
    made = scheduler()
    first, second = Sequence(1, [1, 2, 3], 9), Sequence(2, list(range(50, 70)), 1)
    made.add(first)
    step(made)
    made.add(second)
    assert [(s.sequence.id, s.count) for s in step(made)] == [(1, 1), (2, 8)]


def test_the_batch_is_bounded() -> None:
    made = scheduler(max_batch=2, max_prefill=100)
    for number in range(5):
        made.add(Sequence(number, [number], 3))
    assert [s.sequence.id for s in step(made)] == [0, 1]


def test_an_equal_prefix_is_computed_once() -> None:
    made = scheduler(max_prefill=100)
    prompt = list(range(18))
    made.add(Sequence(1, list(prompt), 1))
    step(made)
    second = Sequence(2, list(prompt), 1)
    made.add(second)
    assert [(s.start, s.count) for s in step(made)] == [(16, 2)]
    assert second.num_cached == 16


def test_a_whole_prompt_in_the_cache_still_computes_its_last_token() -> None:
    made = scheduler(max_prefill=100)
    for number in range(2):
        made.add(Sequence(number, list(range(16)), 1))
        slices = step(made)
    assert [(s.start, s.count) for s in slices] == [(12, 4)]


def test_tenants_share_nothing() -> None:
    made = scheduler(max_prefill=100)
    for salt in ("a", "b"):
        made.add(Sequence(1, list(range(16)), 1, salt))
        assert [(s.start, s.count) for s in step(made)] == [(0, 16)]


def test_the_same_tokens_after_another_beginning_are_not_shared() -> None:
    assert block_digest(root_digest("a"), [1, 2]) != block_digest(block_digest(root_digest("a"), [3]), [1, 2])
    made = scheduler(max_prefill=100)
    made.add(Sequence(1, [1, 2, 3, 4, 5, 6, 7, 8, 9], 1))
    step(made)
    other = Sequence(2, [0, 2, 3, 4, 5, 6, 7, 8, 9], 1)
    made.add(other)
    step(made)
    assert other.num_cached == 0


def test_scored_tokens_are_all_computed() -> None:
    made = scheduler(max_prefill=100)
    made.add(Sequence(1, list(range(16)), 1))
    step(made)
    made.add(Sequence(2, list(range(10)), 0, is_scored=True))
    counts = []
    while not made.is_idle():
        counts += [s.count for s in step(made)]
    assert counts == [3, 3, 3, 1]


def test_removal_frees_everything() -> None:
    made = scheduler(num_blocks=8)
    sequences = [Sequence(n, list(range(n, n + 9)), 4) for n in range(3)]
    for sequence in sequences:
        made.add(sequence)
    made.advance(made.plan())
    for sequence in sequences:
        made.remove(sequence)
    assert made.is_idle()
    assert made.pool.num_free == 8


def test_what_never_fits_is_known_beforehand() -> None:
    made = scheduler(num_blocks=3)
    assert made.fits(12)
    assert not made.fits(13)


@settings(max_examples=300, deadline=None)
@example(4, [(4, 1, False, True), (10, 1, True, False), (10, 1, False, True)])
@given(
    st.integers(4, 12),
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 4), st.booleans(), st.booleans()), max_size=8),
)
def test_any_load_ends_within_the_blocks(num_blocks: int, load: list[tuple[int, int, bool, bool]]) -> None:
    made = scheduler(num_blocks=num_blocks, max_batch=3, max_prefill=5)
    sequences = []
    for number, (length, output, is_scored, is_shared) in enumerate(load):
        salt = "shared" if is_shared else f"own {number}"
        sequences.append(Sequence(number, list(range(length)), 0 if is_scored else output, salt, is_scored))
        made.add(sequences[-1])
    steps = 0
    while not made.is_idle():
        slices = step(made)
        assert slices
        assert sum(s.count for s in slices if s.count > 1) <= 5
        held = [block for sequence in made.running for block in sequence.blocks]
        assert len(set(held)) + made.pool.num_free == num_blocks
        assert all(s.count <= 3 for s in slices if s.sequence.is_scored)
        steps += 1
        assert steps < 1000
    assert made.pool.num_free == num_blocks
    assert all(s.is_scored or s.num_output == s.max_tokens for s in sequences)
