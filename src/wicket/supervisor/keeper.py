"""The one writer of what is kept: `kept.db` and the folder `files`, in a thread of its own.

Everything is done in order by that thread, so that a file's row and its content come and go together. The
database is made when there is a first thing to keep; what is too old goes at the start and then each hour.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wicket.config.schema import StorageTable
from wicket.errors import Fault, StoreFault
from wicket.state.kept import KeptFile
from wicket.store.contents import FOLDER, Contents
from wicket.store.copying import copy_database, hold_contents, part_contents
from wicket.store.faults import mapped
from wicket.store.kept import SqliteKept
from wicket.store.kept_contract import KeptStore
from wicket.supervisor.home import write_private
from wicket.supervisor.sealkey import KEY_FILE
from wicket.supervisor.verb import now_ms

DATABASE_FILE = "kept.db"
EXPIRE_S = 3_600.0
MAX_UPLOAD_S = 86_400.0  # what came in longer ago belongs to a process that died
_DAY_MS = 86_400_000
_log = logging.getLogger("wicket.keeper")

if TYPE_CHECKING:
    from wicket.telemetry.batches import BatchGauges

T = TypeVar("T")


class Keeper:
    """`do` runs a function on the store in the writing thread. `storage` changes with the configuration."""

    def __init__(self, home: Path, storage: StorageTable) -> None:
        self.home = home
        self.storage = storage
        self.contents = Contents(home / FOLDER)
        self.num_expired = 0
        self.wake: Callable[[], None] = lambda: None  # there is something new to work on
        self.progress: Callable[[], BatchGauges | None] = lambda: None  # of the batches
        self._path = home / DATABASE_FILE
        self._store: SqliteKept | None = None
        self._thread = ThreadPoolExecutor(1, "keeper")

    @property
    def has_store(self) -> bool:
        """Whether anything was ever kept."""
        return self._path.exists()

    async def do(self, job: Callable[[KeptStore], T]) -> T:
        """Run `job` in its turn. Raises its fault, and `StoreFault` where the database can't be used."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: job(self._open()))

    async def watch(self) -> None:
        """For ever: let go of what is too old. What a killed server left half-done goes at the start."""
        is_first = True
        while True:
            if self.has_store:
                try:
                    await self.do(self._clean if is_first else self._expire)
                except Fault as fault:
                    _log.error("what is too old could not be deleted: %s", fault.message)
            is_first = False
            await asyncio.sleep(EXPIRE_S)

    async def backup(self, target: Path) -> dict[str, Any] | None:
        """Copy all that is kept into a new folder, laid out as in the data folder; None if nothing ever was.

        Database and contents are of one moment. Raises `StoreFault` for a folder that exists.
        """
        if not self.has_store:
            return None
        part = target.with_name(f".{target.name}.{os.getpid()}.part")

        def hold(store: KeptStore) -> None:
            if target.exists():
                raise StoreFault("backup_exists", f"{target} exists already: choose another name.")
            with mapped(target):
                part.mkdir(mode=0o700)
            copy_database(self._path, part / DATABASE_FILE)
            hold_contents(self.contents, part)

        def finish() -> dict[str, Any]:
            num_files = part_contents(part)
            key = self.home / KEY_FILE
            if key.exists():
                write_private(part / KEY_FILE, key.read_text("ascii"))
            with mapped(target):
                part.rename(target)
            num_bytes = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
            return {"path": str(target), "bytes": num_bytes, "files": num_files}

        try:
            await self.do(hold)
            return await asyncio.to_thread(finish)
        finally:
            await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)

    def close(self) -> None:
        """Finish what was begun and release the files."""
        self._thread.shutdown(wait=True)
        if self._store is not None:
            self._store.close()

    def release(self, store: KeptStore, file: KeptFile) -> None:
        """A file's row is gone: so is its content, unless another file has the same."""
        if not store.has_digest(file.digest):
            self.contents.drop(file.digest)

    def _open(self) -> KeptStore:
        if self._store is None:
            self._store = SqliteKept(self._path)
        return self._store

    def _clean(self, store: KeptStore) -> None:
        self.contents.sweep(0.0)
        for digest in list(self.contents.digests()):
            if not store.has_digest(digest):
                self.contents.drop(digest)
        self._expire(store)

    def _expire(self, store: KeptStore) -> None:
        now = now_ms()
        before_ms = max(0, now - round(self.storage.keep_days * _DAY_MS))
        self.contents.sweep(MAX_UPLOAD_S)
        self.num_expired += store.expire_responses(before_ms)
        for file in store.expired_files(now, before_ms):
            store.delete_file(file.tenant, file.id)
            self.release(store, file)
            self.num_expired += 1
