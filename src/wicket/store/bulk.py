"""Many rows with one statement each twenty: stepping and resetting a statement costs more than its row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

ROWS_AT_ONCE = 20


class Bulk(msgspec.Struct, frozen=True):
    """An INSERT of rows that look like `row`, e.g. "(?,'cost',?)"; made once, so that SQLite keeps it."""

    one: str
    many: str


def bulk(into: str, row: str, then: str = "") -> Bulk:
    """`into` is the statement up to VALUES, `then` what follows the rows."""
    rows = ",".join([row] * ROWS_AT_ONCE)
    return Bulk(f"{into} VALUES {row}{then}", f"{into} VALUES {rows}{then}")


def insert(connection: sqlite3.Connection, statement: Bulk, rows: Sequence[Sequence[Any]]) -> int:
    """How many rows went in."""
    whole = len(rows) - len(rows) % ROWS_AT_ONCE
    num = 0
    for start in range(0, whole, ROWS_AT_ONCE):
        values = list(chain.from_iterable(rows[start : start + ROWS_AT_ONCE]))
        num += connection.execute(statement.many, values).rowcount
    if whole < len(rows):
        num += connection.executemany(statement.one, rows[whole:]).rowcount
    return num
