"""The ledger in memory: the slow, obvious twin of the SQLite one, which keeps every transfer in a list."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from wicket.accounts.audit import Books, audit
from wicket.accounts.cost import MAX_NANOS
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
from wicket.accounts.posting import record_transfers
from wicket.accounts.record import Record
from wicket.accounts.split import Grant
from wicket.accounts.transfers import CREDIT, GRANT, Balance, Transfer, add_to
from wicket.accounts.usage_rows import first_id
from wicket.errors import StoreFault
from wicket.store.ledger_contract import MAX_TRANSFERS, Balances, Credit, Notice, TransferFilter


class Known(Protocol):
    """What the ledger must know of the store it belongs to."""

    def records_in_order(self) -> tuple[list[Record], int]:
        """All records by id, and the first id that was not pruned."""
        ...

    def named(self) -> Mapping[str, Sequence[str]]:
        """Each scope's public id and name."""
        ...


class MemoryLedger:
    """See `store.ledger_contract.Ledger`."""

    def __init__(self, lock: threading.Lock, known: Known) -> None:
        self._lock = lock
        self._known = known
        self._transfers: list[Transfer] = []
        self._grants: dict[int, Grant] = {}  # `left_nanos` is what it began with
        self._ended: set[int] = set()
        self._movements: dict[int, Movement] = {}
        self._credits: dict[str, Credit] = {}
        self._notices: dict[str, tuple[Notice, int]] = {}
        self._serial = 0

    def post(self, fresh: Iterable[Record]) -> None:
        """Book new records, all or none; the store has the lock."""
        before = len(self._transfers)
        try:
            for record in fresh:
                self._transfers += record_transfers(record, self._open_grants(record.payer))
                if any(max(sum.debits_nanos, sum.credits_nanos) > MAX_NANOS for sum in self._sums().values()):
                    raise StoreFault("record_refused", "A value fits no column: it needs more than 63 bits.")
        except StoreFault:
            del self._transfers[before:]
            raise

    def move(self, order: Order, now_ms: int) -> Moved:
        """See `Ledger.move`."""
        with self._lock:
            for known in self._movements.values():
                if order.idempotency_key and known.idempotency_key == order.idempotency_key:
                    return same_as_before(known, order)
            movement, transfers = self._decide(order, now_ms)
            if movement.kind in ("top_up", "grant"):
                self._credits.setdefault(movement.scope, Credit(movement.scope, 0, created_ms=now_ms))
            if movement.kind == "grant":
                self._grants[movement.grant_number] = Grant(
                    movement.grant_number, movement.scope, movement.amount_nanos, movement.expires_ms
                )
            self._book(movement, transfers)
            return Moved(movement, is_new=True)

    def known(self, idempotency_key: str) -> Movement | None:
        """See `Ledger.known`."""
        with self._lock:
            same = [one for one in self._movements.values() if one.idempotency_key == idempotency_key]
        return same[0] if same and idempotency_key else None

    def _decide(self, order: Order, now_ms: int) -> tuple[Movement, list[Transfer]]:
        id = self._next_id(now_ms)
        if order.kind != "refund":
            movement = credited(order, id, len(self._grants) + 1)
        elif order.of_id:
            top_up = self._movements.get(order.of_id)
            refunded = sum(m.amount_nanos for m in self._movements.values() if m.of_id == order.of_id)
            movement = refund_of_top_up(
                order, id, top_up, refunded, self._of(f"{CREDIT}{top_up.scope}") if top_up else 0
            )
        else:
            charged = self._charged(order.record_id)
            movement = correction_of(order, id, charged)
            expired = {
                grant.account
                for grant in self._grants.values()
                if grant.expires_ms and grant.expires_ms <= now_ms
            }
            transfers = correction_transfers(movement, charged, expired)
            self._ended -= {
                int(t.credit.removeprefix(GRANT))
                for t in transfers
                if t.credit.startswith(GRANT) and t.credit not in expired
            }
            return movement, transfers
        return movement, movement_transfers(movement)

    def expire(self, now_ms: int) -> list[Movement]:
        """See `Ledger.expire`."""
        made = []
        with self._lock:
            for number, grant in self._grants.items():
                left = self._of(grant.account)
                if grant.expires_ms and grant.expires_ms <= now_ms and left:
                    now = msgspec.structs.replace(grant, left_nanos=left)
                    movement = expiry_of(now, self._next_id(now_ms))
                    self._book(movement, movement_transfers(movement))
                    self._ended.add(number)
                    made.append(movement)
        return made

    def balances(self, scopes: Iterable[str] | None = None) -> Balances:
        """See `Ledger.balances`."""
        with self._lock:
            self._serial += 1
            wanted = self._credits if scopes is None else set(scopes) & set(self._credits)
            return Balances(self._serial, {scope: self._credit(scope).balance_nanos for scope in wanted})

    def accounts(self, scopes: Iterable[str] | None = None) -> dict[str, Balance]:
        """See `Ledger.accounts`."""
        with self._lock:
            sums = self._sums()
            if scopes is None:
                return sums
            wanted = self._accounts_of(scopes)
            return {account: balance for account, balance in sums.items() if account in wanted}

    def credits(self, scopes: Iterable[str] | None = None) -> list[Credit]:
        """See `Ledger.credits`."""
        with self._lock:
            wanted = set(self._credits) if scopes is None else set(scopes) & set(self._credits)
            return [self._credit(scope) for scope in sorted(wanted)]

    def movements(self, scope: str = "", limit: int = 100) -> list[Movement]:
        """See `Ledger.movements`."""
        with self._lock:
            found = [movement for movement in self._movements.values() if scope in ("", movement.scope)]
        return sorted(found, key=lambda movement: -movement.id)[:limit]

    def transfers(self, wanted: TransferFilter) -> list[Transfer]:
        """See `Ledger.transfers`."""
        with self._lock:
            matches = self._wanted(wanted)
            found = [transfer for transfer in self._transfers if matches(transfer)]
        found.sort(key=lambda transfer: (transfer.entry_id, transfer.place), reverse=True)
        return found[: max(0, min(wanted.limit, MAX_TRANSFERS))]

    def verify(self) -> list[str]:
        """See `Ledger.verify`."""
        with self._lock:
            records, horizon = self._known.records_in_order()
            transfers = sorted(self._transfers, key=lambda transfer: (transfer.entry_id, transfer.place))
            scopes = {number: grant.scope for number, grant in self._grants.items()}
            books = Books(transfers, records, self._sums(), self._movements, scopes, 0, horizon)
            return audit(books)

    def scope_named(self, kind: str, text: str) -> str:
        """See `Ledger.scope_named`."""
        found = [scope for scope, names in self._known.named().items() if text in names]
        return next((scope for scope in found if scope.startswith(f"{kind}:")), "")

    def scope_names(self) -> dict[str, str]:
        """See `Ledger.scope_names`."""
        return {scope: names[1] for scope, names in self._known.named().items()}

    def set_low(self, scope: str, is_low: bool, notice: Notice | None) -> None:
        """See `Ledger.set_low`."""
        with self._lock:
            self._credits[scope] = msgspec.structs.replace(self._credits[scope], is_low=is_low)
        if notice is not None:
            self.add_notice(notice)

    def set_below(self, scope: str, below_nanos: int | None) -> bool:
        """See `Ledger.set_below`."""
        with self._lock:
            if scope not in self._credits:
                return False
            kept = self._credits[scope]
            self._credits[scope] = msgspec.structs.replace(kept, below_nanos=below_nanos, is_low=False)
        return True

    def add_notice(self, notice: Notice) -> bool:
        """See `Ledger.add_notice`."""
        with self._lock:
            is_new = notice.event_id not in self._notices
            self._notices.setdefault(notice.event_id, (notice, 0))
        return is_new

    def due_notices(self, now_ms: int, limit: int = 100) -> list[Notice]:
        """See `Ledger.due_notices`."""
        with self._lock:
            waiting = [notice for notice, ended_ms in self._notices.values() if not ended_ms]
        return [notice for notice in waiting if notice.next_ms <= now_ms][:limit]

    def notice_tried(self, event_id: str, next_ms: int, ended_ms: int = 0, outcome: str = "") -> None:
        """See `Ledger.notice_tried`."""
        with self._lock:
            notice, _ = self._notices[event_id]
            tried = msgspec.structs.replace(notice, tries=notice.tries + 1, next_ms=next_ms)
            self._notices[event_id] = (tried, ended_ms)

    def forget_notices(self, before_ms: int) -> int:
        """See `Ledger.forget_notices`."""
        with self._lock:
            old = [id for id, (_, ended_ms) in self._notices.items() if 0 < ended_ms < before_ms]
            for id in old:
                del self._notices[id]
        return len(old)

    def _sums(self) -> dict[str, Balance]:
        sums: dict[str, Balance] = {}
        add_to(sums, self._transfers)
        return sums

    def _of(self, account: str) -> int:
        return self._sums().get(account, Balance()).nanos

    def _credit(self, scope: str) -> Credit:
        grants = tuple(self._open_grants(f"{CREDIT}{scope}"))
        kept = self._credits[scope]
        return msgspec.structs.replace(kept, prepaid_nanos=self._of(f"{CREDIT}{scope}"), grants=grants)

    def _open_grants(self, payer: str) -> list[Grant]:
        found = []
        for number, grant in self._grants.items():
            left = self._of(grant.account)
            if payer == f"{CREDIT}{grant.scope}" and left > 0 and number not in self._ended:
                found.append(msgspec.structs.replace(grant, left_nanos=left))
        return found

    def _charged(self, record_id: int) -> Charged:
        parts = [
            (transfer.debit, transfer.amount_nanos)
            for transfer in self._transfers
            if transfer.entry_id == record_id and transfer.kind == "charge"
        ]
        returned: dict[str, int] = {}
        for transfer in self._transfers:
            movement = self._movements.get(transfer.entry_id)
            if transfer.kind == "correction" and movement and movement.record_id == record_id:
                returned[transfer.credit] = returned.get(transfer.credit, 0) + transfer.amount_nanos
        scopes = {number: grant.scope for number, grant in self._grants.items()}
        return Charged(parts, returned, scope_of_parts(parts, scopes))

    def _accounts_of(self, scopes: Iterable[str]) -> set[str]:
        known = set(scopes)
        grants = {grant.account for grant in self._grants.values() if grant.scope in known}
        return grants | {f"{kind}{scope}" for scope in known for kind in (CREDIT, "receivable:")}

    def _wanted(self, wanted: TransferFilter) -> Callable[[Transfer], bool]:
        of_scopes = self._accounts_of(wanted.scopes or ())
        of_record = {m.id for m in self._movements.values() if m.record_id == wanted.record_id}
        low = first_id(wanted.since_ms)
        high = first_id(wanted.until_ms) if wanted.until_ms else 1 << 63

        def matches(transfer: Transfer) -> bool:
            accounts = {transfer.debit, transfer.credit}
            return (
                low <= transfer.entry_id < high
                and (wanted.scopes is None or bool(accounts & of_scopes))
                and (not wanted.account or wanted.account in accounts)
                and wanted.kind in ("", transfer.kind)
                and (not wanted.record_id or transfer.entry_id in {wanted.record_id, *of_record})
                and (wanted.before is None or (transfer.entry_id, transfer.place) < wanted.before)
            )

        return matches

    def _next_id(self, now_ms: int) -> int:
        id = first_id(now_ms) | MOVEMENTS_SPACE
        while id in self._movements:
            id += 1
        return id

    def _book(self, movement: Movement, transfers: Iterable[Transfer]) -> None:
        self._movements[movement.id] = movement
        self._transfers += transfers
