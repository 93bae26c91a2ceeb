"""Notices that a file has changed: by time and size first, by content when those differ."""

from __future__ import annotations

import hashlib
from pathlib import Path

_Stamp = tuple[int, int, int]


class Watch:
    """One file. A touch without a change of content is no change; a file that is gone is none either.

    A change counts once two looks in a row see the same file: an editor may remove the file for a moment,
    or write it in pieces.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._seen = self._look()
        self._digest = self._read()

    def has_changed(self) -> bool:
        """Whether the content differs from what it was at the last call."""
        before, self._seen = self._seen, self._look()
        stamp = self._seen
        if stamp is None or stamp != before or stamp == self._stamp:
            return False
        digest = self._read()
        if digest is None:
            return False
        self._stamp = stamp
        known, self._digest = self._digest, digest
        return digest != known

    def _look(self) -> _Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> bytes | None:
        try:
            return hashlib.sha256(self._path.read_bytes()).digest()
        except OSError:
            return None
