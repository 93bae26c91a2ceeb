"""Newline-delimited JSON (github.com/ndjson/ndjson-spec) cut into whole lines, however its bytes came."""

from __future__ import annotations

from wicket.wire.sse import MAX_FRAME_BYTES, FrameTooLong


class LineSplitter:
    """Feed bytes, get whole lines; blank ones say nothing and are left out."""

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._pieces: list[bytes] = []  # of the line that is not whole yet
        self._size = 0
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes. Raises `FrameTooLong`."""
        first, *others = data.split(b"\n")
        self._keep(first)
        found = []
        for line in others:
            found.append(self.finish())
            self._keep(line)
        return [line for line in found if line]

    def _keep(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise FrameTooLong

    def finish(self) -> bytes:
        """What is left of a line without an end (b"" after a clean end)."""
        line = b"".join(self._pieces).strip()
        self._pieces, self._size = [], 0
        return line
