"""Notices that a file has changed: by time and size first, by content when those differ."""

from __future__ import annotations

import hashlib
from pathlib import Path

_Stamp = tuple[int, int, int]


class Watch:
    """One file. A touch without a change of content is no change; a file that is gone is none either.

    (An editor may remove the file for a moment before it writes the new one.)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()
        self._digest = self._read()

    def has_changed(self) -> bool:
        """Whether the content differs from what it was at the last call."""
        stamp = self._look()
        if stamp is None or stamp == self._stamp:
            return False
        digest = self._read()
        if digest is None:
            return False
        self._stamp = stamp
        before, self._digest = self._digest, digest
        return digest != before

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
