"""Server-sent events cut into whole frames, wherever the bytes were split (WHATWG HTML §9.2).

The relay forwards whole frames only, so that a cut in mid-frame can still become a clean in-band error.
"""

from __future__ import annotations

MAX_FRAME_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class FrameTooLong(Exception):
    """A single frame exceeds the bound."""


class FrameSplitter:
    """Feed bytes, get whole frames; line ends come out as LF."""

    __slots__ = ("_had_bytes", "_max_bytes", "_rest")

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._rest = b""
        self._max_bytes = max_bytes
        self._had_bytes = False

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, each without its blank line. Raises `FrameTooLong`."""
        if self._rest:
            data = self._rest + data
        if not self._had_bytes:
            if data[:3] == _BOM[: len(data[:3])] and len(data) < 3:
                self._rest = data
                return []
            self._had_bytes = True
            data = data.removeprefix(_BOM)
        if b"\r" in data:
            held = data.endswith(b"\r")
            data = (data[:-1] if held else data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if held:
                data += b"\r"
        frames = data.split(b"\n\n")
        self._rest = rest = frames.pop()
        if len(rest) > self._max_bytes:
            raise FrameTooLong
        return frames

    def finish(self) -> bytes:
        """What is left of an unfinished frame at the end of the stream (b"" after a clean end)."""
        rest, self._rest = self._rest, b""
        return rest.replace(b"\r", b"\n").strip(b"\n")


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
