from __future__ import annotations

import fcntl
import resource
import stat
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.record import Record, Usage
from wicket.errors import StoreFault
from wicket.store.spool import claimed, spool_read, spool_write

PLAIN = Record(
    id=1,
    started_ms=2,
    key_id=3,
    api="a",
    model="m",
    deployment="d",
    served_model="s",
    status=200,
    outcome="ok",
    is_stream=False,
    usage=Usage(1, 2),
    cost_nanos=4,
    charge_nanos=5,
    first_token_us=-1,
    total_us=6,
    attempts=[],
)


def some(first: int, number: int) -> list[Record]:
    return [msgspec.structs.replace(PLAIN, id=first + place) for place in range(number)]


def test_what_is_appended_is_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.spool"
    spool_write(path, some(0, 3))
    spool_write(path, some(3, 2))
    spool_write(path, [])
    assert spool_read(path.read_bytes()) == ([some(0, 3), some(3, 2)], False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_many_records_go_into_several_frames(tmp_path: Path) -> None:
    spool_write(tmp_path / "a.spool", some(0, 5_001))
    batches, _ = spool_read((tmp_path / "a.spool").read_bytes())
    assert [len(batch) for batch in batches] == [5_000, 1]


@pytest.fixture(scope="module")
def two_frames(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    path = tmp_path_factory.mktemp("spool") / "a.spool"
    spool_write(path, some(0, 2))
    first = path.stat().st_size
    spool_write(path, some(2, 2))
    return path.read_bytes(), first


def test_cut_anywhere_it_is_only_torn(two_frames: tuple[bytes, int]) -> None:
    data, first = two_frames
    for end in range(len(data)):
        batches, is_damaged = spool_read(data[:end])
        assert batches == ([some(0, 2)] if end >= first else []), end
        assert not is_damaged, end


def test_a_torn_frame_hides_none_that_was_appended_later(two_frames: tuple[bytes, int]) -> None:
    data, first = two_frames
    for end in range(1, first):
        batches, is_damaged = spool_read(data[:end] + data)
        assert batches == [some(0, 2), some(2, 2)], end
        assert is_damaged


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_makes_a_wrong_record(
    two_frames: tuple[bytes, int], place: int, bit: int
) -> None:
    data, first = two_frames
    spoilt = bytearray(data)
    spoilt[place % len(data)] ^= 1 << bit
    batches, _ = spool_read(bytes(spoilt))
    assert batches == ([some(2, 2)] if place % len(data) < first else [some(0, 2)])


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(data: bytes) -> None:
    assert spool_read(data)[0] == []


def test_a_disk_that_takes_no_more_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    spool_write(path, some(0, 1))
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(StoreFault) as caught:
            spool_write(path, some(1, 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "spool_failed"
    assert path.read_bytes() == before


def test_a_file_in_use_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    spool_write(path, some(0, 1))
    with open(path, "rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with claimed(path) as data:
            assert data is None
    with claimed(path) as data:
        assert data == path.read_bytes()
    with claimed(tmp_path / "missing.spool") as data:
        assert data is None


def test_a_writer_that_waited_for_the_importer_begins_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    with ThreadPoolExecutor(1) as pool:
        for number in range(50):  # the writer comes before, while or after the file is removed
            spool_write(path, some(0, 1))
            with claimed(path):
                written = pool.submit(spool_write, path, some(number, 1))
                if number % 2:
                    wait([written], timeout=0.001)
                path.unlink()
            written.result()
            assert spool_read(path.read_bytes()) == ([some(number, 1)], False)
            path.unlink()
