"""The caller's side of one inference request: status line, headers, body, in as few writes as can be."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from wicket.accounts.request_ids import format_id
from wicket.dialects.translation import Voice
from wicket.errors import Fault
from wicket.server.answers import fault_headers
from wicket.wire.chunked import LAST_CHUNK, chunk
from wicket.wire.json_array import JsonArray

if TYPE_CHECKING:
    from wicket.server.protocol import InferenceProtocol

_JSON = b"content-type: application/json\r\n"
_STREAM = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_ARRAY = b"content-type: application/json\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
_NO_BUFFERING = b"cache-control: no-cache\r\nx-accel-buffering: no\r\n"
_CHUNKED = b"transfer-encoding: chunked\r\n"


class HttpReply:
    """`gateway.drive.Reply` over HTTP/1.1. After it is complete, or the client left, nothing is written.

    Faults are told as `voice` tells them; `array` is there where a stream goes out as one JSON array.
    """

    __slots__ = (
        "_head", "_is_chunked", "_is_over", "_is_raw", "_protocol",
        "array", "cors", "keep_alive", "number", "voice",
    )  # fmt: skip

    def __init__(
        self,
        protocol: InferenceProtocol,
        voice: Voice,
        keep_alive: bool,
        cors: bytes,
        *,
        is_chunked: bool = True,
    ) -> None:
        self.voice = voice
        self.array: JsonArray | None = None
        self.number = 0  # the request's id, once it has one
        self._protocol = protocol
        self._is_chunked = is_chunked  # HTTP/1.0 knows no chunks: there the connection's end is the answer's
        self._head = b""  # a stream's head, waiting for the first bytes
        self._is_over = False
        self._is_raw = False  # a stream without frames
        self.keep_alive = keep_alive
        self.cors = cors

    def whole(self, status: int, headers: bytes, body: bytes, content_type: bytes = b"") -> None:
        """A complete answer in one write."""
        if not self._open():
            return
        self._is_over = True
        kind = _typed(content_type) if content_type else _JSON
        self._protocol.transport.write(
            b"%b%b%bcontent-length: %d\r\n\r\n%b" % (self._start(status), kind, headers, len(body), body)
        )
        self._protocol.answered(self.keep_alive)

    def begin(self, headers: bytes, content_type: bytes = b"") -> None:
        """Keep the head until there is something to send with it: one packet instead of two."""
        coding = _CHUNKED if self._is_chunked else b""
        kind = _ARRAY if self.array else _STREAM
        if content_type:
            self._is_raw = True
            kind = _typed(content_type) + _NO_BUFFERING
        self._head = b"%b%b%b%b\r\n" % (self._start(200), kind, coding, headers)

    def write(self, data: bytes) -> None:
        """One chunk."""
        if not self._open():
            return
        if self.array is not None:
            data = self.array.write(data)
        if self._is_chunked:
            data = chunk(data)
        head, self._head = self._head, b""
        self._protocol.transport.write(head + data if head else data)

    def finish(self) -> None:
        """The stream's proper end."""
        if not self._open():
            return
        self._is_over = True
        head, self._head = self._head, b""
        end = self.array.finish() if self.array is not None else b""
        if self._is_chunked:
            end = (chunk(end) if end else b"") + LAST_CHUNK
        self._protocol.transport.write(head + end)
        self._protocol.answered(self.keep_alive)

    def refuse(self, fault: Fault, headers: bytes) -> None:
        """An error answer."""
        lines = b"".join([b"%b: %b\r\n" % pair for pair in fault_headers(fault)])
        self.whole(fault.status, headers + lines, self.voice.fault_body(fault, format_id(self.number)))

    def fail_in_band(self, fault: Fault) -> None:
        """An error frame, then the end without an end mark: no client takes it for a normal stop.

        Bytes have no frames: the connection ends before the last chunk does. Where its end would be the
        answer's (HTTP/1.0), it is reset.
        """
        if not self._open():
            return
        if self._is_raw:
            self._is_over = True
            if self._is_chunked:
                self._protocol.transport.close()
            else:
                _reset(self._protocol.transport)
            return
        self.write(self.voice.fault_frame(fault, format_id(self.number)))
        self.finish()

    def _open(self) -> bool:
        return not self._is_over and not self._protocol.transport.is_closing()

    def _start(self, status: int) -> bytes:
        close = b"" if self.keep_alive else b"connection: close\r\n"
        return self._protocol.serving.status_lines.find(
            status, self._protocol.server_state.default_headers
        ) + (self.cors + close)


def _reset(transport: asyncio.WriteTransport) -> None:
    """End a connection by RST: `abort` alone sends a FIN, which HTTP/1.0 takes for a good end."""
    handle = transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(handle.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _typed(content_type: bytes) -> bytes:
    """A type that a provider gave, and that no browser takes it for anything else."""
    return b"content-type: %b\r\nx-content-type-options: nosniff\r\n" % content_type


class StatusLines:
    """Status line and the server's own headers (`date`), joined anew only when these change."""

    def __init__(self) -> None:
        self._made_of: list[tuple[bytes, bytes]] | None = None
        self._lines: dict[int, bytes] = {}

    def find(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The first lines of an answer; uvicorn makes a new list of headers every second."""
        if headers is not self._made_of:
            self._made_of = headers
            self._lines = {}
        lines = self._lines.get(status)
        if lines is None:
            lines = STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % pair for pair in headers])
            self._lines[status] = lines
        return lines
