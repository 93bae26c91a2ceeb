"""Everything about records and keys that the supervisor owns: store, ledger writer, newest arrivals, sums.

The ledger commits in its own thread; what follows from a commit happens back on the loop.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from wicket.accounts.callers import Caller
from wicket.accounts.posting import credit_scopes
from wicket.accounts.record import Record
from wicket.config.schema import Records as RecordsTable
from wicket.errors import StoreFault
from wicket.store.ledger_contract import Balances
from wicket.store.sqlite import SqliteStore
from wicket.supervisor.ledger import LedgerWriter, spool_import
from wicket.supervisor.recent import Recent, packed
from wicket.telemetry.metrics import Metrics

DATABASE_FILE = "wicket.db"
SPOOL_FOLDER = "spool"

_log = logging.getLogger("wicket.ledger")

Confirm = Callable[[], object]


class Books:
    """Opened once, closed last. `num_imported` records had waited in the spool folder."""

    def __init__(self, home: Path, table: RecordsTable, on_state: Callable[[bool], None]) -> None:
        """Open the database and import the spool; blocks. Raises `StoreFault`."""
        self.spool = home / SPOOL_FOLDER
        self.spool.mkdir(mode=0o700, exist_ok=True)
        self.recent = Recent()
        self.metrics = Metrics()
        self.store = SqliteStore(home / DATABASE_FILE)
        self.num_imported = spool_import(self.spool, self.store)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_state = on_state
        self.on_balances: Callable[[Balances], None] | None = None  # on the loop
        self._unread: set[str] = set()
        self._offered: deque[tuple[Record, int, Confirm]] = deque()  # the first one, how many
        self.writer = LedgerWriter(
            self.store,
            self.spool,
            flush_ms=table.flush_ms,
            max_queued=table.queue,
            on_commit=self._on_commit,
            on_state=self._on_turn,
        )

    def start(self) -> None:
        """Begin to write; call it on the loop."""
        self._loop = asyncio.get_running_loop()
        _spare_the_collector()
        self.writer.start()

    def offer(self, records: Sequence[Record], confirm: Confirm) -> None:
        """Take records; `confirm` is called on the loop once they are committed."""
        if records:
            self._offered.append((records[0], len(records), confirm))
            self.writer.offer(records)

    def live_callers(self, now_ms: int) -> list[Caller]:
        """Who may call now; blocks."""
        return self.store.live_callers(now_ms)

    def close(self) -> None:
        """Write what waits, then let go; blocks."""
        self.writer.stop()
        self.store.close()

    def _on_commit(self, batch: Sequence[Record]) -> None:
        """In the writer's thread, which also lets go of the records while the processor still has them."""
        self.metrics.observe(batch)
        if batch:
            self._tell_balances(batch)  # before the workers hear that their records are in
            self._call(self._committed, batch[0], len(batch), packed(batch))

    def _tell_balances(self, batch: Sequence[Record]) -> None:
        self._unread |= credit_scopes(batch)
        if not self._unread or self.on_balances is None:
            return
        try:
            balances = self.store.ledger.balances(self._unread)
        except StoreFault as fault:
            _log.warning("balances stay as they were until the next commit: %s", fault.message)
            return
        self._unread = set()
        self._call(self.on_balances, balances)

    def _on_turn(self, is_open: bool) -> None:
        """In the writer's thread, or in ours."""
        self._call(self._on_state, is_open)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _committed(self, first: Record, left: int, batch: bytes) -> None:
        """A batch is made of whole offers in their order, or else comes from the spool."""
        self.recent.add_packed(left, batch)
        if not (self._offered and self._offered[0][0] is first):
            return
        while left > 0:
            _, number, confirm = self._offered.popleft()
            left -= number
            confirm()


def _spare_the_collector() -> None:
    """Records make no cycles, yet a collection per batch walked through all that the supervisor holds."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
