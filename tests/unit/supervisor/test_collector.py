"""The examples' writer: in order, bounded, scrubbing, and never in anybody's way."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_examples import example
from tests.path.served import eventually

from wicket.accounts.example import Feedback
from wicket.config.schema import TaskTable
from wicket.errors import StoreFault
from wicket.store.examples_contract import Chosen, ExampleFilter
from wicket.store.examples_memory import MemoryExamples
from wicket.supervisor import collector as module
from wicket.supervisor.collector import Collector, expire
from wicket.supervisor.messages import Examples

DAY_MS = 86_400_000
NOW_MS = int(time.time() * 1_000)
REQUEST = b'{"messages":[{"role":"user","content":"from ada@example.org"}]}'


def fresh(number: int = 0, **changes: Any) -> Any:
    ms = NOW_MS + number
    return example(**{"id": ms << 21, "started_ms": ms, "request": REQUEST, **changes})


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    made = Collector(tmp_path, {"raw": TaskTable(scrub=())}, reserve_bytes=0)
    made.start()
    yield made
    made.stop()


def texts(collector: Collector, task: str = "slots") -> list[bytes]:
    return collector.do(
        lambda store: [kept.example.request for kept in store.page(ExampleFilter(task, limit=1_000))]
    )


def test_examples_are_scrubbed_as_their_task_says(collector: Collector) -> None:
    collector.offer(Examples([fresh(), fresh(1, task="raw")], {"refused": 2}))
    assert texts(collector) == [REQUEST.replace(b"ada@example.org", b"[EMAIL_1]")]
    assert texts(collector, "raw") == [REQUEST]
    assert collector.counters.written == {"slots": 1, "raw": 1}
    assert collector.counters.left_out == {"refused": 2}
    assert collector.state == "open"


def test_nothing_is_made_while_nothing_is_kept(tmp_path: Path) -> None:
    collector = Collector(tmp_path, {})
    collector.start()
    assert collector.read() is None and collector.state == "idle"
    collector.offer(Examples([], {"refused": 1}))
    collector.stop()
    assert list(tmp_path.iterdir()) == []


def test_what_was_offered_before_is_erased_too(collector: Collector) -> None:
    collector.offer(Examples([fresh(number) for number in range(400)]))
    assert collector.do(lambda store: store.erase(Chosen(key_id=1))) == 400
    collector.offer(Examples([fresh(number) for number in range(400, 500)]))
    assert len(texts(collector)) == 100


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    collector = Collector(tmp_path, {}, reserve_bytes=0)
    collector.start()
    collector.offer(Examples([fresh(number) for number in range(300)]))
    collector.stop()
    again = Collector(tmp_path, {})
    again.start()
    assert again.do(lambda store: store.counts()[0].num_examples) == 300
    again.stop()
    with pytest.raises(StoreFault):
        again.do(lambda store: store.counts())


def test_the_queue_is_bounded_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 10_000)
    collector = Collector(tmp_path, {}, reserve_bytes=0)  # not started: nothing is taken out
    collector.offer(Examples([fresh(number) for number in range(1_000)]))
    size = len(fresh().request) + len(fresh().answer)
    assert collector.counters.num_queued == 10_000 // size
    assert collector.counters.left_out["queue_full"] == 1_000 - 10_000 // size
    collector.start()
    assert len(texts(collector)) == 10_000 // size
    collector.stop()


def test_room_on_the_disk_is_left_to_the_ledger(tmp_path: Path) -> None:
    total = shutil.disk_usage(tmp_path).total
    collector = Collector(tmp_path, {}, reserve_bytes=2 * total)
    collector.start()
    collector.offer(Examples([fresh()]))
    eventually(lambda: collector.counters.left_out["disk_low"] == 1)
    collector.stop()
    assert collector.counters.written == {}


def test_a_database_that_fails_is_noted_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    (tmp_path / "examples.db").write_bytes(b"something else " * 100)
    collector = Collector(tmp_path, {}, reserve_bytes=0)
    collector.start()
    collector.offer(Examples([fresh()]))
    eventually(lambda: collector.counters.left_out["database"] == 1)
    assert collector.state == "fault" and collector.last_fault is not None
    with pytest.raises(StoreFault):
        collector.do(lambda store: store.counts())
    with pytest.raises(StoreFault):
        collector.read()
    (tmp_path / "examples.db").unlink()
    collector.offer(Examples([fresh(1)]))
    assert len(texts(collector)) == 1 and collector.state == "open"
    collector.stop()


def test_a_job_s_own_mistake_is_its_own(collector: Collector) -> None:
    with pytest.raises(ZeroDivisionError):
        collector.do(lambda store: 1 // 0)
    collector.offer(Examples([fresh()]))
    assert len(texts(collector)) == 1


def test_what_can_not_be_read_is_counted(collector: Collector) -> None:
    collector.offer(Examples([fresh(request=b"\xff"), fresh(1, request=b'{"messages": 1}'), fresh(2)]))
    assert len(texts(collector)) == 1
    assert collector.counters.left_out == {"unreadable": 2}


def test_retention_is_kept_per_task() -> None:
    store = MemoryExamples()
    now = 100 * DAY_MS
    days = {"brief": [1, 8], "long": [1, 40, 91], "gone": [29, 31]}
    for task, ages in days.items():
        for age in ages:
            ms = now - age * DAY_MS
            store.insert([example(id=(ms << 21) + len(task), started_ms=ms, task=task)])
    store.say(Feedback(request_id=5, created_ms=now - 31 * DAY_MS, key_id=0, score=1.0))
    tables = {"brief": TaskTable(retention_days=7), "long": TaskTable(retention_days=90)}
    assert expire(store, tables, now) == 3
    assert {count.task: count.num_examples for count in store.counts()} == {"brief": 1, "gone": 1, "long": 2}
    assert store.feedback() == []


def test_a_start_deletes_what_is_too_old(tmp_path: Path) -> None:
    before = Collector(tmp_path, {}, reserve_bytes=0, is_expiring=False)
    before.start()
    old = NOW_MS - 31 * DAY_MS
    before.offer(Examples([fresh(), fresh(id=old << 21, started_ms=old)]))
    assert len(texts(before)) == 2
    before.stop()
    collector = Collector(tmp_path, {}, reserve_bytes=0)
    collector.start()
    eventually(lambda: collector.counters.num_expired == 1)
    assert len(texts(collector)) == 1
    collector.stop()
