"""Whole event frames turned into the pieces of one JSON array: how Gemini streams without `alt=sse`."""

from __future__ import annotations

from wicket.wire.sse import payload


class JsonArray:
    """One answer. Comments become white space, so that a waiting caller still hears something."""

    def __init__(self) -> None:
        self._is_open = False

    def write(self, frames: bytes) -> bytes:
        """The array's next elements: the payloads of whole frames."""
        pieces = []
        for frame in frames.split(b"\n\n"):
            data = payload(frame)
            if data:
                pieces.append(b"%b%b" % (b",\r\n" if self._is_open else b"[", data))
                self._is_open = True
        return b"".join(pieces) or b"\n"

    def finish(self) -> bytes:
        """The array's end."""
        return b"]" if self._is_open else b"[]"
