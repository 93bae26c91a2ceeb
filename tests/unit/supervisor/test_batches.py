"""Batches, step by step: what a crash leaves behind, what is too late, what is called off between steps."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from wicket.config.schema import StorageTable
from wicket.errors import ProviderFault
from wicket.state.batches import MAX_BEGUN, WINDOW_S, batch_json
from wicket.state.kept import KeptBatch, KeptFile
from wicket.store.contents import Incoming
from wicket.store.kept_contract import UNFINISHED, KeptStore
from wicket.supervisor.batches import Batches
from wicket.supervisor.keeper import Keeper
from wicket.supervisor.verb import now_ms
from wicket.telemetry.batches import BatchGauges, batch_families

URL = "/v1/chat/completions"
STORAGE = StorageTable(files="local", batches="local", batch_concurrency=2)


class Asked:
    """Stands where the server's own socket is: counts, answers, and fails as it is told."""

    def __init__(self, answer: Callable[[int, int], int] = lambda number, time: 200) -> None:
        self.counts: Counter[int] = Counter()
        self.answer = answer
        self.gate = asyncio.Event()
        self.gate.set()
        self.busy = asyncio.Event()  # as many lines as there are places are under way

    async def __call__(self, key_id: int, path: str, body: bytes) -> tuple[int, str, bytes]:
        number = json.loads(body)["n"]
        self.counts[number] += 1
        if len(self.counts) == STORAGE.batch_concurrency:
            self.busy.set()
        await self.gate.wait()
        status = self.answer(number, self.counts[number])
        if not status:
            raise ProviderFault("reset", "The worker is gone.")
        return status, f"req_{number}", b'{"ok":%d}' % number


def house(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path, STORAGE)


async def with_batch(keeper: Keeper, num_lines: int = 6, **changes: Any) -> KeptBatch:
    lines = [
        json.dumps({"custom_id": f"c{n}", "method": "POST", "url": URL, "body": {"model": "m", "n": n}})
        for n in range(num_lines)
    ]
    incoming = Incoming(keeper.contents)
    incoming.write("\n".join(lines).encode())
    incoming.close()
    keeper.contents.adopt(incoming.name, incoming.digest)
    file = KeptFile("t", "in", now_ms(), 0, "in", "batch", incoming.num_bytes, incoming.digest)
    made = KeptBatch(tenant="t", id="batch_1", created_ms=now_ms(), caller=1, endpoint=URL, input_file="in")
    batch = msgspec.structs.replace(made, **changes)

    def put(store: KeptStore) -> None:
        store.add_file(file, 1 << 30)
        store.put_batch(batch)

    await keeper.do(put)
    return batch


async def end_of(keeper: Keeper, asked: Asked) -> KeptBatch:
    """Run until the batch is over."""
    batches = Batches(keeper, asked)
    running = asyncio.ensure_future(batches.run())
    try:
        async with asyncio.timeout(20):
            while True:
                found = await keeper.do(lambda store: store.batch("t", "batch_1"))
                assert found is not None
                if found.status not in UNFINISHED:
                    return found
                await asyncio.sleep(0.005)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def told(keeper: Keeper, id: str) -> list[Any]:
    if not id:
        return []
    file = await keeper.do(lambda store: store.file("t", id))
    assert file is not None
    with keeper.contents.open(file.digest) as source:
        return [json.loads(line) for line in source]


def test_a_line_whose_server_died_is_run_once_more_and_no_oftener(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        await with_batch(keeper, status="in_progress")
        # as two crashes leave it: line 1 is done, line 2 was begun once, line 3 twice
        await keeper.do(lambda store: store.begin_lines("batch_1", [1, 2, 3]))
        await keeper.do(lambda store: store.begin_lines("batch_1", [3]))
        asked = Asked()
        done = await end_of(keeper, asked)
        assert asked.counts == {0: 1, 1: 1, 3: 1, 4: 1, 5: 1}  # bodies count from 0, lines from 1
        failed = await told(keeper, done.error_file)
        assert [(one["custom_id"], one["error"]["code"]) for one in failed] == [("c2", "interrupted")]
        assert (done.status, done.completed, done.failed) == ("completed", 5, 1)
        keeper.close()

    asyncio.run(work())


def test_a_worker_that_dies_under_a_line_costs_one_try(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        await with_batch(keeper)
        asked = Asked(lambda number, time: 0 if number == 1 or (number == 2 and time == 1) else 200)
        done = await end_of(keeper, asked)
        assert (asked.counts[1], asked.counts[2], asked.counts[3]) == (MAX_BEGUN, 2, 1)
        assert [one["custom_id"] for one in await told(keeper, done.error_file)] == ["c1"]
        assert [one["custom_id"] for one in await told(keeper, done.output_file)] == [
            "c0",
            "c2",
            "c3",
            "c4",
            "c5",
        ]
        keeper.close()

    asyncio.run(work())


def test_a_day_is_all_that_it_has(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        await with_batch(keeper, created_ms=now_ms() - WINDOW_S * 1_000)
        asked = Asked()
        done = await end_of(keeper, asked)
        assert not asked.counts and done.status == "expired" and done.failed == 6
        assert {one["error"]["code"] for one in await told(keeper, done.error_file)} == {"batch_expired"}
        shown = batch_json(done)
        assert shown["expired_at"] and shown["output_file_id"] is None and shown["error_file_id"]
        keeper.close()

    asyncio.run(work())


def test_a_batch_called_off_before_it_began(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        await with_batch(keeper, status="cancelling", moments={"cancelling_at": 5})
        asked = Asked()
        done = await end_of(keeper, asked)
        assert not asked.counts and done.status == "cancelled" and done.total == 6
        assert done.moments["cancelling_at"] == 5 and not done.output_file and not done.error_file
        keeper.close()

    asyncio.run(work())


def test_files_are_written_once_however_often_that_is_tried(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        await with_batch(keeper)
        done = await end_of(keeper, Asked())
        # as a crash between the file and the batch's last word leaves it
        again = msgspec.structs.replace(done, status="finalizing")
        await keeper.do(lambda store: store.put_batch(again))
        twice = await end_of(keeper, Asked())
        assert twice.status == "completed" and twice.output_file == done.output_file
        assert len(await told(keeper, twice.output_file)) == 6
        keeper.close()

    asyncio.run(work())


def test_a_stop_begins_nothing_more_and_lets_lines_end(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        await with_batch(keeper)
        asked = Asked()
        asked.gate.clear()
        batches = Batches(keeper, asked)
        running = asyncio.ensure_future(batches.run())
        async with asyncio.timeout(10):
            await asked.busy.wait()
        batches.is_closing = True
        asked.gate.set()
        await batches.rest()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        found = await keeper.do(lambda store: store.batch("t", "batch_1"))
        assert found is not None and (found.status, found.completed) == ("in_progress", 2)
        done = await end_of(keeper, asked)
        assert done.completed == 6 and set(asked.counts.values()) == {1}
        keeper.close()

    asyncio.run(work())


def test_how_it_stands_is_told_while_it_runs_and_after(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        assert keeper.progress() is None
        await with_batch(keeper)
        asked = Asked(lambda number, time: 500 if number == 4 else 200)
        asked.gate.clear()
        batches = Batches(keeper, asked)
        assert keeper.progress() == BatchGauges()
        running = asyncio.ensure_future(batches.run())
        try:
            async with asyncio.timeout(20):
                await asked.busy.wait()
                assert keeper.progress() == BatchGauges(1, 2, 4)
                asked.gate.set()
                for _ in range(2_000):
                    if batches.ended:
                        break
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0)  # what ended is let go of
                ended = {"ok": 5, "failed": 1}
                assert keeper.progress() == BatchGauges(0, 0, 0, {"completed": 1}, ended)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        text = "".join(batch_families(keeper.progress()))
        for line in (
            'wicket_batch_lines{state="waiting"} 0',
            'wicket_batches_total{status="completed"} 1',
            'wicket_batch_lines_total{result="failed"} 1',
            "wicket_kept_expired_total 0",
        ):
            assert line in text.splitlines(), text
        assert batch_families(None) == []
        keeper.close()

    asyncio.run(work())


def test_a_deleted_input_fails_the_batch(tmp_path: Path) -> None:
    async def work() -> None:
        keeper = house(tmp_path)
        await with_batch(keeper)
        await keeper.do(lambda store: store.delete_file("t", "in"))
        done = await end_of(keeper, Asked())
        assert done.status == "failed" and b"file_not_found" in done.errors
        keeper.close()

    asyncio.run(work())
