"""A provider's event stream about a thing that it keeps, passed on by frames, no faster than it is read."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import Response, StreamingResponse

from wicket.dialects.contract import module
from wicket.errors import Fault, ProviderFault, UpstreamBroken, UpstreamTimeout
from wicket.routing.deployment import Deployment
from wicket.server.app_house import House
from wicket.upstream.contract import Exchange
from wicket.wire.sse import FrameSplitter, FrameTooLong

EVENTS = "text/event-stream"
FIRST_S = 30.0
GAP_S = 600.0
MAX_WAITING = 64  # pieces; then the provider is not read until they are
_MAX_ERROR = 64 * 1024


class Stream:
    """The sink of one such answer: its status at once, its bytes as they are asked for."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.exchange: Exchange | None = None
        self._pieces: deque[bytes] = deque()
        self._fault: Fault | None = None
        self._is_over = False
        self._changed = asyncio.Event()

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """See `upstream.contract.Sink`."""
        self.status, self.headers = status, dict(headers)
        self._changed.set()

    def on_data(self, data: bytes) -> None:
        """See `upstream.contract.Sink`."""
        self._pieces.append(data)
        if len(self._pieces) >= MAX_WAITING and self.exchange is not None:
            self.exchange.pause()
        self._changed.set()

    def on_end(self) -> None:
        """See `upstream.contract.Sink`."""
        self._is_over = True
        self._changed.set()

    def on_failure(self, fault: ProviderFault, *, reused: bool, headers_seen: bool) -> None:
        """See `upstream.contract.Sink`."""
        self._fault, self._is_over = fault, True
        self._changed.set()

    async def begun(self, limit_s: float = FIRST_S) -> None:
        """It has a status. Raises the fault that came instead."""
        await self._wait(lambda: bool(self.status), limit_s)

    async def read(self) -> bytes:
        """The next bytes; b"" at the end. Raises the fault that it broke with."""
        await self._wait(lambda: bool(self._pieces), GAP_S)
        if not self._pieces:
            return b""
        data = b"".join(self._pieces)
        self._pieces.clear()
        if self.exchange is not None:
            self.exchange.resume()
        return data

    async def _wait(self, holds: Callable[[], bool], limit_s: float) -> None:
        while not (holds() or self._is_over):
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), limit_s)
            except TimeoutError:
                raise UpstreamTimeout("gap_timeout", "The provider says nothing more.") from None
        if self._fault is not None and not holds():
            raise self._fault


async def relayed(
    house: House,
    home: Deployment,
    request: bytes,
    shown: Callable[[bytes], bytes],
    seen: Callable[[bytes], Awaitable[None]],
) -> Response:
    """The stream with each frame as `shown` makes it; `seen` hears of each before it goes out.

    Raises the fault that the provider answers with. One that breaks off ends the connection without its end.
    """
    stream = Stream()
    stream.exchange = house.send(home.origin, request, stream)
    try:
        await stream.begun()
        if not 200 <= stream.status < 300:
            raise module(home.dialect).judge(stream.status, stream.headers, await answer_text(stream))
        if not stream.headers.get(b"content-type", b"").startswith(EVENTS.encode()):
            raise UpstreamBroken("malformed", "The provider's answer is no event stream.")
    except BaseException:
        stream.exchange.cancel()
        raise
    return StreamingResponse(_frames(stream, shown, seen), media_type=EVENTS)


async def answer_text(stream: Stream) -> bytes:
    """A short answer, an error's or of one object: its first 64 KiB."""
    found = b""
    while len(found) < _MAX_ERROR and (data := await stream.read()):
        found += data
    return found[:_MAX_ERROR]


async def _frames(
    stream: Stream, shown: Callable[[bytes], bytes], seen: Callable[[bytes], Awaitable[None]]
) -> AsyncIterator[bytes]:
    splitter = FrameSplitter()
    try:
        while data := await stream.read():
            for frame in splitter.feed(data):
                await seen(frame)
                yield shown(frame) + b"\n\n"
    except FrameTooLong:
        raise UpstreamBroken("too_large", "The provider sent a frame larger than the bound.") from None
    finally:
        if stream.exchange is not None:
            stream.exchange.cancel()
