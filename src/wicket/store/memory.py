"""The store in memory: the slow, obvious twin of the SQLite one. Forgets everything at the end.

Of records that is; keys and tenants have no sums that could go wrong, and lie in a database in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from wicket.accounts.callers import Caller
from wicket.accounts.keys import VirtualKey
from wicket.accounts.record import Record
from wicket.accounts.savings import SavingsRow, savings_rows
from wicket.accounts.tenants import Organisation, Team
from wicket.accounts.unpriced import UnpricedRow, unpriced_rows
from wicket.accounts.usage_rows import (
    NUM_SUMS,
    RollupKey,
    Span,
    UsageRow,
    first_id,
    rollup,
    span,
)
from wicket.errors import StoreFault
from wicket.store import key_rows
from wicket.store.contract import MAX_RECORDS, Inserted, RecordFilter, Rows, matches
from wicket.store.faults import mapped
from wicket.store.groups import checked_groups, usage_rows
from wicket.store.ledger_memory import MemoryLedger
from wicket.store.memory_limits import MemoryLimits
from wicket.store.opening import open_in_memory
from wicket.store.table_rows import SqlRows

T = TypeVar("T")
_NOWHERE = Path("a database in memory")

DEFAULT_NAME = "default"  # of the one organisation that there is


class MemoryStore(MemoryLimits):
    """See `store.contract.Store`. Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[int, Record] = {}
        self._daily: dict[RollupKey, list[int]] = {}
        self._tenants = open_in_memory()
        self._horizon = 0
        self.ledger = MemoryLedger(self._lock, self)

    def insert_records(self, batch: Sequence[Record]) -> Inserted:
        """See `Store.insert_records`."""
        with self._lock:
            fresh: dict[int, Record] = {}
            for record in batch:
                _check_width(record)
                if record.id >= self._horizon and record.id not in self._records:
                    fresh.setdefault(record.id, record)
            self.ledger.post(fresh.values())
            self._records |= fresh
            for key, sums in rollup(fresh.values()).items():
                _add(self._daily.setdefault(key, [0] * NUM_SUMS), sums)
        return Inserted(len(fresh), len(batch) - len(fresh))

    def record(self, record_id: int) -> Record | None:
        """See `Store.record`."""
        return self._records.get(record_id)

    def records(self, wanted: RecordFilter) -> list[Record]:
        """See `Store.records`."""
        with self._lock:
            found = [record for record in self._records.values() if matches(record, wanted)]
        found.sort(key=lambda record: record.id, reverse=wanted.is_newest_first)
        return found[: max(0, min(wanted.limit, MAX_RECORDS))]

    def usage(
        self, group_by: Sequence[str] = (), since_ms: int = 0, until_ms: int = 0, key_id: int | None = None
    ) -> list[UsageRow]:
        """See `Store.usage`."""
        groups, over = checked_groups(group_by), span(since_ms, until_ms)
        grouped: dict[tuple[object, ...], list[int]] = {}
        teams = {key.id: key.team for key in self.list_keys()} if "team" in groups else {}
        with self._lock:
            for task, key, sums in self._tasks(over) if "task" in groups else self._sums(over):
                if key_id is None or key[1] == key_id:
                    _add(grouped.setdefault(_group(key, task, groups, teams), [0] * NUM_SUMS), sums)
        return usage_rows(groups, [(*group, *sums) for group, sums in grouped.items()], self.list_keys())

    def _sums(self, over: Span) -> list[tuple[str, RollupKey, list[int]]]:
        """Whole days, then the edges."""
        edges = [
            record
            for record in self._records.values()
            if any(low <= record.id < high for low, high in (over.head, over.tail))
        ]
        days = [(key, sums) for key, sums in self._daily.items() if over.days[0] <= key[0] < over.days[1]]
        return [("", key, sums) for key, sums in [*days, *rollup(edges).items()]]

    def _tasks(self, over: Span) -> list[tuple[str, RollupKey, list[int]]]:
        """The daily sums know no task: from the records."""
        low, high = over.ids
        wanted = [record for record in self._records.values() if low <= record.id < high]
        return [(one.task, key, sums) for one in wanted for key, sums in rollup([one]).items()]

    def savings(
        self, since_ms: int = 0, until_ms: int = 0, key_ids: Sequence[int] | None = None
    ) -> list[SavingsRow]:
        """See `Store.savings`."""
        low, high = first_id(since_ms), first_id(until_ms) if until_ms else 1 << 63
        with self._lock:
            return savings_rows(
                record
                for record in self._records.values()
                if low <= record.id < high and (key_ids is None or record.key_id in key_ids)
            )

    def unpriced(self, since_ms: int = 0, until_ms: int = 0, key_id: int | None = None) -> list[UnpricedRow]:
        """See `Store.unpriced`."""
        low, high = span(since_ms, until_ms).ids
        teams = {key.id: key.team for key in self.list_keys()}
        with self._lock:
            wanted = [record for record in self._records.values() if low <= record.id < high]
        return unpriced_rows([one for one in wanted if key_id is None or one.key_id == key_id], teams)

    def transact(self, act: Callable[[Rows], T], *, is_durable: bool = True) -> T:
        """See `Store.transact`."""
        with self._lock, mapped(_NOWHERE):
            self._tenants.execute("BEGIN")
            try:
                found = act(SqlRows(self._tenants))
            except BaseException:
                self._tenants.execute("ROLLBACK")
                raise
            self._tenants.execute("COMMIT")
            return found

    def look(self, read: Callable[[Rows], T]) -> T:
        """See `Store.look`."""
        with self._lock, mapped(_NOWHERE):
            return read(SqlRows(self._tenants))

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
        with self._lock:
            self._horizon = max(self._horizon, first_id(before_ms))
            kept = {number: record for number, record in self._records.items() if number >= self._horizon}
            num_pruned = len(self._records) - len(kept)
            self._records = kept
        return num_pruned

    def backup(self, target: Path, *, is_overwriting: bool = False) -> None:
        """A store in memory has nothing to copy: always raises `StoreFault`."""
        raise StoreFault(
            "backup_impossible", f"Nothing was written to {target}: this store is in memory only."
        )

    def check_integrity(self) -> list[str]:
        """See `Store.check_integrity`."""
        return []

    def close(self) -> None:
        """See `Store.close`."""
        self._tenants.close()

    def records_in_order(self) -> tuple[list[Record], int]:
        """See `ledger_memory.Known`."""
        return sorted(self._records.values(), key=lambda record: record.id), self._horizon

    def named(self) -> dict[str, tuple[str, str]]:
        """See `ledger_memory.Known`."""
        found: dict[str, tuple[str, str]] = {}
        for team in self.look(lambda rows: rows.all(Team)):
            found[f"team:{team.id}"] = (team.public_id, team.name)
        for organisation in self.look(lambda rows: rows.all(Organisation)):
            found[f"organisation:{organisation.id}"] = (organisation.public_id, organisation.name)
        return found | {f"key:{key.id}": (key.public_id, key.name) for key in reversed(self.list_keys())}


def _group(
    key: RollupKey, task: str, groups: tuple[str, ...], teams: Mapping[int, str]
) -> tuple[object, ...]:
    day, key_id, api, model, deployment = key
    values = {
        "day": day,
        "key": key_id,
        "team": teams.get(key_id, ""),
        "model": model,
        "deployment": deployment,
        "api": api,
        "organisation": DEFAULT_NAME if key_id else "",
        "task": task,
    }
    return tuple(values[name] for name in groups)


def _add(total: list[int], sums: Iterable[int]) -> None:
    for place, number in enumerate(sums):
        total[place] += number


def _check_width(record: Record) -> None:
    usage = record.usage
    for number in (
        record.id,
        record.cost_nanos,
        record.charge_nanos,
        record.large_cost_nanos,
        record.estimate_nanos,
        usage.input_tokens,
        usage.output_tokens,
    ):
        if number.bit_length() > 63:
            raise StoreFault("record_refused", "A value fits no column: it needs more than 63 bits.")
