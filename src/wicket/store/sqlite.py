"""The store in one SQLite file: WAL, one writing connection behind a lock, a fresh reader for every query."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from wicket.accounts.callers import Caller
from wicket.accounts.keys import VirtualKey
from wicket.accounts.record import Record
from wicket.accounts.savings import SavingsRow
from wicket.accounts.unpriced import UnpricedRow
from wicket.accounts.usage_rows import UsageRow, first_id, rollup, span
from wicket.errors import StoreFault
from wicket.store import key_rows, queries
from wicket.store.bulk import insert
from wicket.store.contract import Inserted, RecordFilter, Rows
from wicket.store.copying import copy_database
from wicket.store.faults import mapped
from wicket.store.groups import checked_groups, usage_rows
from wicket.store.ledger_sqlite import SqliteLedger, post_records
from wicket.store.opening import open_reader, open_writer
from wicket.store.rows import NUM_PLAIN, Row, record_row, row_record
from wicket.store.sqlite_limits import SqliteLimits
from wicket.store.table_rows import SqlRows

T = TypeVar("T")
_PRUNED_AT_ONCE = 5_000  # records per transaction, so that pruning never holds the writer for long


class SqliteStore(SqliteLimits):
    """See `store.contract.Store`. Safe to call from any thread; every call blocks on the disk."""

    def __init__(self, path: Path) -> None:
        """Open or make the database; raises `StoreFault` for a file that can't be used, left as it is."""
        self.path = path
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = open_writer(path)
        with mapped(path):
            row = self._writer.execute(queries.HORIZON).fetchone()
        self._horizon: int = row[0] if row else 0
        self.ledger = SqliteLedger(path, lambda: self._writing(is_durable=True))

    def insert_records(self, batch: Sequence[Record]) -> Inserted:
        """See `Store.insert_records`."""
        fresh: Sequence[Record] = batch
        if self._horizon:
            fresh = [record for record in batch if record.id >= self._horizon]
        with mapped(self.path):
            rows = [record_row(record) for record in fresh]
            with self._writing() as connection:
                if _insert(connection, rows) == len(rows):
                    self._add_up(connection, fresh)
                    return Inserted(len(rows), len(batch) - len(rows))
                # Some are known. Begin again with the others, or the sums would count those twice.
                connection.execute("ROLLBACK")
                connection.execute("BEGIN IMMEDIATE")
                fresh = _unknown(connection, fresh)
                _insert(connection, [record_row(record) for record in fresh])
                self._add_up(connection, fresh)
        return Inserted(len(fresh), len(batch) - len(fresh))

    def record(self, record_id: int) -> Record | None:
        """See `Store.record`."""
        rows = self._read(queries.ONE_RECORD, [record_id])
        return row_record(rows[0]) if rows else None

    def records(self, wanted: RecordFilter) -> list[Record]:
        """See `Store.records`."""
        return [row_record(row) for row in self._read(*queries.records(wanted))]

    def usage(
        self, group_by: Sequence[str] = (), since_ms: int = 0, until_ms: int = 0, key_id: int | None = None
    ) -> list[UsageRow]:
        """See `Store.usage`."""
        groups = checked_groups(group_by)
        sums = self._read(*queries.usage(groups, span(since_ms, until_ms), key_id))
        return usage_rows(groups, sums, self.list_keys() if "key" in groups else [])

    def savings(
        self, since_ms: int = 0, until_ms: int = 0, key_ids: Sequence[int] | None = None
    ) -> list[SavingsRow]:
        """See `Store.savings`."""
        return [SavingsRow(*row) for row in self._read(*queries.savings(since_ms, until_ms, key_ids))]

    def unpriced(self, since_ms: int = 0, until_ms: int = 0, key_id: int | None = None) -> list[UnpricedRow]:
        """See `Store.unpriced`."""
        return [UnpricedRow(*row) for row in self._read(*queries.unpriced(since_ms, until_ms, key_id))]

    def transact(self, act: Callable[[Rows], T], *, is_durable: bool = True) -> T:
        """See `Store.transact`."""
        with mapped(self.path), self._writing(is_durable=is_durable) as connection:
            return act(SqlRows(connection))

    def look(self, read: Callable[[Rows], T]) -> T:
        """See `Store.look`."""
        with mapped(self.path), closing(open_reader(self.path)) as connection:
            connection.execute("BEGIN")
            return read(SqlRows(connection))

    def ensure_team(self, name: str, now_ms: int) -> tuple[int, int]:
        """See `Store.ensure_team`."""
        team = self.transact(lambda rows: key_rows.ensure_team(rows, name, now_ms))
        return team.id, team.organisation_id

    def add_key(self, key: VirtualKey) -> VirtualKey:
        """See `Store.add_key`."""
        return self.transact(lambda rows: rows.insert(key))

    def list_keys(self) -> list[VirtualKey]:
        """See `Store.list_keys`."""
        return self.look(lambda rows: rows.all(VirtualKey))

    def find_key(self, public_id: str) -> VirtualKey | None:
        """See `Store.find_key`."""
        return self.look(lambda rows: rows.one(VirtualKey, public_id=public_id))

    def revoke_key(self, public_id: str, now_ms: int) -> VirtualKey | None:
        """See `Store.revoke_key`."""
        return self.transact(lambda rows: key_rows.revoke(rows, public_id, now_ms))

    def live_callers(self, now_ms: int) -> list[Caller]:
        """See `Store.live_callers`."""
        return self.look(lambda rows: key_rows.live_callers(rows, now_ms))

    def prune(self, before_ms: int) -> int:
        """See `Store.prune`."""
        horizon = max(self._horizon, first_id(before_ms))
        num_pruned = 0
        with mapped(self.path):
            while True:
                with self._writing() as connection:
                    connection.execute(queries.SET_HORIZON, (horizon,))
                    self._horizon = horizon
                    num = connection.execute(queries.PRUNE, (horizon, _PRUNED_AT_ONCE)).rowcount
                num_pruned += num
                if num < _PRUNED_AT_ONCE:
                    return num_pruned

    def backup(self, target: Path, *, is_overwriting: bool = False) -> None:
        """See `Store.backup`. Written beside the target, synced, then renamed; raises `StoreFault`."""
        copy_database(self.path, target, is_overwriting=is_overwriting)

    def check_integrity(self) -> list[str]:
        """See `Store.check_integrity`."""
        try:
            lines = [str(row[0]) for row in self._read("PRAGMA integrity_check")]
        except StoreFault as fault:  # some damage ends the check itself
            if fault.code != "store_corrupt":
                raise
            lines = [fault.message]
        return [] if lines == ["ok"] else lines

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock, suppress(sqlite3.Error):
            if self._writer is not None:
                writer, self._writer = self._writer, None
                writer.close()

    @contextmanager
    def _writing(self, *, is_durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction on the writing connection. `is_durable`: on the disk, also if power fails now."""
        with self._lock:
            connection = self._writer
            if connection is None:
                raise StoreFault("store_closed", f"{self.path} is closed already.")
            if is_durable:
                connection.execute("PRAGMA synchronous = FULL")
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                if connection.in_transaction:
                    connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # the first error tells what happened
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise
            finally:
                if is_durable:
                    connection.execute("PRAGMA synchronous = NORMAL")

    def _add_up(self, connection: sqlite3.Connection, fresh: Sequence[Record]) -> None:
        connection.executemany(queries.ADD_USAGE, [(*key, *sums) for key, sums in rollup(fresh).items()])
        post_records(connection, fresh)

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with mapped(self.path), closing(open_reader(self.path)) as connection:
            return connection.execute(query, values).fetchall()


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
    """How many of the rows are new and now there."""
    plain = [row for row in rows if len(row) == NUM_PLAIN]
    num_new = insert(connection, queries.INSERT_PLAIN_RECORD, plain)
    if len(plain) < len(rows):
        others = [row for row in rows if len(row) != NUM_PLAIN]
        num_new += insert(connection, queries.INSERT_RECORD, others)
    return num_new


def _unknown(connection: sqlite3.Connection, batch: Sequence[Record]) -> list[Record]:
    first: dict[int, Record] = {}
    for record in batch:
        first.setdefault(record.id, record)
    return [
        record
        for record in first.values()
        if not connection.execute(queries.HAS_RECORD, (record.id,)).fetchone()
    ]
