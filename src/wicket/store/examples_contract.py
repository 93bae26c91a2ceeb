"""What a store of examples can do. One writer, any number of readers; methods block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from wicket.accounts.example import Example, Feedback

MAX_PAGE = 1_000  # examples of one page
MINI_PREFIX = "mini/"  # deployments that are minis: their own answers teach nothing


class Kept(NamedTuple):
    """An example, and what was said of its answer; None if nothing was."""

    example: Example
    feedback: Feedback | None


class ExampleFilter(msgspec.Struct, frozen=True):
    """A page of a task's examples, oldest first. `after_id` excludes itself; times are Unix ms."""

    task: str
    since_ms: int = 0
    after_id: int = 0
    limit: int = 100
    is_without_minis: bool = False


class Chosen(msgspec.Struct, frozen=True):
    """Which examples to erase: all that fit every choice that is made. One at least must be."""

    task: str = ""
    key_id: int | None = None
    request_id: int | None = None


class TaskCount(msgspec.Struct, frozen=True):
    """What is kept of one task. Times are Unix ms, 0 for none; `num_bytes` is of requests and answers."""

    task: str
    num_examples: int = 0
    num_by_minis: int = 0
    num_scored: int = 0
    num_corrected: int = 0
    num_bytes: int = 0
    first_ms: int = 0
    last_ms: int = 0


def merged(old: Feedback | None, new: Feedback) -> Feedback:
    """The last word of each kind: a later score does not take an earlier correction away."""
    if old is None:
        return new
    return Feedback(
        request_id=new.request_id,
        created_ms=new.created_ms,
        key_id=new.key_id,
        score=new.score if new.score >= 0 else old.score,
        corrected=new.corrected or old.corrected,
    )


class ExampleStore(Protocol):
    """Examples and what was said of them. Every method raises `StoreFault` if the database can't do it."""

    def insert(self, batch: Sequence[Example]) -> int:
        """Keep examples, all or none, and say how many are new. A known id changes nothing."""
        ...

    def example(self, request_id: int) -> Kept | None:
        """One example."""
        ...

    def page(self, wanted: ExampleFilter) -> list[Kept]:
        """Examples in the order of their ids."""
        ...

    def counts(self) -> list[TaskCount]:
        """Per task that has examples, sorted by name."""
        ...

    def erase(self, chosen: Chosen) -> int:
        """Delete examples with what was said of them, and say how many; their bytes are overwritten.

        By key also what that caller said of other answers; by request also what was said of it alone.
        Raises `ValueError` if nothing is chosen.
        """
        ...

    def expire(self, task: str, before_ms: int) -> int:
        """Delete a task's examples begun before that time, with what was said of them; says how many."""
        ...

    def expire_feedback(self, before_ms: int) -> int:
        """Delete what was said before that time of requests that are no examples; says how many."""
        ...

    def say(self, feedback: Feedback) -> None:
        """Keep what was said of an answer, `merged` with what was said before."""
        ...

    def feedback(self, since_ms: int = 0, after_id: int = 0, limit: int = 1_000) -> list[Feedback]:
        """What was said since then, by request id; also of requests that are no examples."""
        ...

    def close(self) -> None:
        """Release the files; a second time does nothing."""
        ...
