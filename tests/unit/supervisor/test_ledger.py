from __future__ import annotations

import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from wicket.accounts.record import Record, Usage
from wicket.errors import StoreFault
from wicket.store.contract import RecordFilter
from wicket.store.spool import spool_read
from wicket.store.sqlite import SqliteStore
from wicket.supervisor.ledger import LedgerWriter, spool_import, spool_write

PATIENCE_S = 20.0
PLAIN = Record(
    id=0,
    started_ms=1_700_000_000_000,
    key_id=1,
    api="embeddings",
    model="m",
    deployment="p/m",
    served_model="m",
    status=200,
    outcome="ok",
    is_stream=False,
    usage=Usage(5),
    cost_nanos=3,
    charge_nanos=4,
    first_token_us=-1,
    total_us=9,
    attempts=[],
)


def some(first: int, number: int, **changes: object) -> list[Record]:
    base = 1_700_000_000_000 << 21
    return [msgspec.structs.replace(PLAIN, id=base + first + place, **changes) for place in range(number)]


class Heard(logging.Handler):
    """What the writer told its listeners and its log, and waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.changed = threading.Condition()
        self.records: list[Record] = []
        self.batches: list[int] = []
        self.states: list[bool] = []

    def commit(self, batch: Sequence[Record]) -> None:
        with self.changed:
            self.records.extend(batch)
            self.batches.append(len(batch))
            self.changed.notify_all()

    def state(self, is_open: bool) -> None:
        with self.changed:
            self.states.append(is_open)
            self.changed.notify_all()

    def emit(self, record: logging.LogRecord) -> None:
        with self.changed:
            self.lines.append(record.getMessage())
            self.changed.notify_all()

    def wait(self, done: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(done, PATIENCE_S)


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    logging.getLogger("wicket.ledger").addHandler(made)
    yield made
    logging.getLogger("wicket.ledger").removeHandler(made)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "wicket.db")) as made:
        yield made


def limit_pages(store: SqliteStore, number: int) -> None:
    assert store._writer is not None
    with store._lock:
        store._writer.execute(f"PRAGMA max_page_count = {number}")


def fill(store: SqliteStore) -> None:
    """No free page is left, so the next record of more than a page meets SQLITE_FULL."""
    limit_pages(store, 1)


def large(first: int, number: int) -> list[Record]:
    return some(first, number, model="x" * 5_000)


def count(store: SqliteStore) -> int:
    return sum(row.requests for row in store.usage())


def test_records_are_committed_without_a_further_push(store: SqliteStore, heard: Heard) -> None:
    writer = LedgerWriter(store, flush_ms=20, on_commit=heard.commit)
    writer.start()
    writer.offer(some(0, 3))
    heard.wait(lambda: len(heard.records) == 3)
    assert store.records(RecordFilter(is_newest_first=False)) == some(0, 3)
    writer.offer(some(3, 1))
    heard.wait(lambda: len(heard.records) == 4)
    writer.stop()
    assert (writer.counters.num_written, writer.counters.num_queued) == (4, 0)
    assert heard.records == some(0, 4)


def test_many_records_do_not_wait_for_the_flush(store: SqliteStore, heard: Heard) -> None:
    writer = LedgerWriter(store, flush_ms=3_600_000, on_commit=heard.commit)
    writer.start()
    for start in range(0, 2_000, 100):
        writer.offer(some(start, 100))
    heard.wait(lambda: len(heard.records) == 2_000)
    writer.stop()
    assert count(store) == 2_000


def test_few_records_wait_for_one_another(store: SqliteStore, heard: Heard) -> None:
    writer = LedgerWriter(store, flush_ms=3_600_000, on_commit=heard.commit)
    writer.start()
    for number in range(50):
        writer.offer(some(number, 1))
    writer.offer([])
    writer.stop()
    assert heard.batches == [50]
    assert count(store) == 50


def test_stopping_writes_what_waits_and_spools_what_comes_later(store: SqliteStore, tmp_path: Path) -> None:
    writer = LedgerWriter(store, tmp_path / "spool", flush_ms=3_600_000)
    writer.offer(some(0, 10))
    writer.start()
    writer.stop()
    assert count(store) == 10
    writer.offer(some(10, 2))
    assert writer.counters.num_spooled == 2
    assert spool_import(tmp_path / "spool", store) == 2
    assert count(store) == 12


def test_a_full_disk_closes_and_space_reopens_with_nothing_lost(store: SqliteStore, heard: Heard) -> None:
    writer = LedgerWriter(store, flush_ms=1, max_queued=100, on_commit=heard.commit, on_state=heard.state)
    fill(store)
    writer.start()
    for start in range(0, 90, 10):
        writer.offer(large(start, 10))
    assert writer.is_open
    writer.offer(large(90, 10))
    assert not writer.is_open
    writer.offer(large(100, 30))  # requests that were under way are recorded all the same
    heard.wait(lambda: len(heard.lines) == 1)
    assert "The disk is full" in heard.lines[0]
    assert writer.last_fault is not None and writer.last_fault.code == "store_full"
    assert writer.counters.num_queued == 130
    limit_pages(store, 10_000)
    heard.wait(lambda: heard.states == [False, True])
    writer.stop()
    assert heard.records == large(0, 130)
    assert count(store) == 130
    assert writer.last_fault is None
    assert (writer.counters.num_written, writer.counters.num_lost) == (130, 0)


def test_a_full_disk_at_the_end_sends_records_to_the_spool(store: SqliteStore, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    writer = LedgerWriter(store, spool, flush_ms=1)
    fill(store)
    writer.offer(large(0, 5))
    writer.start()
    writer.stop()
    assert (writer.counters.num_spooled, writer.counters.num_queued) == (5, 0)
    limit_pages(store, 10_000)
    assert spool_import(spool, store) == 5
    assert count(store) == 5
    assert list(spool.iterdir()) == []


def test_records_that_can_go_nowhere_are_said_to_be_lost(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    writer = LedgerWriter(store, flush_ms=1)
    fill(store)
    writer.offer(large(0, 5))
    writer.start()
    writer.stop()
    assert writer.counters.num_lost == 5
    assert [line.levelno for line in caplog.records if "5 records" in line.message] == [logging.CRITICAL]


def test_one_bad_record_does_not_hold_up_the_others(store: SqliteStore, tmp_path: Path) -> None:
    bad = some(5, 1, cost_nanos=1 << 63)
    writer = LedgerWriter(store, tmp_path / "spool", flush_ms=1)
    writer.offer(some(0, 5) + bad + some(6, 4))
    writer.start()
    writer.stop()
    assert count(store) == 9
    assert writer.counters.num_refused == 1
    assert spool_read((tmp_path / "spool" / "refused.records").read_bytes()) == ([bad], False)


def test_a_listener_that_fails_harms_nobody(store: SqliteStore, heard: Heard) -> None:
    def fail(batch: Sequence[Record]) -> None:
        raise RuntimeError("listener")

    writer = LedgerWriter(store, flush_ms=1, on_commit=fail)
    writer.subscribe(heard.commit)
    writer.start()
    writer.offer(some(0, 1))
    heard.wait(lambda: len(heard.records) == 1)
    writer.stop()
    assert count(store) == 1


def test_the_spool_is_imported_and_told_at_start(store: SqliteStore, tmp_path: Path, heard: Heard) -> None:
    spool_write(tmp_path / "spool" / "worker-7.spool", some(0, 3))
    writer = LedgerWriter(store, tmp_path / "spool", on_commit=heard.commit)
    writer.start()
    heard.wait(lambda: heard.records == some(0, 3))
    writer.stop()
    assert list((tmp_path / "spool").iterdir()) == []


def test_importing_a_spool_twice_counts_once(store: SqliteStore, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    for _ in range(2):
        spool_write(spool / "worker-7.spool", some(0, 3))
        spool_import(spool, store)
    spool_write(spool / "worker-8.spool", some(2, 3))
    assert spool_import(spool, store) == 2
    assert count(store) == 5
    assert spool_import(tmp_path / "missing", store) == 0


def test_a_torn_spool_is_imported_and_a_damaged_one_is_kept(store: SqliteStore, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    for name in ("a.spool", "b.spool"):
        spool_write(spool / name, some(ord(name[0]), 2))
    torn, damaged = (spool / "a.spool").read_bytes(), (spool / "b.spool").read_bytes()
    (spool / "a.spool").write_bytes(torn + torn[:-5])
    (spool / "b.spool").write_bytes(b"garbage" + damaged)
    assert spool_import(spool, store) == 4 - 1  # 'a' and 'b' overlap in one id
    (kept,) = spool.iterdir()
    assert kept.name.startswith("b.spool.") and kept.suffix == ".damaged"
    assert kept.read_bytes() == b"garbage" + damaged
    assert spool_import(spool, store) == 0


def test_a_spool_that_can_not_be_imported_stays(store: SqliteStore, tmp_path: Path) -> None:
    spool_write(tmp_path / "spool" / "a.spool", large(0, 3))
    fill(store)
    with pytest.raises(StoreFault):
        spool_import(tmp_path / "spool", store)
    limit_pages(store, 10_000)
    assert spool_import(tmp_path / "spool", store) == 3


VICTIM = """
import sys, threading, time
from pathlib import Path
import msgspec
from wicket.store.sqlite import SqliteStore
from wicket.supervisor.ledger import LedgerWriter
from wicket.accounts.record import Record

plain = msgspec.json.decode(sys.argv[2], type=Record)
said = threading.Lock()

def say(word, number):
    with said:
        sys.stdout.write(f"{word} {number} {time.monotonic()}\\n")
        sys.stdout.flush()

store = SqliteStore(Path(sys.argv[1]))
writer = LedgerWriter(store, flush_ms=100, on_commit=lambda batch: say("committed", batch[-1].id))
writer.start()
number = plain.id
while True:
    number += 25
    writer.offer([msgspec.structs.replace(plain, id=number - 24 + place) for place in range(25)])
    say("offered", number)
    time.sleep(0.002)
"""
BOUND_S = 2.0  # flush_ms is 100; the rest is patience with a loaded machine


def test_a_killed_writer_loses_nothing_older_than_the_bound(tmp_path: Path) -> None:
    first = some(0, 1)[0]

    def live_and_die(number: int) -> None:
        path = tmp_path / f"{number}.db"
        command = [sys.executable, "-c", VICTIM, str(path), msgspec.json.encode(first).decode()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
            assert victim.stdout is not None
            lines: list[str] = []
            killed_s = 0.0
            for line in victim.stdout:
                lines.append(line)
                if line.startswith("committed") and not killed_s:  # live for a random while longer, then die
                    killed_s = time.monotonic() + BOUND_S + random.uniform(0.05, 0.6)
                if killed_s and time.monotonic() >= killed_s:
                    victim.kill()
                    break
            lines += victim.stdout
        assert victim.returncode == -signal.SIGKILL
        check_survivors(path, first.id, lines, killed_s)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(live_and_die, range(3)))


def check_survivors(path: Path, first: int, said: list[str], killed_s: float) -> None:
    told = [line.split() for line in said if line.endswith("\n")]
    committed = max(int(number) for word, number, _ in told if word == "committed")
    due_s = killed_s - BOUND_S
    due = max(int(number) for word, number, at in told if word == "offered" and float(at) < due_s)
    with closing(SqliteStore(path)) as store:
        assert store.check_integrity() == []
        (newest,) = store.records(RecordFilter(limit=1))
        assert newest.id >= max(committed, due)
        # no gap, and the sums agree with the records: a batch is in whole or not at all
        assert count(store) == newest.id - first
