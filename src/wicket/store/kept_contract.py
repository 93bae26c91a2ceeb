"""What a store of kept things can do: answers, files' rows, batches, dues. One writer; methods block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from wicket.state.kept import KeptBatch, KeptDue, KeptFile, KeptLine, KeptResponse

MAX_CHAIN = 1_000  # answers that one conversation may go back over
MAX_PAGE = 10_000


class Page(msgspec.Struct, frozen=True):
    """A page of a tenant's files or batches by age. `after` is an id of theirs, "" to begin with.

    `purpose` chooses files, "" for all.
    """

    limit: int = 100
    after: str = ""
    is_oldest_first: bool = False
    purpose: str = ""


class KeptStore(Protocol):
    """Every method raises `StoreFault` if the database can't do it. Another tenant's things are not there."""

    def keep_response(self, kept: KeptResponse) -> bool:
        """Keep an answer; False, and nothing changes, where the tenant has one of that id."""
        ...

    def response(self, tenant: str, id: str) -> KeptResponse | None:
        """One answer."""
        ...

    def chain(self, tenant: str, id: str) -> list[KeptResponse] | None:
        """An answer and all that it went on from, the oldest first; None where any of them is not there.

        No more than `MAX_CHAIN`: a longer one is None as well.
        """
        ...

    def delete_response(self, tenant: str, id: str) -> bool:
        """Delete an answer; its bytes are overwritten. False if there is none."""
        ...

    def expire_responses(self, before_ms: int) -> int:
        """Delete what was kept before that time, and say how many."""
        ...

    def add_file(self, file: KeptFile, quota_bytes: int) -> bool:
        """Add a file's row; False, and nothing changes, if its tenant had more than that with it."""
        ...

    def file(self, tenant: str, id: str) -> KeptFile | None:
        """One file's row."""
        ...

    def files(self, tenant: str, page: Page) -> list[KeptFile]:
        """A page of files, empty where `after` is nobody's."""
        ...

    def used_bytes(self, tenant: str) -> int:
        """What a tenant's files take together; equal contents count each time."""
        ...

    def delete_file(self, tenant: str, id: str) -> KeptFile | None:
        """Delete a file's row and say what it was; None if there is none."""
        ...

    def expired_files(self, now_ms: int, before_ms: int) -> list[KeptFile]:
        """Files whose own end has come, and those without one that were made before `before_ms`."""
        ...

    def has_digest(self, digest: str) -> bool:
        """Whether any file has this content."""
        ...

    def put_batch(self, batch: KeptBatch) -> None:
        """Add a batch, or replace the one of that id."""
        ...

    def batch(self, tenant: str, id: str) -> KeptBatch | None:
        """One batch."""
        ...

    def batches(self, tenant: str, page: Page) -> list[KeptBatch]:
        """A page of batches."""
        ...

    def unfinished(self) -> list[KeptBatch]:
        """Batches of every tenant that are still to be worked on, the oldest first."""
        ...

    def begin_lines(self, batch: str, numbers: Sequence[int]) -> None:
        """Count one more beginning of each line, before it is begun."""
        ...

    def end_line(self, batch: str, line: KeptLine) -> None:
        """Keep what came of a line."""
        ...

    def lines(self, batch: str) -> dict[int, KeptLine]:
        """Lines that were begun, without their results (which are b"" or b"1")."""
        ...

    def results(self, batch: str, *, is_good: bool) -> Iterator[bytes]:
        """Results in the order of their lines."""
        ...

    def forget_lines(self, batch: str) -> None:
        """The results stand in files now."""
        ...

    def add_due(self, due: KeptDue) -> bool:
        """Add what a provider works on; False, and nothing changes, where its request has one."""
        ...

    def due(self, tenant: str, id: str) -> KeptDue | None:
        """One by its sealed id."""
        ...

    def due_of(self, record_id: int) -> KeptDue | None:
        """One by its request, whosever it is."""
        ...

    def dues(self, after: int, limit: int) -> list[KeptDue]:
        """Those of every tenant whose request's number is above `after`, in the order of these."""
        ...

    def end_due(self, record_id: int) -> bool:
        """It is settled; False if there is none."""
        ...

    def close(self) -> None:
        """Release the files; a second time does nothing."""
        ...


UNFINISHED = ("validating", "in_progress", "finalizing", "cancelling")
