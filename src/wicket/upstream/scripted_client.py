"""A client of the scripted upstream, at the level of bytes: read a request, write, wait, vanish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from wicket.upstream.scripted_door import reset_transport

BEGINNING_BYTES = 512  # of a body, read at once to see who asks for what
_PACE_SLICE_S = 0.01


class ClientGone(Exception):
    """The client closed its connection before the answer's end."""


class Request(msgspec.Struct, frozen=True):
    """One request; header names are lower-cased."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    @property
    def key(self) -> str:
        """The API key it carries, "" for none."""
        for name, value in self.headers:
            if name == "authorization":
                return value.removeprefix("Bearer ")
            if name in ("x-api-key", "api-key", "x-goog-api-key"):
                return value
        return ""

    def header(self, name: str) -> str:
        """A header's first value, "" if absent."""
        return next((value for known, value in self.headers if known == name), "")


class Client:
    """One connection. A pending one-byte read tells while answering whether the client is still there."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._peek: asyncio.Task[bytes] | None = None

    async def read_head(self) -> Request | None:
        """The next request's head, None if the client closed instead."""
        first = await self._peeked()
        self._peek = None
        if not first:
            return None
        lines = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        fields = (line.partition(":") for line in lines[1:] if line)
        return Request(method, path, [(name.lower(), value.strip()) for name, _, value in fields])

    async def read_body(self, head: Request, pace: Callable[[bytes], int | None]) -> Request:
        """The request with its body, read no faster than `pace` says of its beginning, in bytes a second."""
        if head.header("expect").lower() == "100-continue":
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if head.header("transfer-encoding"):
            return msgspec.structs.replace(head, body=await self._read_chunks())
        left = int(head.header("content-length") or 0)
        parts = [await self._reader.readexactly(min(left, BEGINNING_BYTES))] if left else []
        left -= sum(map(len, parts))
        bytes_s = pace(parts[0]) if left else None
        while left:
            data = await self._reader.read(
                min(left, max(1, int(bytes_s * _PACE_SLICE_S))) if bytes_s else left
            )
            if not data:
                raise ClientGone
            parts.append(data)
            left -= len(data)
            if bytes_s:
                await asyncio.sleep(len(data) / bytes_s)
        return msgspec.structs.replace(head, body=b"".join(parts))

    async def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            size = int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16)
            data = await self._reader.readexactly(size + 2)
            if not size:
                return b"".join(parts)
            parts.append(data[:-2])

    async def write(self, data: bytes) -> None:
        """Raises `ClientGone` if nobody is there to read it."""
        self._check()
        self._writer.write(data)
        await self._writer.drain()

    async def wait(self, ms: float | None) -> None:
        """Wait so long, None for ever. Raises `ClientGone` as soon as the client leaves."""
        peek = self._peeked()
        if peek.done() and ms is not None:
            await asyncio.sleep(ms / 1000)
        else:
            await asyncio.wait({peek}, timeout=None if ms is None else ms / 1000)
        self._check()

    async def end(self, *, rst: bool) -> None:
        """End the connection from here."""
        if rst:
            reset_transport(self._writer.transport)
        self._writer.close()
        await self._writer.wait_closed()

    async def close(self) -> None:
        """Close without flushing, and wait until it is closed."""
        self._writer.transport.abort()  # first, because this too may be cancelled
        if self._peek is not None:
            self._peek.cancel()
            await asyncio.gather(self._peek, return_exceptions=True)
            self._peek = None
        try:
            await self._writer.wait_closed()
        except (OSError, asyncio.CancelledError):
            pass

    def _peeked(self) -> asyncio.Task[bytes]:
        if self._peek is None:
            self._peek = asyncio.create_task(self._reader.read(1))
        return self._peek

    def _check(self) -> None:
        peek = self._peeked()
        if peek.done() and (peek.exception() or not peek.result()):
            raise ClientGone
