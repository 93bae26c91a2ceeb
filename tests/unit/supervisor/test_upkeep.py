"""What the database needs now and then: what is decided, and what is done to a real one."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.contract.test_money import grant, record

from wicket.accounts.usage_rows import DAY_MS
from wicket.store.sqlite import SqliteStore
from wicket.supervisor import upkeep
from wicket.supervisor.treasury import Treasury
from wicket.supervisor.upkeep import Upkeep, prune_before_ms
from wicket.supervisor.verb import now_ms


def test_days_are_counted_back_from_now_but_not_far_beyond_the_newest_record() -> None:
    now = 100 * DAY_MS
    assert prune_before_ms(now, now - 5, 30) == 70 * DAY_MS
    assert prune_before_ms(now, now, 0) == 0
    assert prune_before_ms(now, 0, 30) == 0
    assert prune_before_ms(400 * DAY_MS, now, 30) == 71 * DAY_MS  # the clock ran ahead
    assert prune_before_ms(10 * DAY_MS, 9 * DAY_MS, 30) == 0


def test_old_records_and_ended_grants_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "EXPIRE_EVERY_S", 0.01)
    monkeypatch.setattr(upkeep, "REFRESH_EVERY_S", 0.0)
    now = now_ms()
    with closing(SqliteStore(tmp_path / "a.db")) as store:
        old, new = record(0, charge=5, id=(now - 40 * DAY_MS) << 21), record(0, id=now << 21)
        store.insert_records([old, new])
        store.ledger.move(grant(50, "g", now + 1), now)

        async def run() -> None:
            changed = asyncio.Event()

            async def credits_changed() -> None:
                if store.record(old.id) is None:
                    changed.set()

            work = asyncio.create_task(Upkeep(lambda: store, lambda: 30.0, credits_changed).watch())
            await asyncio.wait_for(changed.wait(), 30)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

        asyncio.run(run())
        assert store.record(new.id) is not None
        assert store.ledger.balances().of == {"team:1": -5}  # the grant had ended before the request
        assert store.ledger.accounts()["revenue"].nanos == 5 and store.ledger.verify() == []


def test_the_treasury_takes_the_later_of_two_looks() -> None:
    from wicket.store.ledger_contract import Balances

    heard: list[tuple[str, int]] = []
    treasury = Treasury()
    treasury.subscribe(lambda scope, nanos: heard.append((scope, nanos)))
    assert treasury.learn(Balances(3, {"team:1": 30})) == ["team:1"]
    assert treasury.learn(Balances(2, {"team:1": 20, "team:2": 7})) == ["team:2"]
    assert treasury.learn(Balances(4, {"team:1": 30})) == []
    assert dict(treasury.balances) == {"team:1": 30, "team:2": 7}
    assert heard == [("team:1", 30), ("team:2", 7)]
