"""The store of examples in memory: the slow, obvious twin of the SQLite one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from wicket.accounts.example import Example, Feedback
from wicket.accounts.usage_rows import first_id
from wicket.store.examples_contract import (
    MAX_PAGE,
    MINI_PREFIX,
    Chosen,
    ExampleFilter,
    Kept,
    TaskCount,
    merged,
)


class MemoryExamples:
    """See `store.examples_contract.ExampleStore`. Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._examples: dict[int, Example] = {}
        self._feedback: dict[int, Feedback] = {}

    def insert(self, batch: Sequence[Example]) -> int:
        """See `ExampleStore.insert`."""
        with self._lock:
            before = len(self._examples)
            for example in batch:
                self._examples.setdefault(example.id, example)
            return len(self._examples) - before

    def example(self, request_id: int) -> Kept | None:
        """See `ExampleStore.example`."""
        found = self._examples.get(request_id)
        return None if found is None else Kept(found, self._feedback.get(request_id))

    def page(self, wanted: ExampleFilter) -> list[Kept]:
        """See `ExampleStore.page`."""
        low = max(first_id(wanted.since_ms), wanted.after_id + 1)
        found = [
            Kept(example, self._feedback.get(id))
            for id, example in sorted(self._examples.items())
            if id >= low
            and example.task == wanted.task
            and not (wanted.is_without_minis and example.deployment.startswith(MINI_PREFIX))
        ]
        return found[: max(0, min(wanted.limit, MAX_PAGE))]

    def counts(self) -> list[TaskCount]:
        """See `ExampleStore.counts`."""
        return [self._count(task) for task in sorted({example.task for example in self._examples.values()})]

    def erase(self, chosen: Chosen) -> int:
        """See `ExampleStore.erase`."""
        if chosen == Chosen():
            raise ValueError("nothing is chosen")
        gone = self._delete(
            lambda example: (
                (not chosen.task or example.task == chosen.task)
                and chosen.key_id in (None, example.key_id)
                and chosen.request_id in (None, example.id)
            )
        )
        if not chosen.task:
            for id, said in list(self._feedback.items()):
                if chosen.key_id in (None, said.key_id) and chosen.request_id in (None, id):
                    del self._feedback[id]
        return gone

    def expire(self, task: str, before_ms: int) -> int:
        """See `ExampleStore.expire`."""
        return self._delete(lambda example: example.task == task and example.id < first_id(before_ms))

    def expire_feedback(self, before_ms: int) -> int:
        """See `ExampleStore.expire_feedback`."""
        with self._lock:
            gone = [
                id
                for id, said in self._feedback.items()
                if id not in self._examples and said.created_ms < before_ms
            ]
            for id in gone:
                del self._feedback[id]
        return len(gone)

    def say(self, feedback: Feedback) -> None:
        """See `ExampleStore.say`."""
        with self._lock:
            self._feedback[feedback.request_id] = merged(self._feedback.get(feedback.request_id), feedback)

    def feedback(self, since_ms: int = 0, after_id: int = 0, limit: int = 1_000) -> list[Feedback]:
        """See `ExampleStore.feedback`."""
        found = [
            said
            for id, said in sorted(self._feedback.items())
            if said.created_ms >= since_ms and id > after_id
        ]
        return found[: max(0, min(limit, MAX_PAGE))]

    def close(self) -> None:
        """See `ExampleStore.close`."""

    def _count(self, task: str) -> TaskCount:
        examples = [example for example in self._examples.values() if example.task == task]
        said = [self._feedback[example.id] for example in examples if example.id in self._feedback]
        return TaskCount(
            task=task,
            num_examples=len(examples),
            num_by_minis=sum(example.deployment.startswith(MINI_PREFIX) for example in examples),
            num_scored=sum(one.score >= 0 for one in said),
            num_corrected=sum(bool(one.corrected) for one in said),
            num_bytes=sum(len(example.request) + len(example.answer) for example in examples),
            first_ms=min(example.started_ms for example in examples),
            last_ms=max(example.started_ms for example in examples),
        )

    def _delete(self, is_gone: Callable[[Example], bool]) -> int:
        with self._lock:
            gone = [id for id, example in self._examples.items() if is_gone(example)]
            for id in gone:
                del self._examples[id]
                self._feedback.pop(id, None)
        return len(gone)
