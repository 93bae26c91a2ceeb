"""The contract of stores of examples: the same cases on both, and a model-based comparison of the two."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from wicket.accounts.example import Example, Feedback
from wicket.store.examples import SqliteExamples
from wicket.store.examples_contract import Chosen, ExampleFilter, ExampleStore, Kept
from wicket.store.examples_memory import MemoryExamples

NOON = 1_764_000_000_000


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExampleStore]:
    made: ExampleStore = (
        MemoryExamples() if request.param == "memory" else SqliteExamples(tmp_path / "an example?.db")
    )
    yield made
    made.close()


def example(number: int = 0, **changes: Any) -> Example:
    ms = NOON + number
    made = Example(
        id=ms << 21,
        started_ms=ms,
        task="slots",
        key_id=1,
        model="big",
        deployment="mine/big",
        request=b'{"messages":[]}',
        answer=b'{"role":"assistant","content":"x"}',
    )
    return msgspec.structs.replace(made, **changes)


def said(number: int = 0, **changes: Any) -> Feedback:
    return msgspec.structs.replace(Feedback((NOON + number) << 21, NOON + number, 1), **changes)


AWKWARD = [
    example(confidence=0.75, deployment="mini/slots"),
    example(1, task="'; DROP TABLE examples; --", model='odd"\n☃\0', key_id=0),
    example(2, request=b"", answer=b"\x00\xff" * 1_000),
    example(3, id=(1 << 63) - 1, key_id=(1 << 40)),
]


@pytest.mark.parametrize("kept", AWKWARD, ids=["mini", "names", "bytes", "numbers"])
def test_an_example_comes_back_as_it_was(store: ExampleStore, kept: Example) -> None:
    assert store.insert([kept]) == 1
    assert store.example(kept.id) == Kept(kept, None)
    assert store.page(ExampleFilter(kept.task)) == [Kept(kept, None)]
    assert store.example(kept.id - 1) is None


def test_a_known_id_changes_nothing(store: ExampleStore) -> None:
    assert store.insert([example(), example(1)]) == 2
    assert store.insert([example(answer=b"{}"), example(2), example(2)]) == 1
    assert [kept.example for kept in store.page(ExampleFilter("slots"))] == [example(n) for n in range(3)]
    assert store.insert([]) == 0


def test_pages_go_on_oldest_first(store: ExampleStore) -> None:
    store.insert([example(n, deployment="mini/slots" if n % 3 == 0 else "mine/big") for n in range(10)])
    store.insert([example(20, task="other")])
    found: list[int] = []
    while page := store.page(ExampleFilter("slots", after_id=found[-1] if found else 0, limit=3)):
        assert len(page) <= 3
        found += [kept.example.id for kept in page]
    assert found == [example(n).id for n in range(10)]
    without = store.page(ExampleFilter("slots", is_without_minis=True, since_ms=NOON + 5))
    assert [kept.example.id for kept in without] == [example(n).id for n in (5, 7, 8)]
    assert store.page(ExampleFilter("slots", limit=0)) == [] == store.page(ExampleFilter("none"))


def test_the_last_word_of_each_kind_counts(store: ExampleStore) -> None:
    store.insert([example()])
    store.say(said(score=0.5))
    store.say(said(created_ms=NOON + 9, key_id=2, corrected="better"))
    store.say(said(created_ms=NOON + 10, score=0.0))
    kept = store.example(example().id)
    assert kept is not None and kept.feedback == said(created_ms=NOON + 10, score=0.0, corrected="better")
    store.say(said(5, score=1.0))  # of a request that is no example
    assert [one.request_id for one in store.feedback()] == [said().request_id, said(5).request_id]
    assert [one.score for one in store.feedback(after_id=said().request_id)] == [1.0]
    assert store.feedback(since_ms=NOON + 11) == []


def test_counts_are_per_task(store: ExampleStore) -> None:
    assert store.counts() == []
    store.insert([example(n, deployment="mini/slots" if n else "a/b") for n in range(3)])
    store.insert([example(9, task="a")])
    store.say(said(1, score=0.1, corrected="x"))
    store.say(said(2, corrected="x"))
    first, second = store.counts()
    size = len(example().request) + len(example().answer)
    assert (first.task, first.num_examples, first.num_bytes) == ("a", 1, size)
    assert (second.task, second.num_examples, second.num_by_minis) == ("slots", 3, 2)
    assert (second.num_scored, second.num_corrected, second.num_bytes) == (1, 2, 3 * size)
    assert (second.first_ms, second.last_ms) == (NOON, NOON + 2)


def test_erasing_takes_what_was_chosen_and_what_was_said_of_it(store: ExampleStore) -> None:
    store.insert([example(n, key_id=n % 2, task="a" if n < 4 else "b") for n in range(8)])
    for number in range(9):
        store.say(said(number, key_id=number % 2, score=1.0))
    with pytest.raises(ValueError):
        store.erase(Chosen())
    assert store.erase(Chosen(task="a", key_id=1)) == 2
    assert store.erase(Chosen(request_id=example(4).id)) == 1
    assert store.erase(Chosen(request_id=example(4).id)) == 0
    left = [(kept.example.id - (NOON << 21)) >> 21 for t in "ab" for kept in store.page(ExampleFilter(t))]
    assert left == [0, 2, 5, 6, 7]
    assert store.erase(Chosen(key_id=0)) == 3
    assert [(one.request_id >> 21) - NOON for one in store.feedback()] == [5, 7]
    assert store.erase(Chosen(task="b")) == 2
    assert store.feedback() == [] == store.counts()


def test_what_is_too_old_goes(store: ExampleStore) -> None:
    store.insert([example(n, task="a" if n % 2 else "b") for n in range(1_200)])
    store.say(said(1, score=1.0))
    store.say(said(5_000, score=1.0))
    assert store.expire("a", NOON + 1_101) == 550
    assert store.expire("a", NOON + 1_101) == 0
    assert [count.num_examples for count in store.counts()] == [50, 600]
    assert [one.request_id for one in store.feedback()] == [said(5_000).request_id]
    assert store.expire_feedback(NOON + 5_000) == 0
    assert store.expire_feedback(NOON + 5_001) == 1


class Twins(RuleBasedStateMachine):
    """Whatever is done, the two say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.twins: tuple[ExampleStore, ExampleStore] = (
            MemoryExamples(),
            SqliteExamples(Path(self.folder.name) / "examples.db"),
        )

    numbers = st.integers(0, 12)
    tasks = st.sampled_from(["a", "b"])

    def both(self, name: str, *arguments: Any) -> Any:
        first, second = (getattr(twin, name)(*arguments) for twin in self.twins)
        assert first == second, name
        return first

    @rule(number=numbers, task=tasks, key=st.integers(0, 2), is_mini=st.booleans())
    def insert(self, number: int, task: str, key: int, is_mini: bool) -> None:
        made = example(number, task=task, key_id=key, deployment="mini/x" if is_mini else "a/b")
        self.both("insert", [made])

    @rule(number=numbers, key=st.integers(0, 2), score=st.sampled_from([-1.0, 0.0, 1.0]), text=st.text())
    def say(self, number: int, key: int, score: float, text: str) -> None:
        self.both("say", said(number, key_id=key, score=score, corrected=text.replace("\0", "")))

    @rule(
        task=st.sampled_from(["", "a", "b"]),
        key=st.none() | st.integers(0, 2),
        request=st.none() | numbers.map(lambda number: example(number).id),
    )
    def erase(self, task: str, key: int | None, request: int | None) -> None:
        if task or key is not None or request is not None:
            self.both("erase", Chosen(task, key, request))

    @rule(number=numbers, task=tasks)
    def expire(self, number: int, task: str) -> None:
        self.both("expire", task, NOON + number)
        self.both("expire_feedback", NOON + number)

    @invariant()
    def they_agree(self) -> None:
        self.both("counts")
        self.both("feedback")
        for task in ("a", "b"):
            self.both("page", ExampleFilter(task, is_without_minis=task == "a"))

    def teardown(self) -> None:
        for twin in self.twins:
            twin.close()
        self.folder.cleanup()


def test_the_twins_agree() -> None:
    shape = settings(max_examples=15, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(Twins, settings=shape)
