"""The ledger in SQLite: what `SqliteStore.ledger` does, on the store's own writing connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from wicket.accounts.audit import Books, audit
from wicket.accounts.movements import (
    MOVEMENTS_SPACE,
    Charged,
    Moved,
    Movement,
    Order,
    correction_of,
    correction_transfers,
    credited,
    expiry_of,
    movement_transfers,
    refund_of_top_up,
    same_as_before,
    scope_of_parts,
)
from wicket.accounts.posting import credit_scopes, post
from wicket.accounts.record import Record
from wicket.accounts.split import Grant
from wicket.accounts.transfers import CREDIT, GRANT, Balance, Transfer, add_to
from wicket.accounts.usage_rows import first_id
from wicket.store import ledger_queries as sql
from wicket.store.bulk import insert
from wicket.store.faults import mapped
from wicket.store.ledger_contract import Balances, Credit, Notice, TransferFilter
from wicket.store.opening import open_reader
from wicket.store.rows import row_record

Writing = Callable[[], AbstractContextManager[sqlite3.Connection]]


def post_records(connection: sqlite3.Connection, fresh: Sequence[Record]) -> None:
    """Book new records; in the transaction that keeps them."""
    grants: dict[str, list[Grant]] = {}
    scopes = credit_scopes(fresh)
    if scopes and connection.execute(sql.HAS_OPEN_GRANTS).fetchone():
        for scope in scopes:
            found = [Grant(*row) for row in connection.execute(sql.OPEN_GRANTS_OF, (scope,))]
            if found:
                grants[scope] = found
    posting = post(fresh, grants)
    insert(connection, sql.ADD_COST, posting.costs)
    insert(connection, sql.ADD_CHARGE, posting.charges)
    connection.executemany(sql.ADD_BALANCE, posting.sums())
    spent = [(0, number) for number, left in posting.left.items() if not left]
    if spent:
        connection.executemany(sql.SET_OPEN, spent)


class SqliteLedger:
    """See `store.ledger_contract.Ledger`. `writing` begins a transaction that is on the disk when it ends."""

    def __init__(self, path: Path, writing: Writing) -> None:
        self._path = path
        self._writing = writing
        self._serial = 0

    def move(self, order: Order, now_ms: int) -> Moved:
        """See `Ledger.move`."""
        with mapped(self._path), self._writing() as connection:
            known = connection.execute(sql.MOVEMENT_BY_KEY, (order.idempotency_key,)).fetchone()
            if known is not None:
                return same_as_before(_movement(known), order)
            movement, transfers = self._decide(connection, order, now_ms)
            if movement.kind in ("top_up", "grant"):
                connection.execute(sql.ADD_CREDIT, (movement.scope, now_ms))
            if movement.kind == "grant":
                grant = (movement.grant_number, movement.scope, movement.amount_nanos, movement.expires_ms)
                connection.execute(sql.ADD_GRANT, grant)
            _book(connection, movement, transfers)
            return Moved(movement, is_new=True)

    def known(self, idempotency_key: str) -> Movement | None:
        """See `Ledger.known`."""
        rows = self._read(sql.MOVEMENT_BY_KEY, (idempotency_key,))
        return _movement(rows[0]) if rows else None

    def _decide(
        self, connection: sqlite3.Connection, order: Order, now_ms: int
    ) -> tuple[Movement, list[Transfer]]:
        id = _next_id(connection, now_ms)
        if order.kind != "refund":
            number = connection.execute(sql.NEXT_GRANT).fetchone()[0]
            movement = credited(order, id, number)
        elif order.of_id:
            row = connection.execute(sql.MOVEMENT, (order.of_id,)).fetchone()
            top_up = _movement(row) if row else None
            refunded = connection.execute(sql.REFUNDED, (order.of_id,)).fetchone()[0]
            balance = _balance(connection, f"{CREDIT}{top_up.scope}") if top_up else 0
            movement = refund_of_top_up(order, id, top_up, refunded, balance)
        else:
            return self._correct(connection, order, id, now_ms)
        return movement, movement_transfers(movement)

    def _correct(
        self, connection: sqlite3.Connection, order: Order, id: int, now_ms: int
    ) -> tuple[Movement, list[Transfer]]:
        parts = connection.execute(sql.CHARGED, (order.record_id,)).fetchall()
        returned = dict(connection.execute(sql.RETURNED, (order.record_id,)).fetchall())
        scopes = dict(connection.execute(sql.GRANT_SCOPES).fetchall())
        charged = Charged(parts, returned, scope_of_parts(parts, scopes))
        movement = correction_of(order, id, charged)
        expired = set()
        for account, _ in parts:
            number = account.removeprefix(GRANT)
            if number != account:
                ends = connection.execute(sql.GRANT_ENDS, (int(number),)).fetchone()[0]
                if ends and ends <= now_ms:
                    expired.add(account)
        transfers = correction_transfers(movement, charged, expired)
        for transfer in transfers:
            number = transfer.credit.removeprefix(GRANT)
            if number != transfer.credit and transfer.credit not in expired:
                connection.execute(sql.SET_OPEN, (1, int(number)))
        return movement, transfers

    def expire(self, now_ms: int) -> list[Movement]:
        """See `Ledger.expire`."""
        made: list[Movement] = []
        with mapped(self._path), self._writing() as connection:
            for grant in [Grant(*row) for row in connection.execute(sql.ENDED_GRANTS, (now_ms,))]:
                connection.execute(sql.SET_OPEN, (0, grant.number))
                if grant.left_nanos > 0:
                    movement = expiry_of(grant, _next_id(connection, now_ms))
                    _book(connection, movement, movement_transfers(movement))
                    made.append(movement)
        return made

    def balances(self, scopes: Iterable[str] | None = None) -> Balances:
        """See `Ledger.balances`. Read between two transactions, so that serials tell which came first."""
        with mapped(self._path), self._writing() as connection:
            self._serial += 1
            if scopes is None:
                rows = connection.execute(sql.CREDIT_BALANCE).fetchall()
            else:
                rows = [
                    row for scope in scopes for row in connection.execute(sql.CREDIT_BALANCE_OF, (scope,))
                ]
            return Balances(self._serial, dict(rows))

    def accounts(self, scopes: Iterable[str] | None = None) -> dict[str, Balance]:
        """See `Ledger.accounts`."""
        if scopes is None:
            rows = self._read(sql.BALANCES)
        else:
            rows = self._read(sql.BALANCES_OF, sql.of_scopes(scopes))
        return {row[0]: Balance(row[1], row[2]) for row in rows}

    def credits(self, scopes: Iterable[str] | None = None) -> list[Credit]:
        """See `Ledger.credits`."""
        with mapped(self._path), closing(open_reader(self._path)) as connection:
            connection.execute("BEGIN")
            grants: dict[str, list[Grant]] = {}
            if scopes is None:
                rows = connection.execute(sql.CREDITS).fetchall()
                found = [Grant(*row) for row in connection.execute(sql.OPEN_GRANTS)]
            else:
                wanted = sorted(set(scopes))
                rows = [row for name in wanted for row in connection.execute(sql.CREDIT_OF, (name,))]
                found = [
                    Grant(*row)
                    for name in wanted
                    for row in connection.execute(sql.OPEN_GRANTS_OF, (name,)).fetchall()
                ]
        for grant in found:
            grants.setdefault(grant.scope, []).append(grant)
        return [
            Credit(scope, prepaid, tuple(grants.get(scope, ())), created_ms, below, bool(is_low))
            for scope, prepaid, created_ms, below, is_low in rows
        ]

    def movements(self, scope: str = "", limit: int = 100) -> list[Movement]:
        """See `Ledger.movements`."""
        return [_movement(row) for row in self._read(sql.NEWEST_MOVEMENTS, (scope, limit))]

    def transfers(self, wanted: TransferFilter) -> list[Transfer]:
        """See `Ledger.transfers`."""
        return [Transfer(*row) for row in self._read(*sql.transfers(wanted))]

    def verify(self) -> list[str]:
        """See `Ledger.verify`. One snapshot, read on connections of its own: the writer goes on."""
        with mapped(self._path), closing(open_reader(self._path)) as connection:
            connection.execute("BEGIN")
            meta = dict(connection.execute(sql.META).fetchall())
            return audit(
                Books(
                    (Transfer(*row) for row in connection.execute(sql.TRANSFERS_IN_ORDER)),
                    (row_record(row) for row in connection.execute(sql.RECORDS_IN_ORDER)),
                    {row[0]: Balance(row[1], row[2]) for row in connection.execute(sql.BALANCES)},
                    {row[0]: _movement(row) for row in connection.execute(sql.ALL_MOVEMENTS)},
                    dict(connection.execute(sql.GRANT_SCOPES).fetchall()),
                    meta.get("ledger_from_id", 0),
                    meta.get("pruned_before_id", 0),
                )
            )

    def scope_named(self, kind: str, text: str) -> str:
        """See `Ledger.scope_named`."""
        rows = self._read(sql.SCOPE_NAMED[kind], (text,))
        return f"{kind}:{rows[0][0]}" if rows else ""

    def scope_names(self) -> dict[str, str]:
        """See `Ledger.scope_names`."""
        return dict(self._read(sql.SCOPE_NAMES))

    def set_low(self, scope: str, is_low: bool, notice: Notice | None) -> None:
        """See `Ledger.set_low`."""
        with mapped(self._path), self._writing() as connection:
            connection.execute(sql.SET_LOW, (int(is_low), scope))
            if notice is not None:
                _keep_notice(connection, notice)

    def set_below(self, scope: str, below_nanos: int | None) -> bool:
        """See `Ledger.set_below`."""
        with mapped(self._path), self._writing() as connection:
            return bool(connection.execute(sql.SET_BELOW, (below_nanos, scope)).rowcount)

    def add_notice(self, notice: Notice) -> bool:
        """See `Ledger.add_notice`."""
        with mapped(self._path), self._writing() as connection:
            return _keep_notice(connection, notice)

    def due_notices(self, now_ms: int, limit: int = 100) -> list[Notice]:
        """See `Ledger.due_notices`."""
        return [Notice(*row) for row in self._read(sql.DUE_NOTICES, (now_ms, limit))]

    def notice_tried(self, event_id: str, next_ms: int, ended_ms: int = 0, outcome: str = "") -> None:
        """See `Ledger.notice_tried`."""
        with mapped(self._path), self._writing() as connection:
            connection.execute(sql.NOTICE_TRIED, (next_ms, ended_ms, outcome, event_id))

    def forget_notices(self, before_ms: int) -> int:
        """See `Ledger.forget_notices`."""
        with mapped(self._path), self._writing() as connection:
            return connection.execute(sql.FORGET_NOTICES, (before_ms,)).rowcount

    def _read(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with mapped(self._path), closing(open_reader(self._path)) as connection:
            return connection.execute(query, values).fetchall()


def _next_id(connection: sqlite3.Connection, now_ms: int) -> int:
    """An id that says when; the next free one, as many may be made in a millisecond or the clock go back."""
    id = first_id(now_ms) | MOVEMENTS_SPACE
    while connection.execute(sql.HAS_MOVEMENT, (id,)).fetchone():
        id += 1
    return id


def _book(connection: sqlite3.Connection, movement: Movement, transfers: Sequence[Transfer]) -> None:
    connection.execute(sql.ADD_MOVEMENT, [getattr(movement, name) for name in movement.__struct_fields__])
    connection.executemany(
        sql.ADD_TRANSFER,
        [(t.entry_id, t.place, t.kind, t.debit, t.credit, t.amount_nanos, t.price_row) for t in transfers],
    )
    sums: dict[str, Balance] = {}
    add_to(sums, transfers)
    rows = [(account, sum.debits_nanos, sum.credits_nanos) for account, sum in sums.items()]
    connection.executemany(sql.ADD_BALANCE, rows)


def _balance(connection: sqlite3.Connection, account: str) -> int:
    row = connection.execute(sql.BALANCE, (account,)).fetchone()
    return int(row[0]) if row else 0


def _keep_notice(connection: sqlite3.Connection, notice: Notice) -> bool:
    row = (notice.event_id, notice.at_ms, notice.body, notice.next_ms)
    return bool(connection.execute(sql.ADD_NOTICE, row).rowcount)


def _movement(row: Sequence[Any]) -> Movement:
    return Movement(**dict(zip(Movement.__struct_fields__, row, strict=True)))
