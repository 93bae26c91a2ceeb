"""The chunked transfer coding taken off (RFC 9112 §7.1), joined per socket read.

llhttp does the reading: 0.1 µs a chunk, with a list's own `append` as its callback. Splitting the read at
CRLF and comparing lengths cost 0.4 µs a chunk, a loop in Python 0.9 µs.
"""

from __future__ import annotations

from typing import Any

import httptools

from wicket.upstream.response_head import MAX_HEAD_BYTES, Malformed

_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class ChunkedBody:
    """One body's decoder. `surplus` is whether bytes came behind the body. Trailers are dropped."""

    __slots__ = ("_dry_bytes", "_num_parts", "_parser", "_parts", "done", "on_body", "surplus")

    def __init__(self) -> None:
        self.done = False
        self.surplus = False
        self._parts: list[bytes] = []
        self._num_parts = 0  # of this body, in the read that ended it
        self._dry_bytes = 0  # read in a row without payload: extensions, trailers
        self.on_body = self._parts.append
        self._parser: Any = httptools.HttpResponseParser(self)
        self._parser.feed_data(_HEAD)

    def on_message_complete(self) -> None:
        """See httptools."""
        if not self.done:
            self.done = True
            self._num_parts = len(self._parts)

    def on_message_begin(self) -> None:
        """See httptools: a second answer, which nobody asked for."""
        self.surplus = self.done

    def feed(self, data: bytes) -> bytes:
        """The payload within `data`, possibly empty. Raises `Malformed`."""
        parts = self._parts
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.done:
                raise Malformed(f"its chunks can't be read ({error})") from None
            self.surplus = True
        if self.done:
            del parts[self._num_parts :]
        if len(parts) == 1:
            self._dry_bytes = 0
            return parts.pop()
        payload = b"".join(parts)
        parts.clear()
        self._dry_bytes = 0 if payload else self._dry_bytes + len(data)
        if self._dry_bytes > MAX_HEAD_BYTES:
            raise Malformed("its trailers are too long")
        return payload
