"""One connection's answers, bytes in and callbacks out; knows no sockets (RFC 9112 §6.3, §9)."""

from __future__ import annotations

import re

from wicket.errors import ProviderFault
from wicket.upstream.chunked_body import ChunkedBody
from wicket.upstream.content_coding import Decoding, Listener
from wicket.upstream.response_head import MAX_HEAD_BYTES, Field, Framing, Malformed, parse_head, parse_plain

MAX_INTERIM_ANSWERS = 32

_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")


# What the next byte belongs to. Plain integers: an enum member costs a lookup on every read.
_HEAD, _LENGTH, _CHUNKED, _UNTIL_CLOSE = range(4)  # `_HEAD` is the false one


class ResponseReader:
    """Reads one answer after another: `begin`, `feed` until it says True, `begin` again.

    `reusable` is whether the connection may carry another request after this answer, `idle_s` for how
    long the upstream says so.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_chunks",
        "_decoding",
        "_interim",
        "_left",
        "bodiless",
        "idle_s",
        "listener",
        "reusable",
    )

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.bodiless = False
        self.reusable = False
        self.idle_s: int | None = None
        self._body = _HEAD
        self._buffer = b""
        self._interim = 0
        self._left = 0
        self._chunks: ChunkedBody | None = None
        self._decoding: Decoding | None = None

    def silence(self) -> None:
        """Tell nothing more, also within a running `feed`."""
        self.listener = None
        if self._decoding is not None:
            self._decoding.silence()

    def begin(self, listener: Listener, bodiless: bool) -> None:
        """Expect the answer to a request; `bodiless` for HEAD."""
        self.listener = listener
        self.bodiless = bodiless
        self._interim = 0
        self._body = _HEAD
        self._decoding = None

    @property
    def untouched(self) -> bool:
        """Not one byte of this answer has come."""
        return self._body == _HEAD and not self._buffer and not self._interim

    @property
    def headers_seen(self) -> bool:
        """The final head has been told."""
        return self._body != _HEAD

    def feed(self, data: bytes) -> bool:
        """Take what the socket gave; True when the answer is complete. Raises `Malformed`."""
        body = self._body
        if body == _CHUNKED:
            chunks = self._chunks
            assert chunks is not None
            payload = chunks.feed(data)
            if payload and self.listener is not None:
                self.listener.on_data(payload)
            return chunks.done and self._end_chunks(chunks)
        if body == _HEAD:
            # A shortcut for most answers that aren't streamed; `_feed_head` would tell exactly the same.
            plain = None if self._buffer or self.bodiless else parse_plain(data)
            if plain is None:
                return self._feed_head(data)
            self._body = _LENGTH
            self._left = 0
            self.reusable = True
            self.idle_s = None
            listener = self.listener
            if listener is not None:
                listener.on_headers(200, plain[0])
                if self.listener is listener:
                    listener.on_data(plain[1])
            return True
        if body == _LENGTH:
            return self._feed_length(data)
        self._tell(data)
        return False

    def close(self) -> bool:
        """The connection ended: whether that completes the answer. Raises `Malformed`."""
        if self._body != _UNTIL_CLOSE:
            return False
        if self._decoding is not None:
            self._decoding.check_end()
        return True

    def _feed_head(self, data: bytes) -> bool:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._await_head(data)
                return False
            if end > MAX_HEAD_BYTES:
                raise Malformed(f"a head of more than {MAX_HEAD_BYTES} bytes")
            status, fields, framing = parse_head(data[:end])
            data = data[end + 4 :]
            if status >= 200:
                return self._start_body(status, fields, framing, data)
            self._skip_interim(status)

    def _await_head(self, data: bytes) -> None:
        if len(data) > MAX_HEAD_BYTES:
            raise Malformed(f"a head of more than {MAX_HEAD_BYTES} bytes")
        if not data.startswith(b"HTTP/1."[: len(data)]):
            raise Malformed("it does not start with HTTP/1")
        if _BARE_LINE_FEED.search(data):
            raise Malformed("a bare line feed in the head")
        self._buffer = data

    def _skip_interim(self, status: int) -> None:
        if status == 101:
            raise Malformed("it switches protocols, which nobody asked for")
        self._interim += 1
        if self._interim > MAX_INTERIM_ANSWERS:
            raise Malformed(f"more than {MAX_INTERIM_ANSWERS} interim answers")

    def _start_body(self, status: int, fields: list[Field], framing: Framing, rest: bytes) -> bool:
        if status == 407:
            raise ProviderFault("proxy_failed", "The proxy wants other credentials: check the proxy's URL.")
        self.reusable = framing.keep_alive
        self.idle_s = framing.idle_s
        length = framing.length
        if self.bodiless or status in (204, 304):
            length = 0
            framing.chunked = False
        if length is not None:
            self._body = _LENGTH
            self._left = length
        elif framing.chunked:
            self._body = _CHUNKED
            self._chunks = ChunkedBody()
        else:
            self._body = _UNTIL_CLOSE
            self.reusable = False
        if framing.coding and length != 0 and self.listener is not None:
            self.listener = self._decoding = Decoding(self.listener, framing.coding)
        listener = self.listener
        if listener is not None:
            listener.on_headers(status, fields)
        if rest:
            return self.feed(rest)
        return length == 0

    def _feed_length(self, data: bytes) -> bool:
        left = self._left - len(data)
        self._left = left
        if left > 0:
            self._tell(data)
            return False
        if left < 0:
            self.reusable = False
            data = data[:left]
        if data:
            self._tell(data)
        return self._complete()

    def _end_chunks(self, chunks: ChunkedBody) -> bool:
        if chunks.surplus:
            self.reusable = False
        return self._complete()

    def _complete(self) -> bool:
        if self._decoding is not None:
            self._decoding.check_end()
        return True

    def _tell(self, data: bytes) -> None:
        if self.listener is not None:
            self.listener.on_data(data)
