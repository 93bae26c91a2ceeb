"""Answers, files' rows, batches and dues in a SQLite file of their own, apart from ledger and backups.

`secure_delete` overwrites what is deleted, and after every deletion of answers the write-ahead log is emptied
into the file, so that no older copy of a page stays.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import StoreFault
from wicket.state.kept import KeptBatch, KeptDue, KeptFile, KeptLine, KeptResponse
from wicket.store.faults import mapped
from wicket.store.kept_contract import MAX_CHAIN, MAX_PAGE, UNFINISHED, Page
from wicket.store.opening import KEPT, open_writer

_AT_ONCE = 500
_KEEP = "INSERT INTO responses VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (tenant, id) DO NOTHING"
_RESPONSE = "SELECT * FROM responses WHERE tenant = ? AND id = ?"
_EXPIRE = "DELETE FROM responses WHERE rowid IN (SELECT rowid FROM responses WHERE created_ms < ? LIMIT ?)"
_FILE = "SELECT * FROM files WHERE tenant = ? AND id = ?"
_USED = "SELECT ifnull(sum(num_bytes), 0) FROM files WHERE tenant = ?"
_EXPIRED = (
    "SELECT * FROM files WHERE (expires_ms > 0 AND expires_ms <= ?) OR (expires_ms = 0 AND created_ms < ?)"
    " LIMIT ?"
)
_BATCH = "SELECT * FROM batches WHERE tenant = ? AND id = ?"
_UNFINISHED = "SELECT * FROM batches WHERE status IN (?,?,?,?) ORDER BY created_ms, id"
_BEGIN_LINE = (
    "INSERT INTO batch_lines VALUES (?,?,1,0,x'') ON CONFLICT (batch, number)"
    " DO UPDATE SET num_begun = num_begun + 1"
)
_END_LINE = (
    "INSERT INTO batch_lines VALUES (?,?,?,?,?) ON CONFLICT (batch, number)"
    " DO UPDATE SET is_good = excluded.is_good, result = excluded.result"
)
_LINES = "SELECT number, num_begun, is_good, substr(result, 1, 1) FROM batch_lines WHERE batch = ?"
_RESULTS = (
    "SELECT number, result FROM batch_lines WHERE batch = ? AND is_good = ? AND number > ?"
    " AND length(result) > 0 ORDER BY number LIMIT 100"
)
_ADD_DUE = "INSERT INTO dues VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
# the four ways through a tenant's things by age; the page begins behind a known one
_OLDEST = (
    "SELECT t.* FROM {table} t WHERE t.tenant = ?1 {chosen} AND (?2 = '' OR (t.created_ms, t.id) >"
    " (SELECT created_ms, id FROM {table} WHERE tenant = ?1 AND id = ?2))"
    " ORDER BY t.created_ms, t.id LIMIT ?3"
)
_NEWEST = (
    "SELECT t.* FROM {table} t WHERE t.tenant = ?1 {chosen} AND (?2 = '' OR (t.created_ms, t.id) <"
    " (SELECT created_ms, id FROM {table} WHERE tenant = ?1 AND id = ?2))"
    " ORDER BY t.created_ms DESC, t.id DESC LIMIT ?3"
)
_FILES = {
    way: sql.format(table="files", chosen="AND (?4 = '' OR t.purpose = ?4)")
    for way, sql in ((True, _OLDEST), (False, _NEWEST))
}
_BATCHES = {
    way: sql.format(table="batches", chosen="AND ?4 = ''") for way, sql in ((True, _OLDEST), (False, _NEWEST))
}


class SqliteKept:
    """See `store.kept_contract.KeptStore`. Safe to call from any thread; every call blocks."""

    def __init__(self, path: Path) -> None:
        """Open or make the database (0600); raises `StoreFault` for a file that can't be used."""
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = open_writer(path, KEPT)

    # answers

    def keep_response(self, kept: KeptResponse) -> bool:
        """See `KeptStore.keep_response`."""
        with self._writing() as connection:
            return connection.execute(_KEEP, msgspec.structs.astuple(kept)).rowcount == 1

    def response(self, tenant: str, id: str) -> KeptResponse | None:
        """See `KeptStore.response`."""
        rows = self._read(_RESPONSE, tenant, id)
        return KeptResponse(*rows[0]) if rows else None

    def chain(self, tenant: str, id: str) -> list[KeptResponse] | None:
        """See `KeptStore.chain`."""
        found: list[KeptResponse] = []
        wanted = id
        while wanted:
            kept = self.response(tenant, wanted)
            if kept is None or len(found) >= MAX_CHAIN:
                return None
            found.append(kept)
            wanted = kept.previous
        return found[::-1]

    def delete_response(self, tenant: str, id: str) -> bool:
        """See `KeptStore.delete_response`."""
        with self._writing() as connection:
            query = "DELETE FROM responses WHERE tenant = ? AND id = ?"
            is_gone = connection.execute(query, (tenant, id)).rowcount == 1
        self._empty_log(is_gone)
        return is_gone

    def expire_responses(self, before_ms: int) -> int:
        """See `KeptStore.expire_responses`."""
        num_gone = 0
        while True:
            with self._writing() as connection:
                gone = connection.execute(_EXPIRE, (before_ms, _AT_ONCE)).rowcount
            num_gone += gone
            if gone < _AT_ONCE:
                self._empty_log(num_gone > 0)
                return num_gone

    # files

    def add_file(self, file: KeptFile, quota_bytes: int) -> bool:
        """See `KeptStore.add_file`."""
        with self._writing() as connection:
            used = connection.execute(_USED, (file.tenant,)).fetchone()[0]
            if used + file.num_bytes > quota_bytes:
                return False
            connection.execute("INSERT INTO files VALUES (?,?,?,?,?,?,?,?)", msgspec.structs.astuple(file))
            return True

    def file(self, tenant: str, id: str) -> KeptFile | None:
        """See `KeptStore.file`."""
        rows = self._read(_FILE, tenant, id)
        return KeptFile(*rows[0]) if rows else None

    def files(self, tenant: str, page: Page) -> list[KeptFile]:
        """See `KeptStore.files`."""
        return [KeptFile(*row) for row in self._page(_FILES[page.is_oldest_first], tenant, page)]

    def used_bytes(self, tenant: str) -> int:
        """See `KeptStore.used_bytes`."""
        used: int = self._read(_USED, tenant)[0][0]
        return used

    def delete_file(self, tenant: str, id: str) -> KeptFile | None:
        """See `KeptStore.delete_file`."""
        with self._writing() as connection:
            row = connection.execute(_FILE, (tenant, id)).fetchone()
            if row is None:
                return None
            connection.execute("DELETE FROM files WHERE id = ?", (id,))
            return KeptFile(*row)

    def expired_files(self, now_ms: int, before_ms: int) -> list[KeptFile]:
        """See `KeptStore.expired_files`."""
        return [KeptFile(*row) for row in self._read(_EXPIRED, now_ms, before_ms, _AT_ONCE)]

    def has_digest(self, digest: str) -> bool:
        """See `KeptStore.has_digest`."""
        return bool(self._read("SELECT 1 FROM files WHERE digest = ? LIMIT 1", digest))

    # batches

    def put_batch(self, batch: KeptBatch) -> None:
        """See `KeptStore.put_batch`."""
        row = [_packed(value) for value in msgspec.structs.astuple(batch)]
        with self._writing() as connection:
            connection.execute("REPLACE INTO batches VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)

    def batch(self, tenant: str, id: str) -> KeptBatch | None:
        """See `KeptStore.batch`."""
        rows = self._read(_BATCH, tenant, id)
        return _batch(rows[0]) if rows else None

    def batches(self, tenant: str, page: Page) -> list[KeptBatch]:
        """See `KeptStore.batches`."""
        return [_batch(row) for row in self._page(_BATCHES[page.is_oldest_first], tenant, page)]

    def unfinished(self) -> list[KeptBatch]:
        """See `KeptStore.unfinished`."""
        return [_batch(row) for row in self._read(_UNFINISHED, *UNFINISHED)]

    def begin_lines(self, batch: str, numbers: Sequence[int]) -> None:
        """See `KeptStore.begin_lines`."""
        with self._writing() as connection:
            connection.executemany(_BEGIN_LINE, [(batch, number) for number in numbers])

    def end_line(self, batch: str, line: KeptLine) -> None:
        """See `KeptStore.end_line`."""
        with self._writing() as connection:
            connection.execute(_END_LINE, (batch, *msgspec.structs.astuple(line)))

    def lines(self, batch: str) -> dict[int, KeptLine]:
        """See `KeptStore.lines`."""
        rows = self._read(_LINES, batch)
        return {row[0]: KeptLine(row[0], row[1], bool(row[2]), b"1" if row[3] else b"") for row in rows}

    def results(self, batch: str, *, is_good: bool) -> Iterator[bytes]:
        """See `KeptStore.results`."""
        last = -1
        while rows := self._read(_RESULTS, batch, int(is_good), last):
            yield from (row[1] for row in rows)
            last = rows[-1][0]

    def forget_lines(self, batch: str) -> None:
        """See `KeptStore.forget_lines`."""
        with self._writing() as connection:
            connection.execute("DELETE FROM batch_lines WHERE batch = ?", (batch,))
        self._empty_log(True)

    # dues

    def add_due(self, due: KeptDue) -> bool:
        """See `KeptStore.add_due`."""
        with self._writing() as connection:
            return connection.execute(_ADD_DUE, msgspec.structs.astuple(due)).rowcount == 1

    def due(self, tenant: str, id: str) -> KeptDue | None:
        """See `KeptStore.due`."""
        rows = self._read("SELECT * FROM dues WHERE tenant = ? AND id = ?", tenant, id)
        return KeptDue(*rows[0]) if rows else None

    def due_of(self, record_id: int) -> KeptDue | None:
        """See `KeptStore.due_of`."""
        rows = self._read("SELECT * FROM dues WHERE record_id = ?", record_id)
        return KeptDue(*rows[0]) if rows else None

    def dues(self, after: int, limit: int) -> list[KeptDue]:
        """See `KeptStore.dues`."""
        query = "SELECT * FROM dues WHERE record_id > ? ORDER BY record_id LIMIT ?"
        return [KeptDue(*row) for row in self._read(query, after, limit)]

    def end_due(self, record_id: int) -> bool:
        """See `KeptStore.end_due`."""
        with self._writing() as connection:
            return connection.execute("DELETE FROM dues WHERE record_id = ?", (record_id,)).rowcount == 1

    def close(self) -> None:
        """See `KeptStore.close`."""
        with self._lock, suppress(sqlite3.Error):
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

    def _page(self, query: str, tenant: str, page: Page) -> list[Any]:
        limit = max(0, min(page.limit, MAX_PAGE))
        return self._read(query, tenant, page.after, limit, page.purpose)

    def _read(self, query: str, *values: object) -> list[Any]:
        with mapped(self.path), self._lock:
            return self._open().execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with mapped(self.path), self._lock:
            connection = self._open()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the first error tells what happened
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise

    def _empty_log(self, has_old_pages: bool) -> None:
        if has_old_pages:
            with mapped(self.path), self._lock:
                self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreFault("store_closed", f"{self.path} is closed already.")
        return self._connection


def _packed(value: object) -> object:
    return msgspec.json.encode(value) if isinstance(value, dict) else value


def _batch(row: Sequence[Any]) -> KeptBatch:
    names = KeptBatch.__struct_fields__
    fields = dict(zip(names, row, strict=True))
    fields["metadata"] = msgspec.json.decode(fields["metadata"], type=dict[str, str])
    fields["moments"] = msgspec.json.decode(fields["moments"], type=dict[str, int])
    return KeptBatch(**fields)
