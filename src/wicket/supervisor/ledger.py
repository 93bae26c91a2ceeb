"""The ledger's one writer: records come in from the workers and are committed in batches by one thread.

The bound: a record is committed at most `flush_ms` and one commit after it was offered. A process that is
killed loses nothing older; what the database can't take is kept here, in order, and tried again.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from wicket.accounts.record import Record
from wicket.errors import Fault, StoreFault
from wicket.store.contract import Store
from wicket.store.spool import SUFFIX, claimed, spool_read, spool_write

__all__ = ["LedgerCounters", "LedgerWriter", "spool_import", "spool_write"]

FLUSH_MS = 200
MAX_QUEUED = 200_000
REFUSED = "refused.records"  # in the spool folder: records whose values fit no column, for the operator
_BATCH = 2_000  # committed at once, without waiting for the flush
_MAX_BATCH = 5_000
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 5.0
_SPOOL_POLL_S = 5.0
_log = logging.getLogger("wicket.ledger")

OnCommit = Callable[[Sequence[Record]], None]


class LedgerCounters(msgspec.Struct):
    """What the writer did since its start.

    `num_refused` records hold values that no column takes; they are kept in a file. `num_spooled` waited when
    the writer was stopped. `num_lost` is not 0 only if the spool failed as well, at the very end.
    """

    num_queued: int = 0
    num_written: int = 0
    num_known: int = 0
    num_refused: int = 0
    num_commits: int = 0
    num_faults: int = 0
    num_spooled: int = 0
    num_lost: int = 0


class LedgerWriter:
    """Takes records from any thread and commits them in its own.

    `is_open` turns False when `max_queued` records wait: the workers must then refuse new requests with 503.
    Records of requests under way are still taken, none is ever dropped. It turns True again once half of them
    are written. `on_state` hears of each turn, `on_commit` of each committed batch, both in the writer's
    thread (so go through `loop.call_soon_threadsafe`).
    """

    def __init__(
        self,
        store: Store,
        spool: Path | None = None,
        *,
        flush_ms: int = FLUSH_MS,
        max_queued: int = MAX_QUEUED,
        on_commit: OnCommit | None = None,
        on_state: Callable[[bool], None] | None = None,
    ) -> None:
        self._store = store
        self._spool = spool
        self._flush_s = flush_ms / 1_000
        self._max_queued = max_queued
        self._on_commit: list[OnCommit] = [on_commit] if on_commit else []
        self._on_state = on_state
        self._waiting: deque[tuple[float, Sequence[Record]]] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._has_ended = False
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._next_spool_s = 0.0
        self.is_open = True
        self.last_fault: Fault | None = None
        self.counters = LedgerCounters()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def subscribe(self, on_commit: OnCommit) -> None:
        """Hear of every batch that is committed from now on, in the writer's thread."""
        self._on_commit.append(on_commit)

    def offer(self, records: Sequence[Record]) -> None:
        """Take over finished requests, oldest first. Neither blocks on the disk nor raises."""
        if not records:
            return
        with self._changed:
            if self._has_ended:
                self._keep_rest(list(records))
                return
            before = self.counters.num_queued
            self._waiting.append((time.monotonic(), records))
            self.counters.num_queued = now = before + len(records)
            if before == 0 or before < _BATCH <= now:
                self._changed.notify()
            if self.is_open and now >= self._max_queued:
                self._turn(False)

    def stop(self, timeout_s: float = 20.0) -> None:
        """Write what waits, or put it in the spool if the database can't take it, and end the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    # the writer's thread

    def _run(self) -> None:
        pause_s = _FIRST_RETRY_S
        while True:
            self._import_spool()
            batch = self._wait()
            if self._has_ended:
                return
            if self._commit(batch) is None:
                pause_s = _FIRST_RETRY_S
            elif self._is_stopping:
                self._end()
                return
            else:
                with self._changed:
                    if not self._is_stopping:
                        self._changed.wait(pause_s)
                pause_s = min(2 * pause_s, _LAST_RETRY_S)
            del batch  # or its records would stay until the next one comes

    def _wait(self) -> list[Record]:
        """The oldest records, once they are many or old enough; they stay queued until committed."""
        with self._changed:
            if not self._waiting and not self._is_stopping:
                self._changed.wait(_SPOOL_POLL_S)
            while self._waiting and not self._is_stopping and self.counters.num_queued < _BATCH:
                rest_s = self._waiting[0][0] + self._flush_s - time.monotonic()
                if rest_s <= 0:
                    break
                self._changed.wait(rest_s)
            self._has_ended = self._is_stopping and not self._waiting
            batch: list[Record] = []
            for _, records in self._waiting:
                if batch and len(batch) + len(records) > _MAX_BATCH:
                    break
                batch.extend(records)
            return batch

    def _commit(self, batch: list[Record]) -> Fault | None:
        if not batch:
            return None
        try:
            num_new, num_known, refused = _insert(self._store, batch)
        except Exception as error:  # whatever it is, the records stay and the thread lives
            fault = error if isinstance(error, Fault) else StoreFault("ledger_failed", f"{error!r}")
            self.counters.num_faults += 1
            is_first, self.last_fault = self.last_fault is None, fault
            if is_first:
                _log.error("Records wait, the ledger can't take them: %s", fault.message)
            return fault
        if self.last_fault is not None:
            _log.warning("The ledger takes records again.")
            self.last_fault = None
        self._keep_refused(refused)
        self._took(batch)
        self.counters.num_written += num_new
        self.counters.num_known += num_known
        self.counters.num_commits += 1
        self._tell(batch)
        return None

    def _took(self, batch: list[Record]) -> None:
        with self._changed:
            rest = len(batch)
            while rest > 0:
                rest -= len(self._waiting.popleft()[1])
            self.counters.num_queued -= len(batch)
            if not self.is_open and self.counters.num_queued <= self._max_queued // 2:
                self._turn(True)

    def _turn(self, is_open: bool) -> None:
        """Called with the lock held, so that listeners hear of the turns in their order."""
        self.is_open = is_open
        if self._on_state is not None:
            self._on_state(is_open)

    def _tell(self, batch: Sequence[Record]) -> None:
        for hear in self._on_commit:
            try:
                hear(batch)
            except Exception:  # the ledger outlives whoever listens
                _log.exception("A listener of the ledger failed.")

    def _keep_refused(self, refused: Sequence[Record]) -> None:
        if not refused:
            return
        self.counters.num_refused += len(refused)
        _log.error("%d records hold values that the database refuses; they are kept aside.", len(refused))
        if self._spool is not None:
            try:
                spool_write(self._spool / REFUSED, refused)
            except StoreFault as fault:
                _log.critical("%s", fault.message)

    def _end(self) -> None:
        """The end with a database that takes nothing: what waits goes to the spool, for the next start."""
        with self._changed:
            self._has_ended = True
            rest = [record for _, records in self._waiting for record in records]
            self._waiting.clear()
            self.counters.num_queued = 0
            self._keep_rest(rest)

    def _keep_rest(self, rest: Sequence[Record]) -> None:
        try:
            if self._spool is None:
                raise StoreFault(
                    "spool_failed", f"{len(rest)} records can't be kept: there is no spool folder."
                )
            spool_write(self._spool / f"supervisor-{os.getpid()}{SUFFIX}", rest)
            self.counters.num_spooled += len(rest)
        except StoreFault as fault:
            self.counters.num_lost += len(rest)
            _log.critical("%s", fault.message)

    def _import_spool(self) -> None:
        """Now and then, also while running: a worker spools what a congested channel did not take."""
        now_s = time.monotonic()
        if self._spool is None or now_s < self._next_spool_s or self.last_fault is not None:
            return
        self._next_spool_s = now_s + _SPOOL_POLL_S
        try:
            self.counters.num_written += spool_import(self._spool, self._store, self._tell)
        except (StoreFault, OSError) as error:
            self.counters.num_faults += 1
            _log.error("The spool waits: %s", error)


def spool_import(folder: Path, store: Store, on_commit: OnCommit | None = None) -> int:
    """Bring spooled records into the store and say how many were new.

    A file goes only after its records are committed; a damaged one is kept as `….damaged` once its whole
    frames are in. Files that a writer holds are left for the next time. Raises `StoreFault`, `OSError`.
    """
    num_imported = 0
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with claimed(path) as data:
            if data is None:
                continue
            batches, is_damaged = spool_read(data)
            for batch in batches:
                num_new, num_known, refused = _insert(store, batch)
                num_imported += num_new
                if refused:
                    spool_write(folder / REFUSED, refused)
                if on_commit is not None and not num_known and not refused:
                    on_commit(batch)
            if is_damaged:
                _log.error("%s is damaged; what could be read is in the ledger, the file is kept.", path.name)
                path.rename(path.with_name(f"{path.name}.{time.time_ns()}.damaged"))
            else:
                path.unlink()
    return num_imported


def _insert(store: Store, batch: Sequence[Record]) -> tuple[int, int, list[Record]]:
    """New, known, refused. One bad record must not hold up the others, so a refused batch goes one by one."""
    try:
        return (*store.insert_records(batch), [])
    except StoreFault as fault:
        if fault.code != "record_refused":
            raise
    num_new, num_known, refused = 0, 0, []
    for record in batch:
        try:
            new, known = store.insert_records([record])
        except StoreFault as fault:
            if fault.code != "record_refused":
                raise
            refused.append(record)
        else:
            num_new, num_known = num_new + new, num_known + known
    return num_new, num_known, refused
