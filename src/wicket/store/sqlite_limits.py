"""Limits and budgets in the SQLite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from wicket.accounts.meters import Meter
from wicket.accounts.usage_rows import span
from wicket.store import queries
from wicket.store.faults import mapped
from wicket.store.limits_contract import ScopeName, Spent, meter_id, meter_number

_COLUMNS = "id, scope, model, unit, amount, period, zone, is_soft"
_ALL = f"SELECT {_COLUMNS} FROM limits ORDER BY id"  # noqa: S608
_ONE = f"SELECT {_COLUMNS} FROM limits WHERE id = ?"  # noqa: S608
_SAME = (
    "SELECT id, zone FROM limits WHERE scope = ? AND model = ? AND unit = ? AND period = ? AND is_soft = ?"
)
_INSERT = (
    "INSERT INTO limits (scope, model, unit, period, is_soft, amount, zone, created_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_CHANGE = "UPDATE limits SET amount = ? WHERE id = ?"
_DELETE = "DELETE FROM limits WHERE id = ?"
_NAMES = (
    "SELECT 'key:' || id, public_id, name FROM keys"
    " UNION ALL SELECT 'team:' || id, public_id, name FROM teams"
    " UNION ALL SELECT 'organisation:' || id, public_id, name FROM organisations"
)


class SqliteLimits:
    """See `store.limits_contract.LimitStore`; a part of `SqliteStore`."""

    path = Path("a database in memory")

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        raise NotImplementedError

    def _writing(self, *, is_durable: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def meters(self) -> list[Meter]:
        """See `LimitStore.meters`."""
        return [_meter(row) for row in self._read(_ALL)]

    def put_meter(self, meter: Meter, now_ms: int) -> Meter:
        """See `LimitStore.put_meter`."""
        key = (meter.scope, meter.model, meter.unit, meter.window, int(meter.is_soft))
        with mapped(self.path), self._writing(is_durable=True) as connection:
            same = connection.execute(_SAME, key).fetchone()
            if same is not None and same[1] == meter.zone:
                connection.execute(_CHANGE, (meter.amount, same[0]))
                number = same[0]
            else:
                if same is not None:
                    connection.execute(_DELETE, (same[0],))
                number = connection.execute(_INSERT, (*key, meter.amount, meter.zone, now_ms)).lastrowid
        return msgspec.structs.replace(meter, id=meter_id(meter.unit, number))

    def remove_meter(self, id: str) -> Meter | None:
        """See `LimitStore.remove_meter`."""
        number = meter_number(id)
        with mapped(self.path), self._writing(is_durable=True) as connection:
            row = connection.execute(_ONE, (number,)).fetchone()
            if row is None or _meter(row).id != id:
                return None
            connection.execute(_DELETE, (number,))
        return _meter(row)

    def scope_names(self) -> list[ScopeName]:
        """See `LimitStore.scope_names`."""
        return [ScopeName(*row) for row in self._read(_NAMES)]

    def spent(self, since_ms: int) -> list[Spent]:
        """See `LimitStore.spent`."""
        return [Spent(*row) for row in self._read(*queries.spent(span(since_ms)))]


def _meter(row: Sequence[Any]) -> Meter:
    number, scope, model, unit, amount, period, zone, is_soft = row
    return Meter(
        id=meter_id(unit, number),
        scope=scope,
        unit=unit,
        amount=amount,
        window=period,
        model=model,
        zone=zone,
        is_soft=bool(is_soft),
    )
