"""Limits and budgets in the store in memory: in its database in memory, beside the tenants."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wicket.accounts.record import Record
from wicket.accounts.usage_rows import record_ms
from wicket.store.limits_contract import Spent
from wicket.store.sqlite_limits import SqliteLimits

_CHECK = "chat.check"


class MemoryLimits(SqliteLimits):
    """See `store.limits_contract.LimitStore`; a part of `MemoryStore`, whose lock and connection it uses."""

    _lock: threading.Lock
    _tenants: sqlite3.Connection
    _records: dict[int, Record]

    def spent(self, since_ms: int) -> list[Spent]:
        """See `LimitStore.spent`."""
        sums: dict[tuple[int, str, str], list[int]] = {}
        with self._lock:
            for record in self._records.values():
                if record_ms(record.id) < since_ms or record.api == _CHECK:
                    continue
                model = record.model if record.deployment else ""
                row = sums.setdefault((record.key_id, model, record.deployment), [0, 0, 0])
                row[0] += 1
                row[1] += record.usage.input_tokens + record.usage.output_tokens
                row[2] += record.charge_nanos
        return [Spent(*key, *row) for key, row in sums.items()]

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._tenants.execute(query, values).fetchall()

    @contextmanager
    def _writing(self, *, is_durable: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._tenants.execute("BEGIN")
            try:
                yield self._tenants
            except BaseException:
                self._tenants.execute("ROLLBACK")
                raise
            self._tenants.execute("COMMIT")
