"""Examples in a SQLite file of their own, so that prompts and answers can be erased and are in no backup.

WAL as the ledger's; `secure_delete` overwrites what is deleted, and after every deletion the write-ahead log
is emptied into the file and cut to nothing, so that no older copy of a page stays in it either.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from wicket.accounts.example import Example, Feedback
from wicket.accounts.usage_rows import first_id
from wicket.errors import StoreFault
from wicket.store.examples_contract import MAX_PAGE, MINI_PREFIX, Chosen, ExampleFilter, Kept, TaskCount
from wicket.store.faults import mapped
from wicket.store.opening import EXAMPLES, open_reader, open_writer

_AT_ONCE = 500  # rows deleted per transaction, so that the writer is never held for long

_INSERT = "INSERT INTO examples VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING"
_COLUMNS = (
    "e.id, e.started_ms, e.task, e.key_id, e.model, e.deployment, e.request, e.answer, e.confidence,"
    " f.request_id, f.created_ms, f.key_id, f.score, f.corrected"
)
_JOINED = f"SELECT {_COLUMNS} FROM examples e LEFT JOIN feedback f ON f.request_id = e.id"  # noqa: S608
_ONE = f"{_JOINED} WHERE e.id = ?"
_PAGE = (
    f"{_JOINED} WHERE e.task = ? AND e.id >= ? AND (? = 0 OR substr(e.deployment, 1, ?) <> ?)"
    " ORDER BY e.id LIMIT ?"
)
_COUNTS = (
    "SELECT task, count(*), sum(substr(deployment, 1, ?) = ?), sum(ifnull(f.score >= 0, 0)),"
    " sum(ifnull(f.corrected <> '', 0)), sum(length(request) + length(answer)),"
    " min(started_ms), max(started_ms)"
    " FROM examples e LEFT JOIN feedback f ON f.request_id = e.id GROUP BY task ORDER BY task"
)
_SAY = (
    "INSERT INTO feedback VALUES (?,?,?,?,?) ON CONFLICT (request_id) DO UPDATE SET"
    " created_ms = excluded.created_ms, key_id = excluded.key_id,"
    " score = CASE WHEN excluded.score >= 0 THEN excluded.score ELSE score END,"
    " corrected = CASE WHEN excluded.corrected <> '' THEN excluded.corrected ELSE corrected END"
)
_FEEDBACK = "SELECT * FROM feedback WHERE created_ms >= ? AND request_id > ? ORDER BY request_id LIMIT ?"
# NULL where a choice is not made
_CHOSEN = (
    "SELECT id FROM examples WHERE (?1 IS NULL OR task = ?1) AND (?2 IS NULL OR key_id = ?2)"
    " AND (?3 IS NULL OR id = ?3) AND (?4 IS NULL OR id < ?4) LIMIT ?5"
)
_UNSAY = "DELETE FROM feedback WHERE (?1 IS NULL OR key_id = ?1) AND (?2 IS NULL OR request_id = ?2)"
_UNSAY_OLD = (
    "DELETE FROM feedback WHERE created_ms < ?"
    " AND NOT EXISTS (SELECT 1 FROM examples WHERE examples.id = feedback.request_id)"
)
_DELETE_FEEDBACK = "DELETE FROM feedback WHERE request_id = ?"
_DELETE = "DELETE FROM examples WHERE id = ?"


class SqliteExamples:
    """See `store.examples_contract.ExampleStore`. Safe to call from any thread; every call blocks."""

    def __init__(self, path: Path) -> None:
        """Open or make the database (0600); raises `StoreFault` for a file that can't be used."""
        self.path = path
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = open_writer(path, EXAMPLES)
        self._has_old_pages = True  # the write-ahead log may: a process that was killed left it as it was

    def insert(self, batch: Sequence[Example]) -> int:
        """See `ExampleStore.insert`."""
        rows = [_example_row(example) for example in batch]
        with mapped(self.path), self._writing() as connection:
            return connection.executemany(_INSERT, rows).rowcount if rows else 0

    def example(self, request_id: int) -> Kept | None:
        """See `ExampleStore.example`."""
        rows = self._read(_ONE, [request_id])
        return _kept(rows[0]) if rows else None

    def page(self, wanted: ExampleFilter) -> list[Kept]:
        """See `ExampleStore.page`."""
        low = max(first_id(wanted.since_ms), wanted.after_id + 1)
        limit = max(0, min(wanted.limit, MAX_PAGE))
        values = [wanted.task, low, int(wanted.is_without_minis), len(MINI_PREFIX), MINI_PREFIX, limit]
        return [_kept(row) for row in self._read(_PAGE, values)]

    def counts(self) -> list[TaskCount]:
        """See `ExampleStore.counts`."""
        return [TaskCount(*row) for row in self._read(_COUNTS, [len(MINI_PREFIX), MINI_PREFIX])]

    def erase(self, chosen: Chosen) -> int:
        """See `ExampleStore.erase`. Afterwards the bytes are in no file of ours."""
        if chosen == Chosen():
            raise ValueError("nothing is chosen")
        gone = self._delete(chosen.task or None, chosen.key_id, chosen.request_id, None)
        if not chosen.task:
            with mapped(self.path), self._writing() as connection:
                connection.execute(_UNSAY, (chosen.key_id, chosen.request_id))
        self._has_old_pages = True
        self._empty_log()
        return gone

    def expire(self, task: str, before_ms: int) -> int:
        """See `ExampleStore.expire`."""
        gone = self._delete(task, None, None, first_id(before_ms))
        self._empty_log()
        return gone

    def expire_feedback(self, before_ms: int) -> int:
        """See `ExampleStore.expire_feedback`."""
        with mapped(self.path), self._writing() as connection:
            gone = connection.execute(_UNSAY_OLD, (before_ms,)).rowcount
        self._has_old_pages |= gone > 0
        self._empty_log()
        return gone

    def say(self, feedback: Feedback) -> None:
        """See `ExampleStore.say`."""
        row = (
            feedback.request_id,
            feedback.created_ms,
            feedback.key_id,
            feedback.score,
            feedback.corrected,
        )
        with mapped(self.path), self._writing() as connection:
            connection.execute(_SAY, row)

    def feedback(self, since_ms: int = 0, after_id: int = 0, limit: int = 1_000) -> list[Feedback]:
        """See `ExampleStore.feedback`."""
        return [
            Feedback(*row)
            for row in self._read(_FEEDBACK, [since_ms, after_id, max(0, min(limit, MAX_PAGE))])
        ]

    def close(self) -> None:
        """See `ExampleStore.close`."""
        with self._lock, suppress(sqlite3.Error):
            if self._writer is not None:
                writer, self._writer = self._writer, None
                writer.close()

    def _delete(self, *choice: object) -> int:
        num_gone = 0
        with mapped(self.path):
            while True:
                with self._writing() as connection:
                    ids = connection.execute(_CHOSEN, (*choice, _AT_ONCE)).fetchall()
                    self._has_old_pages |= bool(ids)
                    connection.executemany(_DELETE_FEEDBACK, ids)
                    connection.executemany(_DELETE, ids)
                num_gone += len(ids)
                if len(ids) < _AT_ONCE:
                    return num_gone

    def _empty_log(self) -> None:
        """Raises `StoreFault` while a reader (an export, say) still looks at the older pages."""
        if not self._has_old_pages:
            return
        with mapped(self.path), self._lock:
            if self._writer is None:
                return
            is_busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            self._has_old_pages = bool(is_busy)
        if is_busy:
            raise StoreFault(
                "store_busy",
                f"The examples are deleted, but {self.path}-wal still holds older pages because something"
                " reads them (an export?). Erase once more when that has ended.",
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            connection = self._writer
            if connection is None:
                raise StoreFault("store_closed", f"{self.path} is closed already.")
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the first error tells what happened
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        with mapped(self.path), closing(open_reader(self.path)) as connection:
            return connection.execute(query, values).fetchall()


def _example_row(example: Example) -> tuple[Any, ...]:
    return tuple(getattr(example, name) for name in Example.__struct_fields__)


def _kept(row: Sequence[Any]) -> Kept:
    said = Feedback(*row[9:14]) if row[9] is not None else None
    return Kept(Example(*row[:9]), said)
