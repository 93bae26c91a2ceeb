"""Dues: noted before anybody has the id, settled once whoever says so, never twice in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from tests.unit.supervisor.samples import record

from wicket.accounts.late import Outcome, begun
from wicket.accounts.price import Price
from wicket.accounts.record import Record, Usage
from wicket.config.schema import StorageTable
from wicket.state.kept import KeptDue
from wicket.supervisor import dues as module
from wicket.supervisor.dues import LOST, Dues
from wicket.supervisor.keeper import Keeper
from wicket.supervisor.messages import Released, Visit
from wicket.supervisor.verb import now_ms

PRICE = Price("p", input_pico=1_000_000, output_pico=10_000_000)
DONE = Outcome("ok", True, "m", Usage(2, 6))


class Ledger:
    """Books that commit when they are told to."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self.offered: list[tuple[Record, Callable[[], object]]] = []
        self.store = self

    def record(self, number: int) -> Record | None:
        return self.records.get(number)

    def offer(self, records: Sequence[Record], confirm: Callable[[], object]) -> None:
        self.offered += [(one, confirm) for one in records]

    def commit(self) -> None:
        for one, confirm in self.offered:
            self.records.setdefault(one.id, one)
            confirm()
        self.offered.clear()


class Crew:
    """One worker that is ready and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.workers = [SimpleNamespace(state="ready", channel=SimpleNamespace(send=self.told.append))]

    def tell(self, message: Any) -> None:
        self.told.append(message)


class Place:
    def __init__(self, home: Path) -> None:
        self.keeper, self.ledger, self.crew = Keeper(home, StorageTable()), Ledger(), Crew()
        self.dues = Dues(self.keeper, cast(Any, self.ledger), cast(Any, self.crew))

    async def kept(self) -> list[int]:
        found = await self.keeper.do(lambda store: store.dues(-1, 100))
        return [one.record_id for one in found]


def due(number: int = 7, **changes: Any) -> KeptDue:
    made = KeptDue(
        "team:a", f"resp_{number}", number, now_ms(), "response", "own", b"c", f"r{number}",
        msgspec.msgpack.encode(begun(record(number))), msgspec.msgpack.encode(PRICE), 500_000,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def run(home: Path, work: Callable[[Place], Coroutine[Any, Any, None]]) -> None:
    async def all_of_it() -> None:
        place = Place(home)
        try:
            await work(place)
        finally:
            place.keeper.close()

    asyncio.run(all_of_it())


async def soon(holds: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - a database is looked at
            await asyncio.sleep(0.01)


def test_two_who_settle_make_one_record(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        await place.dues.add(due())
        assert await place.dues.has("team:a", "resp_7") and not await place.dues.has("team:b", "resp_7")
        pending = await place.dues.pending(7)
        assert pending is not None and pending.outcome == "under_way"
        charges = await asyncio.gather(
            *[place.dues.settle("team:a", "resp_7", DONE, waits=False) for _ in range(5)]
        )
        assert charges == [93_000] * 5 and len(place.ledger.offered) == 1
        assert await place.kept() == [7]  # not before the ledger has it
        waiting = asyncio.ensure_future(place.dues.settle("team:a", "resp_7", DONE, waits=True))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        place.ledger.commit()
        assert await waiting == 93_000 and place.crew.told == [Released([7])]

        async def is_gone() -> bool:
            return not await place.kept()

        await soon(is_gone)
        assert await place.dues.settle("team:a", "resp_7", DONE, waits=True) is None
        assert await place.dues.pending(7) is None and len(place.ledger.records) == 1

    run(tmp_path, work)


def test_what_the_ledger_has_already_is_only_let_go(tmp_path: Path) -> None:
    """A server that died between the commit and the due's end."""

    async def work(place: Place) -> None:
        await place.dues.add(due())
        place.ledger.records[7] = record(7)
        assert await place.dues.settle("team:a", "resp_7", DONE, waits=True) is None
        assert place.ledger.offered == [] and await place.kept() == []

    run(tmp_path, work)


def test_another_tenants_is_not_settled(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        await place.dues.add(due())
        assert await place.dues.settle("team:b", "resp_7", DONE, waits=True) is None
        assert place.ledger.offered == [] and await place.kept() == [7]

    run(tmp_path, work)


def test_counts_beyond_belief_cost_nothing_and_say_so(tmp_path: Path) -> None:
    async def work(place: Place) -> None:
        await place.dues.add(due())
        huge = Outcome("ok", True, "m", Usage(1 << 62, 1 << 62))
        assert await place.dues.settle("team:a", "resp_7", huge, waits=False) == 0
        assert place.ledger.offered[0][0].outcome == "usage_out_of_range"

    run(tmp_path, work)


def test_a_start_looks_at_all_and_gives_up_on_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.01)
    monkeypatch.setattr(module, "_PAGE", 2)

    async def before(place: Place) -> None:
        for number in range(1, 6):
            await place.dues.add(due(number))
        await place.dues.add(due(9, created_ms=1))

    async def after(place: Place) -> None:
        watching = asyncio.ensure_future(place.dues.watch())

        async def are_seen() -> bool:
            return len(place.crew.told) >= 5 and bool(place.ledger.offered)

        await soon(are_seen)
        assert [one.due.record_id for one in place.crew.told if isinstance(one, Visit)] == [1, 2, 3, 4, 5]
        assert [one.outcome for one, _ in place.ledger.offered] == [LOST]
        await asyncio.sleep(0.1)
        assert len(place.crew.told) == 5  # the next look is seconds away
        watching.cancel()

    run(tmp_path, before)
    run(tmp_path, after)


def test_a_look_each_time_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.01)
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

    async def work(place: Place) -> None:
        await place.dues.add(due())
        looks = []
        for second in range(200):
            clock[0] = float(second)
            before = len(place.crew.told)
            await place.dues._look()
            if len(place.crew.told) > before:
                looks.append(second)
        assert looks == [5, 15, 35, 75, 135, 195]

    run(tmp_path, work)
