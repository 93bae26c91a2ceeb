from __future__ import annotations

import errno
import hashlib
import resource
import sqlite3
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from wicket.accounts.keys import create_key
from wicket.accounts.record import Record, Usage
from wicket.errors import StoreFault
from wicket.store.contract import RecordFilter
from wicket.store.faults import store_fault
from wicket.store.opening import APPLICATION_ID, migrations
from wicket.store.rows import record_row
from wicket.store.sqlite import SqliteStore


def record(number: int, size: int = 0) -> Record:
    return Record(
        id=(1_700_000_000_000 << 21) + number,
        started_ms=1_700_000_000_000,
        key_id=1,
        api="embeddings",
        model="m" + "x" * size,
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wicket.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as made:
        yield made


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def raw(path: Path, *statements: str) -> list[object]:
    with closing(sqlite3.connect(path)) as connection:
        found: list[object] = []
        for statement in statements:
            found = connection.execute(statement).fetchall()
        connection.commit()
        return found


def code_of(path: Path) -> str:
    with pytest.raises(StoreFault) as caught:
        SqliteStore(path)
    assert str(path) in caught.value.message
    return caught.value.code


def test_everything_is_there_again_after_a_restart(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        key = store.add_key(create_key("ada", 1)[0])
        store.insert_records([record(0), record(1)])
        store.prune(1)
        usage = store.usage(["model"])
    with closing(SqliteStore(path)) as store:
        assert store.list_keys() == [key]
        assert store.records(RecordFilter()) == [record(1), record(0)]
        assert store.usage(["model"]) == usage
        assert store.check_integrity() == []
    assert raw(path, "PRAGMA user_version") == [(len(migrations()),)]
    assert raw(path, "PRAGMA journal_mode") == [("wal",)]


def test_a_database_of_the_first_schema_goes_on_with_all_it_holds(path: Path) -> None:
    first = migrations()[0]
    old = sqlite3.connect(path)
    old.executescript(first)
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.execute("PRAGMA user_version = 1")
    row = record_row(record(7))
    old.execute(f"INSERT INTO records VALUES ({','.join('?' * len(row))},NULL,NULL)", row)
    old.commit()
    old.close()
    with closing(SqliteStore(path)) as store:
        assert store.record(record(7).id) == record(7)
        fresh = msgspec.structs.replace(record(8), task="slots", large_cost_nanos=5)
        assert store.insert_records([record(7), fresh]) == (1, 1)
        assert store.record(fresh.id) == fresh
        assert [row.task for row in store.savings()] == ["slots"]
    assert raw(path, "PRAGMA user_version") == [(len(migrations()),)]


def test_the_files_are_private(path: Path, store: SqliteStore) -> None:
    store.insert_records([record(0)])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_newer_database_is_refused_and_untouched(path: Path) -> None:
    SqliteStore(path).close()
    raw(path, "PRAGMA user_version = 99")
    before = sha256(path)
    assert code_of(path) == "store_newer"
    assert sha256(path) == before
    assert raw(path, "PRAGMA user_version") == [(99,)]


def test_the_database_of_another_program_is_refused_and_untouched(path: Path) -> None:
    raw(path, "CREATE TABLE theirs (x)")
    before = sha256(path)
    assert code_of(path) == "store_foreign"
    assert sha256(path) == before


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be looked at" * 40, b"SQLite format 3\0"]
)
def test_what_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert code_of(path) in ("store_corrupt", "store_foreign")
    assert path.read_bytes() == content


def test_a_damaged_page_is_found(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.insert_records([record(number, 500) for number in range(600)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with closing(SqliteStore(path)) as store:
        assert store.check_integrity() != []
        with pytest.raises(StoreFault) as caught:
            store.records(RecordFilter(limit=10_000))
    assert caught.value.code == "store_corrupt"
    assert "backup" in caught.value.message


def test_a_place_that_can_not_be_used(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert code_of(tmp_path / "folder") == "store_unreadable"
    assert code_of(tmp_path / "missing" / "wicket.db") == "store_unreadable"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "store_readonly"),
        (errno.EROFS, "store_readonly"),
        (errno.ENOSPC, "store_full"),
        (errno.EISDIR, "store_unreadable"),
    ],
)
def test_errors_of_the_file_system_are_told_apart(path: Path, number: int, code: str) -> None:
    fault = store_fault(OSError(number, "said the kernel"), path)
    assert fault.code == code
    assert "said the kernel" in fault.message and fault.status == 503


def test_a_full_database_takes_nothing_by_halves_and_goes_on_later(store: SqliteStore) -> None:
    store.insert_records([record(0)])
    assert store._writer is not None
    store._writer.execute("PRAGMA max_page_count = 12")
    with pytest.raises(StoreFault) as caught:
        store.insert_records([record(number, 1_000) for number in range(1, 100)])
    assert caught.value.code == "store_full"
    assert [row.requests for row in store.usage()] == [1]
    store._writer.execute("PRAGMA max_page_count = 10000")
    assert store.insert_records([record(number, 1_000) for number in range(100)]) == (99, 1)
    assert [row.requests for row in store.usage()] == [100]


def test_a_file_that_may_not_grow_is_a_fault_and_no_damage(store: SqliteStore) -> None:
    store.insert_records([record(0)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = store.path.with_name(store.path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 10_000, hard))
    try:
        with pytest.raises(StoreFault) as caught:
            store.insert_records([record(number, 5_000) for number in range(1, 50)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code in ("store_io", "store_full")
    assert store.insert_records([record(1)]) == (1, 0)
    assert store.check_integrity() == []
    assert [row.requests for row in store.usage()] == [2]


def test_another_process_may_hold_the_file_for_a_while(path: Path, store: SqliteStore) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            inserted = pool.submit(store.insert_records, [record(0)])
            assert store.records(RecordFilter()) == []  # readers don't wait for writers
            other.execute("COMMIT")
            assert inserted.result() == (1, 0)


def test_a_lock_that_stays_is_a_fault(path: Path, store: SqliteStore) -> None:
    assert store._writer is not None
    store._writer.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFault) as caught:
            store.insert_records([record(0)])
        assert caught.value.code == "store_busy"
        other.execute("ROLLBACK")
    assert store.insert_records([record(0)]) == (1, 0)


def test_first_starts_that_meet_make_one_database(path: Path) -> None:
    together = threading.Barrier(6)

    def begin(number: int) -> None:
        together.wait()
        with closing(SqliteStore(path)) as store:
            store.insert_records([record(number)])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(begin, range(6)))
    with closing(SqliteStore(path)) as store:
        assert len(store.records(RecordFilter())) == 6
        assert [row.requests for row in store.usage()] == [6]


def test_a_long_query_does_not_hold_up_the_writer(path: Path, store: SqliteStore) -> None:
    store.insert_records([record(0)])
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM records").fetchone() == (1,)
        assert store.insert_records([record(1)]) == (1, 0)
        assert reader.execute("SELECT count(*) FROM records").fetchone() == (1,)


def test_pruning_many_records_goes_in_parts(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wicket.store.sqlite._PRUNED_AT_ONCE", 7)
    store.insert_records([record(number) for number in range(50)])
    assert store.prune(1_700_000_000_001) == 50
    assert store.records(RecordFilter()) == []
    assert [row.requests for row in store.usage()] == [50]


def test_a_backup_is_one_whole_private_file(store: SqliteStore, tmp_path: Path) -> None:
    store.insert_records([record(0)])
    target = tmp_path / "copy" / "backup.db"
    target.parent.mkdir()
    store.backup(target)
    store.insert_records([record(1)])
    assert [file.name for file in target.parent.iterdir()] == ["backup.db"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with closing(SqliteStore(target)) as copy:
        assert copy.records(RecordFilter()) == [record(0)]
        assert copy.check_integrity() == []


def test_a_backup_overwrites_only_when_told(store: SqliteStore, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    target.write_text("precious")
    with pytest.raises(StoreFault) as caught:
        store.backup(target)
    assert caught.value.code == "backup_exists"
    assert target.read_text() == "precious"
    store.backup(target, is_overwriting=True)
    assert raw(target, "SELECT count(*) FROM records") == [(0,)]


def test_a_backup_that_fails_leaves_nothing(store: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(StoreFault):
        store.backup(tmp_path / "missing" / "backup.db")
    target = tmp_path / "backup.db"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, hard))
    try:
        with pytest.raises(StoreFault):
            store.backup(target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in tmp_path.iterdir() if "backup" in file.name] == []


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    store.close()
    with pytest.raises(StoreFault) as caught:
        store.insert_records([record(0)])
    assert caught.value.code == "store_closed"


def test_no_key_text_is_ever_written(path: Path) -> None:
    row, text = create_key("ada", 1)
    with closing(SqliteStore(path)) as store:
        store.add_key(row)
    assert text.encode() not in path.read_bytes()
    assert text[7:-4].encode() not in path.read_bytes()
