"""What only a file can get wrong: rights, foreign files, and that what is deleted is gone from the disk."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from tests.contract.test_examples import example, said

from wicket.errors import StoreFault
from wicket.store.examples import SqliteExamples
from wicket.store.examples_contract import Chosen, ExampleFilter
from wicket.store.opening import open_reader
from wicket.store.sqlite import SqliteStore


def on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_deleted_bytes_are_in_no_file(tmp_path: Path) -> None:
    path = tmp_path / "examples.db"
    store = SqliteExamples(path)
    texts = [b"secret-%04d-" % number + b"s" * 3_000 for number in range(300)]  # overflow pages too
    store.insert([example(n, request=text, key_id=n % 2) for n, text in enumerate(texts)])
    store.say(said(1, corrected="a corrected secret"))
    assert all(text in on_disk(path) for text in texts) and b"a corrected secret" in on_disk(path)
    assert store.erase(Chosen(key_id=1)) == 150
    left = on_disk(path)
    assert [b"secret-%04d-" % n in left for n in range(300)] == [n % 2 == 0 for n in range(300)]
    assert b"a corrected secret" not in left
    store.expire("slots", 1 << 42)
    assert b"secret-" not in on_disk(path)
    store.close()
    assert b"secret-" not in on_disk(path)


def test_a_reader_keeps_old_pages_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wicket.store.opening.BUSY_MS", 50)
    path = tmp_path / "examples.db"
    store = SqliteExamples(path)
    store.insert([example(request=b"secret-" * 10)])
    with closing(open_reader(path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM examples").fetchone() == (1,)
        with pytest.raises(StoreFault, match="Erase once more") as caught:
            store.erase(Chosen(task="slots"))
        assert caught.value.code == "store_busy"
    assert store.page(ExampleFilter("slots")) == []
    assert b"secret-" in on_disk(path)
    assert store.erase(Chosen(task="slots")) == 0
    assert b"secret-" not in on_disk(path)
    store.close()


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "examples.db"
    store = SqliteExamples(path)
    store.insert([example()])
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store.close()


def test_files_of_others_are_refused_and_left_alone(tmp_path: Path) -> None:
    ledger = tmp_path / "wicket.db"
    SqliteStore(ledger).close()
    before = ledger.read_bytes()
    with pytest.raises(StoreFault) as caught:
        SqliteExamples(ledger)  # the ledger is no database of examples, and the other way round
    assert caught.value.code == "store_foreign" and ledger.read_bytes() == before
    ours = tmp_path / "examples.db"
    SqliteExamples(ours).close()
    with pytest.raises(StoreFault) as caught:
        SqliteStore(ours)
    assert caught.value.code == "store_foreign"
    with closing(sqlite3.connect(ours)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreFault) as caught:
        SqliteExamples(ours)
    assert caught.value.code == "store_newer"


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteExamples(tmp_path / "examples.db")
    store.close()
    store.close()
    with pytest.raises(StoreFault) as caught:
        store.insert([example()])
    assert caught.value.code == "store_closed"
