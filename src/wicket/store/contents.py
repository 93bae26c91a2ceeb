"""What files hold, in a folder by the SHA-256 of their bytes: no name of a caller's ever becomes a path.

An upload goes into `incoming` under a random name and moves to its place by one rename, so that a content is
whole or not there. Raises `StoreFault` for whatever the file system refuses.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from wicket.store.faults import mapped

FOLDER = "files"  # in the data folder
INCOMING = "incoming"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[0-9a-f]{32}")


class Incoming:
    """A content that is being written. `close` it, then it is adopted by its `name` or discarded."""

    def __init__(self, contents: Contents) -> None:
        self.name = secrets.token_hex(16)
        self.num_bytes = 0
        self._hash = sha256()
        self._contents = contents
        with mapped(contents.folder):
            contents.make()
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file: BinaryIO | None = os.fdopen(handle, "wb", buffering=0)

    @property
    def path(self) -> Path:
        """Where it lies for now."""
        return self._contents.folder / INCOMING / self.name

    @property
    def digest(self) -> str:
        """The SHA-256 of what has been written, in hex."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """More of it."""
        assert self._file is not None
        with mapped(self._contents.folder):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
        self._hash.update(data)
        self.num_bytes += len(data)

    def close(self) -> None:
        """It is whole: have the disk take it."""
        assert self._file is not None
        with mapped(self._contents.folder), self._file:
            os.fsync(self._file.fileno())
        self._file = None

    def discard(self) -> None:
        """It is not wanted after all; nothing happens if it was adopted."""
        if self._file is not None:
            self._file.close()
        self.path.unlink(missing_ok=True)


class Contents:
    """A folder of contents. Workers write and read; the supervisor alone adopts and drops."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> None:
        """Make the folders (0700)."""
        (self.folder / INCOMING).mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where a content lies. Raises `ValueError` for what is no digest."""
        if _DIGEST.fullmatch(digest) is None:
            raise ValueError("no digest")
        return self.folder / digest[:2] / digest

    def open(self, digest: str) -> BinaryIO:
        """A content, for reading; it can be read on when it is dropped. `StoreFault` if it is gone."""
        with mapped(self.folder):
            return self.path(digest).open("rb")

    def adopt(self, name: str, digest: str) -> None:
        """Put what came in to its place; an equal content that is there already stays."""
        if _NAME.fullmatch(name) is None:
            raise ValueError("no name of an incoming content")
        target = self.path(digest)
        with mapped(self.folder):
            target.parent.mkdir(mode=0o700, exist_ok=True)
            (self.folder / INCOMING / name).replace(target)

    def refuse(self, name: str) -> None:
        """What came in is not taken."""
        if _NAME.fullmatch(name) is not None:
            (self.folder / INCOMING / name).unlink(missing_ok=True)

    def drop(self, digest: str) -> None:
        """Nobody has this content any more."""
        with mapped(self.folder):
            self.path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """Every content that is there."""
        for path in self.folder.glob("[0-9a-f][0-9a-f]/*"):
            if _DIGEST.fullmatch(path.name):
                yield path.name

    def sweep(self, older_than_s: float) -> int:
        """Delete what came in and was left behind by a process that died; says how many."""
        num_gone = 0
        for path in self.folder.glob(f"{INCOMING}/*"):
            try:
                if time.time() - path.stat().st_mtime >= older_than_s:
                    path.unlink()
                    num_gone += 1
            except FileNotFoundError:
                continue
        return num_gone
