"""Server-sent events cut into whole frames, wherever the bytes were split (WHATWG HTML §9.2).

The relay forwards whole frames only, so that a cut in mid-frame can still become a clean in-band error.
"""

from __future__ import annotations

MAX_FRAME_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class FrameTooLong(Exception):
    """A single frame exceeds the bound."""


class FrameSplitter:
    """Feed bytes, get whole frames; line ends come out as LF.

    An unfinished frame is kept in the pieces that it came in: each byte is looked at once, however long a
    frame becomes.
    """

    __slots__ = ("_had_bytes", "_has_cr", "_max_bytes", "_pieces", "_size")

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._max_bytes = max_bytes
        self._had_bytes = False
        self._has_cr = False  # the last byte was a CR, which may have an LF behind it

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, each without its blank line. Raises `FrameTooLong`."""
        if not self._had_bytes:
            data = self._begin(data)
        if self._has_cr:
            data = b"\r" + data
            self._has_cr = False
        if b"\r" in data:
            if data.endswith(b"\r"):
                self._has_cr = True
                data = data[:-1]
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        pieces = self._pieces
        if pieces and data and pieces[-1].endswith(b"\n"):  # the blank line may be cut in two
            pieces[-1] = pieces[-1][:-1]
            self._size -= 1
            data = b"\n" + data
        frames = data.split(b"\n\n")
        rest = frames.pop()
        if frames and pieces:
            frames[0] = b"".join(pieces) + frames[0]
            pieces.clear()
            self._size = 0
        if rest:
            pieces.append(rest)
            self._size += len(rest)
            if self._size > self._max_bytes:
                raise FrameTooLong
        return frames

    def _begin(self, data: bytes) -> bytes:
        """The first bytes without their mark, b"" while it can't be told whether they are one."""
        data = b"".join(self._pieces) + data
        self._pieces = []
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._pieces = [data] if data else []
            return b""
        self._had_bytes = True
        return data.removeprefix(_BOM)

    def finish(self) -> bytes:
        """What is left of an unfinished frame at the end of the stream (b"" after a clean end)."""
        rest = b"".join(self._pieces)
        self._pieces, self._size, self._has_cr = [], 0, False
        return rest.strip(b"\n")


def payload(frame: bytes) -> bytes:
    """The frame's data, lines joined by LF; b"" for a comment or a frame without data."""
    if frame.startswith(b"data: ") and b"\n" not in frame:
        return frame[6:]
    lines = []
    for line in frame.split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
    return b"\n".join(lines)
