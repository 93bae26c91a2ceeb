"""The contract of stores of kept things: the same cases on both, and the files of the real one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from wicket.errors import StoreFault
from wicket.state.kept import KeptBatch, KeptDue, KeptFile, KeptLine, KeptResponse
from wicket.store.kept import SqliteKept
from wicket.store.kept_contract import KeptStore, Page
from wicket.store.kept_memory import MemoryKept


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeptStore]:
    made: KeptStore = MemoryKept() if request.param == "memory" else SqliteKept(tmp_path / "a kept?.db")
    yield made
    made.close()


def response(id: str = "resp_1", **changes: Any) -> KeptResponse:
    made = KeptResponse("team:a", id, 1_000, 7, "m", "", b"[1]", b'{"a":"\x00"}')
    return msgspec.structs.replace(made, **changes)


def file(id: str = "file-1", **changes: Any) -> KeptFile:
    return msgspec.structs.replace(
        KeptFile("team:a", id, 1_000, 0, "'; DROP TABLE files; --", "batch", 10, "d"), **changes
    )


def batch(id: str = "batch_1", **changes: Any) -> KeptBatch:
    made = KeptBatch(tenant="team:a", id=id, created_ms=1_000, caller=7, endpoint="/v1/x", input_file="f")
    return msgspec.structs.replace(made, **changes)


def due(record_id: int, **changes: Any) -> KeptDue:
    made = KeptDue(
        "team:a", "resp_1", record_id, 1_000, "response", "own", b"\x00\xff", "r'1", b"\x91", b"", -5
    )
    return msgspec.structs.replace(made, **changes)


def test_an_answer_comes_back_to_its_tenant_only(store: KeptStore) -> None:
    assert store.keep_response(response())
    assert store.response("team:a", "resp_1") == response()
    assert store.response("team:b", "resp_1") is None and store.response("team:a", "resp_2") is None
    assert not store.keep_response(response(answer=b"{}"))  # a second one of that id changes nothing
    assert store.response("team:a", "resp_1") == response()
    assert store.keep_response(response(tenant="team:b", answer=b"{}"))
    assert not store.delete_response("team:c", "resp_1") and store.delete_response("team:a", "resp_1")
    assert store.response("team:a", "resp_1") is None and store.response("team:b", "resp_1") is not None


def test_a_chain_is_whole_or_not_there(store: KeptStore) -> None:
    for number in range(1, 5):
        store.keep_response(response(f"resp_{number}", previous=f"resp_{number - 1}" if number > 1 else ""))
    found = store.chain("team:a", "resp_4")
    assert found is not None and [kept.id for kept in found] == ["resp_1", "resp_2", "resp_3", "resp_4"]
    assert store.chain("team:b", "resp_4") is None and store.chain("team:a", "nothing") is None
    store.delete_response("team:a", "resp_2")
    assert store.chain("team:a", "resp_4") is None and store.chain("team:a", "resp_1") is not None


def test_a_ring_has_an_end(store: KeptStore) -> None:
    """It can't come about; if it did, nobody would wait for ever."""
    store.keep_response(response("resp_1", previous="resp_2"))
    store.keep_response(response("resp_2", previous="resp_1"))
    assert store.chain("team:a", "resp_1") is None


def test_what_is_too_old_goes(store: KeptStore) -> None:
    for number in range(1_200):
        store.keep_response(response(f"resp_{number}", created_ms=number))
    assert store.expire_responses(1_100) == 1_100 and store.expire_responses(1_100) == 0
    assert store.response("team:a", "resp_1099") is None and store.response("team:a", "resp_1100") is not None


def test_a_quota_is_kept_to_the_byte(store: KeptStore) -> None:
    assert store.add_file(file("file-1"), 20) and store.add_file(file("file-2"), 20)
    assert not store.add_file(file("file-3", num_bytes=1), 20)
    assert store.add_file(file("file-3", tenant="team:b"), 20)
    assert store.used_bytes("team:a") == 20 and store.used_bytes("nobody") == 0
    assert store.delete_file("team:b", "file-1") is None
    assert store.delete_file("team:a", "file-1") == file("file-1")
    assert store.delete_file("team:a", "file-1") is None and store.has_digest("d")
    assert store.add_file(file("file-4", num_bytes=10, digest="e"), 20) and not store.has_digest("f")


def test_files_end_by_their_own_time_or_by_their_age(store: KeptStore) -> None:
    ends = {"a": (1_000, 5_000), "b": (1_000, 0), "c": (4_000, 0), "d": (1_000, 9_000)}
    for id, (created_ms, expires_ms) in ends.items():
        store.add_file(file(id, created_ms=created_ms, expires_ms=expires_ms), 1_000)
    assert {each.id for each in store.expired_files(5_000, 2_000)} == {"a", "b"}
    assert {each.id for each in store.expired_files(4_999, 1_000)} == set()


def test_pages(store: KeptStore) -> None:
    for number in range(6):
        store.add_file(file(f"f{number}", created_ms=number // 2, purpose="ab"[number % 2]), 1_000)
        store.put_batch(batch(f"f{number}", created_ms=number // 2))
    for pages in (store.files, store.batches):
        ids = [each.id for each in pages("team:a", Page())]
        assert ids == [f"f{n}" for n in (5, 4, 3, 2, 1, 0)]
        assert [each.id for each in pages("team:a", Page(limit=2, after="f4"))] == ["f3", "f2"]
        assert [each.id for each in pages("team:a", Page(is_oldest_first=True, after="f3"))] == ["f4", "f5"]
        assert pages("team:a", Page(after="nobody")) == [] and pages("team:b", Page()) == []
        assert pages("team:b", Page(after="f3")) == []
    assert [each.id for each in store.files("team:a", Page(purpose="b", after="f4"))] == ["f3", "f1"]


def test_a_batch_is_replaced_whole(store: KeptStore) -> None:
    full = batch(
        status="completed",
        metadata={"a": "☃"},
        moments={"x_at": 1},
        total=3,
        errors=b"[1]",
        model="m",
        remote="b",
    )
    store.put_batch(batch())
    store.put_batch(full)
    assert store.batch("team:a", "batch_1") == full and store.batch("team:b", "batch_1") is None
    store.put_batch(batch("batch_2", created_ms=5))
    store.put_batch(batch("batch_3", created_ms=4, tenant="team:b", status="cancelling"))
    assert [each.id for each in store.unfinished()] == ["batch_3", "batch_2"]


def test_lines_are_counted_before_and_kept_after(store: KeptStore) -> None:
    store.begin_lines("b", [1, 2])
    store.begin_lines("b", [2])
    store.end_line("b", KeptLine(1, 1, True, b'{"n":1}'))
    store.end_line("b", KeptLine(9, 0, False, b'{"n":9}'))
    assert store.lines("b") == {
        1: KeptLine(1, 1, True, b"1"), 2: KeptLine(2, 2), 9: KeptLine(9, 0, False, b"1")
    }  # fmt: skip
    for number in range(10, 260):
        store.end_line("b", KeptLine(number, 1, True, b"%d" % number))
    assert list(store.results("b", is_good=True)) == [b'{"n":1}', *[b"%d" % n for n in range(10, 260)]]
    assert list(store.results("b", is_good=False)) == [b'{"n":9}'] and store.lines("c") == {}
    store.forget_lines("b")
    assert store.lines("b") == {}


class Twins(RuleBasedStateMachine):
    """Both stores, told the same."""

    folder: Path
    count = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).count += 1
        self.stores: list[Any] = [MemoryKept(), SqliteKept(self.folder / f"{type(self).count}.db")]

    def teardown(self) -> None:
        for each in self.stores:
            each.close()

    def both(self, ask: Any) -> None:
        one, other = [ask(each) for each in self.stores]
        assert one == other

    NAMES = st.sampled_from(["a", "b", "c", "d"])
    TENANTS = st.sampled_from(["t", "u"])

    @rule(id=NAMES, tenant=TENANTS, previous=st.sampled_from(["", "a", "b"]), ms=st.integers(0, 5))
    def keep(self, id: str, tenant: str, previous: str, ms: int) -> None:
        kept = response(id, tenant=tenant, previous=previous, created_ms=ms)
        self.both(lambda store: (store.keep_response(kept), store.chain(tenant, id)))

    @rule(id=NAMES, tenant=TENANTS, ms=st.integers(0, 5))
    def forget(self, id: str, tenant: str, ms: int) -> None:
        self.both(lambda store: (store.delete_response(tenant, id), store.expire_responses(ms)))

    @rule(id=NAMES, tenant=TENANTS, size=st.integers(0, 9), ms=st.integers(0, 3))
    def change_file(self, id: str, tenant: str, size: int, ms: int) -> None:
        added = file(id, tenant=tenant, num_bytes=size, created_ms=ms)
        self.both(lambda store: store.delete_file(tenant, id))
        if all(each.file(other, id) is None for each in self.stores for other in ("t", "u")):
            self.both(lambda store: store.add_file(added, 20))
        self.both(lambda store: (store.files(tenant, Page(limit=2)), store.used_bytes(tenant)))

    @rule(number=st.integers(0, 3), is_good=st.booleans())
    def run_line(self, number: int, is_good: bool) -> None:
        self.both(lambda store: store.begin_lines("b", [number]))
        self.both(lambda store: store.end_line("b", KeptLine(number, 1, is_good, b"{}")))
        self.both(lambda store: (store.lines("b"), list(store.results("b", is_good=True))))


def test_both_are_the_same_whatever_is_done(tmp_path: Path) -> None:
    Twins.folder = tmp_path
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Twins, settings=settings(max_examples=25, stateful_step_count=15, deadline=None)
    )


def test_a_due_is_there_until_it_is_ended(store: KeptStore) -> None:
    one, two = due(5), due(9, id="resp_2", tenant="team:b")
    assert store.add_due(one) and store.add_due(two)
    assert not store.add_due(due(5, id="resp_3")) and not store.add_due(
        due(6)
    )  # the number, or the id, is taken
    assert store.due("team:a", "resp_1") == one and store.due("team:b", "resp_1") is None
    assert store.due_of(9) == two and store.due_of(6) is None
    assert store.dues(-1, 10) == [one, two] and store.dues(5, 10) == [two] and store.dues(-1, 1) == [one]
    assert store.end_due(5) and not store.end_due(5)
    assert store.due_of(5) is None and store.dues(-1, 10) == [two]


# the real one's file


def test_what_is_deleted_is_in_no_file(tmp_path: Path) -> None:
    store = SqliteKept(tmp_path / "kept.db")
    for number in range(50):
        store.keep_response(
            response(f"resp_{number}", answer=b"a marmot's own words " * 500, created_ms=number)
        )

    def is_there() -> bool:
        return any(b"marmot" in path.read_bytes() for path in tmp_path.iterdir())

    assert is_there()
    store.delete_response("team:a", "resp_49")
    store.expire_responses(49)
    assert not is_there()
    store.close()
    store.close()
    with pytest.raises(StoreFault):
        store.response("team:a", "resp_1")


def test_the_file_is_ours_alone(tmp_path: Path) -> None:
    SqliteKept(tmp_path / "kept.db").close()
    assert (tmp_path / "kept.db").stat().st_mode & 0o777 == 0o600
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(StoreFault) as foreign:
        SqliteKept(tmp_path / "other.db")
    assert foreign.value.code == "store_foreign"
