"""Content codings taken off (RFC 9110 §8.4.1), for upstreams that compress although asked not to.

Every request goes out with `Accept-Encoding: identity`. Some servers send gzip all the same, so gzip and
deflate are decoded, with a bound on how much larger the body may become; any other coding is malformed.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from wicket.upstream.response_head import Field, Malformed

MAX_RATIO = 100  # a repetitive event stream reaches about 30
FREE_BYTES = 1_048_576  # below this much output the ratio doesn't matter
_PIECE_BYTES = 65_536
_GONE = (b"content-encoding", b"content-length")


class Listener(Protocol):
    """What a reader tells; the part of `Sink` that has to do with bytes."""

    def on_headers(self, status: int, headers: list[Field]) -> None:
        """The final head."""
        ...

    def on_data(self, data: bytes) -> None:
        """Body bytes, never empty."""
        ...


class Decoding:
    """A listener that passes the decoded body on; the headers no longer name the coding or its length."""

    def __init__(self, listener: Listener, coding: str) -> None:
        """Raises `Malformed` for a coding that is neither gzip nor deflate."""
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise Malformed("its content coding was not asked for and is not gzip or deflate")
        self._listener: Listener | None = listener
        self._inflate = None if coding == "deflate" else zlib.decompressobj(wbits=31)
        self._start = b""
        self._taken = 0
        self._given = 0

    def silence(self) -> None:
        """Tell nothing more, also within a running `on_data`."""
        self._listener = None

    def on_headers(self, status: int, headers: list[Field]) -> None:
        """Pass the head on without the fields that are no longer true."""
        if self._listener is not None:
            self._listener.on_headers(status, [field for field in headers if field[0] not in _GONE])

    def on_data(self, data: bytes) -> None:
        """Decode; raises `Malformed` for bad data, for more than `MAX_RATIO` and for bytes behind the end."""
        self._taken += len(data)
        if self._inflate is None:
            data = self._start + data
            if len(data) < 2:
                self._start = data
                return
            self._inflate = _deflate(data)
        while self._listener is not None:
            if self._inflate.eof and data:
                raise Malformed("there are bytes behind its compressed body")
            try:
                piece = self._inflate.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise Malformed("its compressed body can't be read") from None
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            self._given += len(piece)
            if self._given > FREE_BYTES + MAX_RATIO * self._taken:
                raise Malformed(f"its body grows more than {MAX_RATIO} times when decompressed")
            if piece:
                self._listener.on_data(piece)
            if not data and len(piece) < _PIECE_BYTES:
                return

    def check_end(self) -> None:
        """Raises `Malformed` if the body is over before its compressed data."""
        if self._taken and not (self._inflate is not None and self._inflate.eof):
            raise Malformed("its compressed body ends early")


def _deflate(start: bytes) -> zlib._Decompress:
    """Some servers send deflate without its zlib wrapper (RFC 9110 §8.4.1.2), told by the first two bytes."""
    wrapped = start[0] & 15 == 8 and (start[0] << 8 | start[1]) % 31 == 0
    return zlib.decompressobj(wbits=15 if wrapped else -15)
