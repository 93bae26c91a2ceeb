"""One connection to an origin: an asyncio protocol that carries one exchange at a time."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

import msgspec

from wicket.errors import ProviderFault, UpstreamBroken
from wicket.upstream.contract import Sink
from wicket.upstream.dial import Dialled, place
from wicket.upstream.response_reader import ResponseReader
from wicket.wire.origin import Origin


class Owner(Protocol):
    """Who keeps connections."""

    def made(self, connection: Connection) -> None:
        """It is open."""
        ...

    def freed(self, connection: Connection) -> None:
        """Its answer is complete and it may carry another request."""
        ...

    def lost(self, connection: Connection) -> None:
        """It is closed."""
        ...


class PooledExchange(msgspec.Struct, eq=False):
    """One request under way, from before its connection exists until its end."""

    sink: Sink | None
    request: bytes
    connection: Connection | None = None
    reused: bool = False
    is_paused: bool = False

    def cancel(self) -> None:
        """See `Exchange`. A connection still being made is kept for the next request."""
        self.sink = None
        self.request = b""
        connection = self.connection
        if connection is not None:
            self.connection = None
            connection.abandon()

    def pause(self) -> None:
        """See `Exchange`."""
        self.is_paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """See `Exchange`."""
        self.is_paused = False
        if self.connection is not None:
            self.connection.resume()

    def fail(self, fault: ProviderFault, *, headers_seen: bool = False) -> None:
        """Tell the sink, unless it is over."""
        sink = self.sink
        if sink is not None:
            self.sink = None
            self.connection = None
            sink.on_failure(fault, reused=self.reused, headers_seen=headers_seen)


class Connection(Dialled):
    """An open connection. `idle_until` is when, on the loop's clock, it is no longer worth keeping.

    `reader.idle_s` is for how long the upstream keeps it, if it said so. `shelf` is the owner's: where it
    keeps this connection while it is idle.
    """

    __slots__ = ("_exchange", "_is_paused", "_owner", "_transport", "idle_until", "origin", "reader", "shelf")

    def __init__(self, origin: Origin, owner: Owner) -> None:
        self.origin = origin
        self.idle_until = 0.0
        self._owner = owner
        self.reader = ResponseReader()
        self.shelf: list[Connection] | None = None
        self._exchange: PooledExchange | None = None
        self._transport: asyncio.Transport | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._owner.made(self)

    def start(self, exchange: PooledExchange) -> bool:
        """Send the exchange's request and read its answer; the connection must be free.

        False, with nothing done, where it is not open any more.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        sink, request = exchange.sink, exchange.request
        assert sink is not None
        exchange.request = b""
        exchange.connection = self
        self._exchange = exchange
        self.reader.begin(sink, request.startswith(b"HEAD "))
        transport.write(request)
        if exchange.is_paused:
            self.pause()
        return True

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        exchange = self._exchange
        if exchange is None:  # nobody asked: the connection can't be trusted any more
            self.abort()
            return
        try:
            if not self.reader.feed(data):
                return
        except ProviderFault as fault:
            self._fail(fault)
            return
        if self._exchange is exchange:
            self._finish(exchange)

    def eof_received(self) -> None:
        """See asyncio."""
        self._ended(None)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._ended(exc)
        self._owner.lost(self)

    def pause(self) -> None:
        """Stop reading."""
        transport = self._transport
        if not self._is_paused and transport is not None and not transport.is_closing():
            self._is_paused = True
            transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        transport = self._transport
        if self._is_paused and transport is not None and not transport.is_closing():
            self._is_paused = False
            transport.resume_reading()

    def abandon(self) -> None:
        """Forget the exchange and close."""
        self._exchange = None
        self.reader.silence()
        self.abort()

    def abort(self) -> None:
        """Close now, whatever is still to be written."""
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, exchange: PooledExchange) -> None:
        self._exchange = None
        exchange.connection = None
        transport = self._transport
        assert transport is not None
        # A closing transport isn't looked for: `start` does, when the connection is to be used again.
        if self.reader.reusable and not transport.get_write_buffer_size():
            if self._is_paused:
                self.resume()
            self._owner.freed(self)
        else:
            transport.abort()
        sink = exchange.sink
        if sink is not None:
            exchange.sink = None
            sink.on_end()

    def _ended(self, exc: Exception | None) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        try:
            if exc is None and self.reader.close():
                self._finish(exchange)
                return
        except ProviderFault as fault:
            self._fail(fault)
            return
        where = place(self.origin)
        if self.reader.untouched:
            self._fail(UpstreamBroken("reset", f"{where} closed the connection without an answer."))
        else:
            self._fail(
                UpstreamBroken("cut", f"{where} closed the connection before its answer was complete.")
            )

    def _fail(self, fault: ProviderFault) -> None:
        exchange = self._exchange
        self._exchange = None
        headers_seen = self.reader.headers_seen
        self.abort()
        if exchange is not None:
            exchange.fail(fault, headers_seen=headers_seen)
