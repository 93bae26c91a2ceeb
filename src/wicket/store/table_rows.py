"""Rows of tables whose columns are a struct's fields: keys, tenants, sessions, the audit log.

Names of tables and columns come from the structs alone; values are always bound.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec

from wicket.accounts.keys import VirtualKey
from wicket.accounts.tenants import AuditEntry, Invitation, Membership, Organisation, Session, Team, User

T = TypeVar("T", bound=msgspec.Struct)
TABLES: dict[type[msgspec.Struct], str] = {
    VirtualKey: "keys",
    Organisation: "organisations",
    Team: "teams",
    User: "users",
    Membership: "memberships",
    Session: "sessions",
    Invitation: "invitations",
    AuditEntry: "audit",
}
_encode = msgspec.json.Encoder().encode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode


class SqlRows:
    """See `store.contract.Rows`. Lives within one transaction of one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, row: T) -> T:
        """See `Rows.insert`."""
        values = {name: value for name, value in _columns(row).items() if name != "id"}
        places = ", ".join("?" * len(values))
        text = f"INSERT INTO {TABLES[type(row)]} ({', '.join(values)}) VALUES ({places})"  # noqa: S608
        number = self._connection.execute(text, tuple(values.values())).lastrowid
        return msgspec.structs.replace(row, id=number)

    def update(self, row: T, **changes: Any) -> T:
        """See `Rows.update`."""
        fresh = msgspec.structs.replace(row, **changes)
        values = {name: value for name, value in _columns(fresh).items() if name in changes}
        assert "id" not in values
        given = ", ".join(f"{name} = ?" for name in values)
        text = f"UPDATE {TABLES[type(row)]} SET {given} WHERE id = ?"  # noqa: S608
        self._connection.execute(text, (*values.values(), _columns(row)["id"]))
        return fresh

    def delete(self, row: msgspec.Struct) -> None:
        """See `Rows.delete`."""
        text = f"DELETE FROM {TABLES[type(row)]} WHERE id = ?"  # noqa: S608
        self._connection.execute(text, (_columns(row)["id"],))

    def one(self, kind: type[T], **wanted: Any) -> T | None:
        """See `Rows.one`."""
        found = self.all(kind, limit=1, **wanted)
        return found[0] if found else None

    def all(
        self,
        kind: type[T],
        *,
        limit: int = -1,
        before_id: int = 0,
        newest_first: bool = False,
        **wanted: Any,
    ) -> list[T]:
        """See `Rows.all`."""
        names = [field.name for field in msgspec.structs.fields(kind)]
        unknown = set(wanted) - set(names)
        if unknown:
            raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}.")
        conditions, values = ["1 = 1"], []
        for name, value in wanted.items():
            if isinstance(value, list | set | frozenset):
                conditions.append(f"{name} IN ({', '.join('?' * len(value))})")
                values += list(value)
            else:
                conditions.append(f"{name} = ?")
                values.append(value)
        if before_id:
            conditions.append("id < ?")
            values.append(before_id)
        order = "DESC" if newest_first else "ASC"
        text = f"SELECT {', '.join(names)} FROM {TABLES[kind]} WHERE {' AND '.join(conditions)}"  # noqa: S608
        rows = self._connection.execute(f"{text} ORDER BY id {order} LIMIT ?", (*values, limit))
        readers = _readers(kind)
        return [
            kind(**{name: read(value) for (name, read), value in zip(readers, row, strict=True)})
            for row in rows
        ]


def _columns(row: msgspec.Struct) -> dict[str, Any]:
    return {name: _stored(value) for name, value in msgspec.structs.asdict(row).items()}


def _stored(value: Any) -> Any:
    if isinstance(value, tuple):
        return _encode(value).decode()
    return int(value) if isinstance(value, bool) else value


def _readers(kind: type[msgspec.Struct]) -> list[tuple[str, Callable[[Any], Any]]]:
    if kind not in _known_readers:
        hints = get_type_hints(kind)
        _known_readers[kind] = [(f.name, _reader(hints[f.name])) for f in msgspec.structs.fields(kind)]
    return _known_readers[kind]


def _reader(hint: Any) -> Callable[[Any], Any]:
    if get_origin(hint) is tuple:
        return _decode_texts
    return bool if hint is bool else _same


def _same(value: Any) -> Any:
    return value


_known_readers: dict[type[msgspec.Struct], list[tuple[str, Callable[[Any], Any]]]] = {}
