"""The keeper: what is too old goes, what was left half-done goes, nothing else does."""

import asyncio
import resource
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wicket.config.schema import StorageTable
from wicket.errors import OperatorFault, StoreFault
from wicket.state.kept import KeptFile, KeptResponse
from wicket.state.seal import KEY_BYTES
from wicket.store.contents import Contents, Incoming
from wicket.store.kept_contract import KeptStore
from wicket.supervisor.keeper import Keeper
from wicket.supervisor.sealkey import KEY_FILE, seal_key

DAY_MS = 86_400_000
NOW_MS = int(time.time() * 1_000)


def run(home: Path, work: Callable[[Keeper], Coroutine[Any, Any, Any]], **storage: Any) -> Any:
    """Something done by a keeper of its own."""

    async def all_of_it() -> Any:
        keeper = Keeper(home, StorageTable(**storage))
        try:
            return await work(keeper)
        finally:
            keeper.close()

    return asyncio.run(all_of_it())


async def one_round(keeper: Keeper) -> None:
    """What it does at its start."""
    watching = asyncio.ensure_future(keeper.watch())
    await asyncio.sleep(0)
    await keeper.do(lambda store: None)  # behind the round in the same thread
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def brought_in(contents: Contents, data: bytes) -> Incoming:
    incoming = Incoming(contents)
    incoming.write(data)
    incoming.close()
    return incoming


def file(id: str, incoming: Incoming, **changes: Any) -> KeptFile:
    made = KeptFile("t", id, NOW_MS, 0, "n", "batch", incoming.num_bytes, incoming.digest)
    return msgspec.structs.replace(made, **changes)


def test_what_is_too_old_goes_with_what_it_holds(tmp_path: Path) -> None:
    async def work(keeper: Keeper) -> list[str]:
        kept = {}
        for id, changes in {
            "old": {"created_ms": NOW_MS - 3 * DAY_MS},
            "new": {},
            "ended": {"expires_ms": NOW_MS - 1},
            "longer": {"created_ms": NOW_MS - 3 * DAY_MS, "expires_ms": NOW_MS + DAY_MS},
        }.items():
            incoming = brought_in(keeper.contents, id.encode())
            kept[id] = file(id, incoming, **changes)
            keeper.contents.adopt(incoming.name, incoming.digest)

        def fill(store: KeptStore) -> None:
            for each in kept.values():
                assert store.add_file(each, 1_000)
            for id, ms in (("resp_old", NOW_MS - 3 * DAY_MS), ("resp_new", NOW_MS)):
                store.keep_response(KeptResponse("t", id, ms, 1, "m", "", b"[]", b"{}"))

        await keeper.do(fill)
        await one_round(keeper)
        assert {each.name for each in keeper.contents.folder.rglob("?" * 64)} == {
            kept[id].digest for id in ("new", "longer")
        }
        assert keeper.num_expired == 3

        def left(store: KeptStore) -> list[str]:
            ids = [id for id in ("resp_old", "resp_new") if store.response("t", id)]
            return ids + [id for id in kept if store.file("t", id)]

        return await keeper.do(left)

    assert run(tmp_path, work, keep_days=2.0) == ["resp_new", "new", "longer"]


def test_what_was_left_half_done_goes_at_the_start(tmp_path: Path) -> None:
    async def begin(keeper: Keeper) -> str:
        whole = brought_in(keeper.contents, b"whole")
        keeper.contents.adopt(whole.name, whole.digest)
        await keeper.do(lambda store: store.add_file(file("f", whole), 1_000))
        brought_in(keeper.contents, b"not adopted")
        orphan = brought_in(keeper.contents, b"adopted, and then the power went")
        keeper.contents.adopt(orphan.name, orphan.digest)
        return whole.digest

    digest = run(tmp_path, begin)
    assert len([path for path in (tmp_path / "files").rglob("*") if path.is_file()]) == 3
    run(tmp_path, one_round)
    assert [path.name for path in (tmp_path / "files").rglob("*") if path.is_file()] == [digest]


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path: Path) -> None:
    async def look(keeper: Keeper) -> None:
        watching = asyncio.ensure_future(keeper.watch())
        await asyncio.sleep(0)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert not keeper.has_store

    run(tmp_path, look)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_is_the_operators(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the same call fails in the same place."""
    contents = Contents(tmp_path / "files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    incoming = Incoming(contents)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        with pytest.raises(StoreFault) as full:
            incoming.write(bytes(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        incoming.discard()
    assert full.value.code == "store_full" and full.value.status == 503
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("digest", ["", "../../../etc/passwd", "A" * 64, "a" * 63, "a" * 65, "a" * 63 + "\n"])
def test_only_a_digest_is_a_place(tmp_path: Path, digest: str) -> None:
    contents = Contents(tmp_path)
    for call in (contents.open, contents.drop):
        with pytest.raises(ValueError):
            call(digest)
    with pytest.raises(ValueError):
        contents.adopt("../admin.key", "a" * 64)


def test_the_key_is_made_once_and_read_by_nobody_else(tmp_path: Path) -> None:
    key = seal_key(tmp_path)
    assert len(key) == KEY_BYTES and seal_key(tmp_path) == key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    for damaged in ("", "zz", "00" * (KEY_BYTES - 1), "\udcff"):
        (tmp_path / KEY_FILE).write_text(damaged, errors="surrogateescape")
        with pytest.raises(OperatorFault):
            seal_key(tmp_path)


def test_a_backup_is_all_of_one_moment_with_bytes_of_its_own(tmp_path: Path) -> None:
    home, target = tmp_path / "home", tmp_path / "copy"
    home.mkdir()

    async def work(keeper: Keeper) -> None:
        assert await keeper.backup(target) is None and not target.exists()  # nothing was ever kept
        coming = brought_in(keeper.contents, b"what the file holds")

        one = file("f", coming)

        def keep(store: KeptStore) -> None:
            keeper.contents.adopt(coming.name, coming.digest)
            store.add_file(one, 1 << 20)
            store.keep_response(KeptResponse("t", "r", NOW_MS, 1, "m", "", b"[]", b"{}"))

        await keeper.do(keep)
        brought_in(keeper.contents, b"nobody has taken it yet")
        seal_key(home)
        made = await keeper.backup(target)
        assert made is not None and made["files"] == 1 and made["bytes"] > 0
        with pytest.raises(StoreFault) as caught:
            await keeper.backup(target)
        assert caught.value.code == "backup_exists"
        with pytest.raises(StoreFault):
            await keeper.backup(tmp_path / "missing" / "copy")

        def forget(store: KeptStore) -> None:
            gone = store.delete_file("t", "f")
            assert gone is not None
            keeper.release(store, gone)

        await keeper.do(forget)

    run(home, work, files="local")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "home"]
    assert (target / KEY_FILE).read_text() == (home / KEY_FILE).read_text()
    kept = [path for path in target.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert {path.stat().st_nlink for path in kept} == {1}

    async def look(keeper: Keeper) -> None:
        found = await keeper.do(lambda store: store.file("t", "f"))
        assert found is not None
        with keeper.contents.open(found.digest) as content:
            assert content.read() == b"what the file holds"
        assert await keeper.do(lambda store: store.response("t", "r")) is not None

    run(target, look, files="local")
