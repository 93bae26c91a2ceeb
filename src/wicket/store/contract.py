"""What a store can do. One writer, any number of readers; methods block, so never call them on a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from wicket.accounts.callers import Caller
from wicket.accounts.keys import VirtualKey
from wicket.accounts.record import Record
from wicket.accounts.savings import SavingsRow
from wicket.accounts.unpriced import UnpricedRow
from wicket.accounts.usage_rows import UsageRow, record_ms
from wicket.store.ledger_contract import Ledger
from wicket.store.limits_contract import LimitStore

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

MAX_RECORDS = 10_000  # of one query; page on with `before_id`


class Inserted(NamedTuple):
    """What became of a batch: newly kept, and known already (so neither kept nor summed again)."""

    num_new: int
    num_known: int


class RecordFilter(msgspec.Struct, frozen=True):
    """Which records to list; zeros and empty texts don't filter.

    Times are Unix ms, [since, until). `after_id` and `before_id` exclude themselves. `status_class` is the
    first digit of the status; `outcome` a code, or "failed" for all but "ok"; `key_ids` what may be seen.
    """

    since_ms: int = 0
    until_ms: int = 0
    after_id: int = 0
    before_id: int = 0
    key_id: int | None = None
    key_ids: tuple[int, ...] | None = None
    model: str = ""
    deployment: str = ""
    api: str = ""
    outcome: str = ""
    status_class: int = 0
    limit: int = 100
    is_newest_first: bool = True


def matches(record: Record, wanted: RecordFilter) -> bool:
    """Whether a record is wanted; what the query of a store means, for records that are in hand.

    `limit` and the order are not a record's business.
    """
    exact = (
        (wanted.model, record.model),
        (wanted.deployment, record.deployment),
        (wanted.api, record.api),
        (wanted.status_class, record.status // 100),
        ("" if wanted.outcome == "failed" else wanted.outcome, record.outcome),
    )
    return (
        record_ms(record.id) >= wanted.since_ms
        and (not wanted.until_ms or record_ms(record.id) < wanted.until_ms)
        and (not wanted.after_id or record.id > wanted.after_id)
        and (not wanted.before_id or record.id < wanted.before_id)
        and (wanted.key_id is None or record.key_id == wanted.key_id)
        and (wanted.key_ids is None or record.key_id in wanted.key_ids)
        and (wanted.outcome != "failed" or record.outcome != "ok")
        and all(not want or want == have for want, have in exact)
    )


class Between(msgspec.Struct, frozen=True):
    """Any number in [low, high), as what `Rows` look for."""

    low: int
    high: int = 1 << 62


class Rows(Protocol):
    """Keys, tenants, sessions and the audit log within one transaction: a struct of `accounts` is a table.

    Raises `ValueError` for a column that the struct does not have.
    """

    def insert(self, row: S) -> S:
        """Keep a new row; the answer has its id."""
        ...

    def update(self, row: S, **changes: Any) -> S:
        """Change some columns of a row."""
        ...

    def delete(self, row: msgspec.Struct) -> None:
        """Take a row out; only memberships are, all else keeps its history."""
        ...

    def one(self, kind: type[S], **wanted: Any) -> S | None:
        """The oldest row with these values, if there is one."""
        ...

    def all(
        self,
        kind: type[S],
        *,
        limit: int = -1,
        before_id: int = 0,
        newest_first: bool = False,
        **wanted: Any,
    ) -> list[S]:
        """Rows with these values (or any of a list, or `Between`) in the order of their ids."""
        ...


class Store(LimitStore, Protocol):
    """Keys, records and their sums. Every method raises `StoreFault` if the database can't do it."""

    @property
    def ledger(self) -> Ledger:
        """Transfers, balances, credits."""
        ...

    def insert_records(self, batch: Sequence[Record]) -> Inserted:
        """Keep records, add them to the sums and book their transfers, all or nothing.

        A known id changes nothing.

        Raises `StoreFault("record_refused")` if a value fits no column.
        """
        ...

    def record(self, record_id: int) -> Record | None:
        """One record."""
        ...

    def records(self, wanted: RecordFilter) -> list[Record]:
        """Records in the order of their ids."""
        ...

    def usage(
        self, group_by: Sequence[str] = (), since_ms: int = 0, until_ms: int = 0, key_id: int | None = None
    ) -> list[UsageRow]:
        """Sums of the requests begun in [since, until), grouped by any of `usage_rows.GROUPS`, sorted.

        Whole days come from the daily sums, the edges from the records themselves. Raises `ValueError` for
        an unknown group.
        """
        ...

    def savings(
        self, since_ms: int = 0, until_ms: int = 0, key_ids: Sequence[int] | None = None
    ) -> list[SavingsRow]:
        """Sums of the cascades' requests begun in [since, until), by task; from the records themselves.

        `key_ids`: of these keys alone.
        """
        ...

    def unpriced(self, since_ms: int = 0, until_ms: int = 0, key_id: int | None = None) -> list[UnpricedRow]:
        """What requests begun in [since, until) used that has no known price; from the records themselves."""
        ...

    def transact(self, act: Callable[[Rows], T], *, is_durable: bool = True) -> T:
        """What `act` returns; all that it did is kept, or nothing if it raises. One at a time.

        `is_durable`: on the disk when this returns, also if power fails then.
        """
        ...

    def look(self, read: Callable[[Rows], T]) -> T:
        """What `read` returns, who sees one moment of the database and changes nothing."""
        ...

    def ensure_team(self, name: str, now_ms: int) -> tuple[int, int]:
        """The row ids of the team of that name in the default organisation, made if need be, and of that."""
        ...

    def add_key(self, key: VirtualKey) -> VirtualKey:
        """Keep a new key; the answer has its id."""
        ...

    def list_keys(self) -> list[VirtualKey]:
        """All keys ever made, oldest first."""
        ...

    def find_key(self, public_id: str) -> VirtualKey | None:
        """One key by its public id."""
        ...

    def revoke_key(self, public_id: str, now_ms: int) -> VirtualKey | None:
        """End a key; None if there is none. A second time changes nothing."""
        ...

    def live_callers(self, now_ms: int) -> list[Caller]:
        """Every key that is neither revoked nor expired; a suspended tenant's say so in `blocked`."""
        ...

    def prune(self, before_ms: int) -> int:
        """Delete the records begun before that time and say how many; the daily sums stay.

        Ids from before are refused as known from then on, so an old spool can't be counted twice.
        """
        ...

    def backup(self, target: Path, *, is_overwriting: bool = False) -> None:
        """A consistent copy as one file, while the writer goes on."""
        ...

    def check_integrity(self) -> list[str]:
        """What is wrong with the database, a line each; empty if nothing is."""
        ...

    def close(self) -> None:
        """Release the files; a second time does nothing."""
        ...
