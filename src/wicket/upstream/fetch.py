"""One whole answer awaited, for cold paths: readiness polls, provider checks, token endpoints."""

from __future__ import annotations

import asyncio

import msgspec

from wicket.errors import ProviderFault, UpstreamBroken, UpstreamTimeout
from wicket.upstream.contract import Exchange, Pool
from wicket.wire.origin import Origin


class Response(msgspec.Struct, frozen=True):
    """A whole answer; header names are lower-cased."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: bytes) -> bytes:
        """The first value under a lower-cased name, b"" if absent."""
        return next((value for known, value in self.headers if known == name), b"")


class _Collector:
    """A sink that keeps the whole body and wakes one waiter."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._parts: list[bytes] = []
        self.done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.stale = False

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._status = status
        self._headers = tuple(headers)

    def on_data(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left >= 0:
            self._parts.append(data)
        elif not self.done.done():
            self.done.set_exception(UpstreamBroken("too_large", "The answer is larger than allowed here."))

    def on_end(self) -> None:
        if not self.done.done():
            self.done.set_result(Response(self._status, self._headers, b"".join(self._parts)))

    def on_failure(self, fault: ProviderFault, *, reused: bool, headers_seen: bool) -> None:
        self.stale = reused and not headers_seen and fault.code == "reset"
        if not self.done.done():
            self.done.set_exception(fault)


async def fetch(
    pool: Pool, origin: Origin, request: bytes, *, connect_ms: int, total_ms: int, max_bytes: int
) -> Response:
    """Send `request` and wait for the whole answer; a stale connection is tried once more on a fresh one.

    Raises `ProviderFault` as the pool reports it, `UpstreamTimeout` "total_timeout", or `UpstreamBroken`
    "too_large" for more than `max_bytes` of body.
    """
    try:
        async with asyncio.timeout(total_ms / 1000):
            collector = _Collector(max_bytes)
            try:
                return await _answer(
                    pool.send(origin, request, collector, connect_ms=connect_ms), collector.done
                )
            except ProviderFault:
                if not collector.stale:
                    raise
            collector = _Collector(max_bytes)
            exchange = pool.send(origin, request, collector, connect_ms=connect_ms, fresh=True)
            return await _answer(exchange, collector.done)
    except TimeoutError:
        raise UpstreamTimeout("total_timeout", f"No whole answer came within {total_ms} ms.") from None


async def fetch_once(
    pool: Pool, origin: Origin, request: bytes, *, connect_ms: int, total_ms: int, max_bytes: int
) -> Response:
    """As `fetch`, but `request` goes out once at most: for whoever pays for each.

    A stale connection is then a failure, "reset".
    """
    try:
        async with asyncio.timeout(total_ms / 1000):
            collector = _Collector(max_bytes)
            return await _answer(pool.send(origin, request, collector, connect_ms=connect_ms), collector.done)
    except TimeoutError:
        raise UpstreamTimeout("total_timeout", f"No whole answer came within {total_ms} ms.") from None


async def _answer(exchange: Exchange, done: asyncio.Future[Response]) -> Response:
    try:
        return await done
    finally:
        exchange.cancel()
