"""Keep-alive connections, last used first: an idle exchange costs no Task and no Future."""

from __future__ import annotations

import asyncio

from wicket.errors import ConfigFault, ProviderFault
from wicket.upstream.connection import Connection, PooledExchange
from wicket.upstream.contract import Sink
from wicket.upstream.dial import Dialer, place
from wicket.upstream.proxies import absolute_form
from wicket.wire.origin import Origin

IDLE_S = 55.0  # below the 60 s after which common load balancers close
MAX_IDLE_PER_ORIGIN = 128
SWEEP_S = 5.0


class KeepAlivePool:
    """The `Pool` of `contract.py` over asyncio transports. Belongs to the loop it is first used on.

    Requests for an http origin with a proxy are rewritten to absolute form.
    """

    def __init__(
        self, dialer: Dialer | None = None, *, idle_s: float = IDLE_S, max_idle: int = MAX_IDLE_PER_ORIGIN
    ) -> None:
        self._dialer = dialer or Dialer()
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._idle: dict[Origin, list[Connection]] = {}
        self._connections: set[Connection] = set()
        self._dialing: dict[asyncio.Task[None], PooledExchange] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._emptied: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def num_idle(self) -> int:
        """Open connections that wait for a request."""
        return sum(map(len, self._idle.values()))

    @property
    def num_open(self) -> int:
        """Open connections, idle ones among them."""
        return len(self._connections)

    def send(
        self, origin: Origin, request: bytes, sink: Sink, *, connect_ms: int, fresh: bool = False
    ) -> PooledExchange:
        """See `Pool`."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        exchange = PooledExchange(sink, request)
        if origin.proxy and origin.scheme == "http":
            try:
                exchange.request = absolute_form(origin, request)
            except ConfigFault as fault:
                loop.call_soon(exchange.fail, ProviderFault("proxy_failed", fault.message))
                return exchange
        idle = self._idle.get(origin)
        if idle and not fresh:
            now = loop.time()
            while idle:
                connection = idle.pop()
                if connection.idle_until > now and connection.start(exchange):
                    exchange.reused = True
                    return exchange
                connection.abort()
        if self._closed:
            loop.call_soon(exchange.fail, _shutting_down())
            return exchange
        task = loop.create_task(self._dial(origin, exchange, connect_ms))
        self._dialing[task] = exchange
        task.add_done_callback(self._dialing.pop)
        return exchange

    async def close(self) -> None:
        """See `Pool`."""
        self._closed = True
        self._idle.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        dialing = dict(self._dialing)
        for task in dialing:
            task.cancel()
        await asyncio.gather(*dialing, return_exceptions=True)
        for exchange in dialing.values():
            exchange.fail(_shutting_down())
        await self._dialer.close()
        self._emptied = asyncio.Event()
        for connection in list(self._connections):
            connection.abort()
        if self._connections:
            await self._emptied.wait()

    def made(self, connection: Connection) -> None:
        """A connection is open."""
        self._connections.add(connection)

    def freed(self, connection: Connection) -> None:
        """A connection may carry another request."""
        idle = connection.shelf
        if idle is None:
            idle = connection.shelf = self._idle.setdefault(connection.origin, [])
        if self._closed or len(idle) >= self._max_idle:
            connection.abort()
            return
        assert self._loop is not None
        idle_s = self._idle_s
        theirs_s = connection.reader.idle_s
        if theirs_s is not None:
            # One second early, because the upstream's clock started before ours.
            idle_s = min(idle_s, theirs_s - 1.0)
        connection.idle_until = self._loop.time() + idle_s
        idle.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(SWEEP_S, self.sweep)

    def lost(self, connection: Connection) -> None:
        """A connection is closed."""
        self._connections.discard(connection)
        idle = connection.shelf
        if idle and connection in idle:
            idle.remove(connection)
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    async def _dial(self, origin: Origin, exchange: PooledExchange, connect_ms: int) -> None:
        try:
            connection = await self._dialer.dial(origin, lambda: Connection(origin, self), connect_ms)
        except ProviderFault as fault:
            exchange.fail(fault)
            return
        except Exception as error:  # such as a port out of range: whatever it is, the sink must hear of it
            what = f"Connecting to {place(origin)} failed: {type(error).__name__}. Is the address right?"
            exchange.fail(ProviderFault("connect_failed", what))
            return
        if exchange.sink is None:
            self.freed(connection)
        elif not connection.start(exchange):
            exchange.fail(ProviderFault("connect_failed", "The upstream closed the connection at once."))

    def sweep(self) -> None:
        """Close what has been idle for too long; a timer calls it every `SWEEP_S`."""
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        shelves = {id(connection.shelf) for connection in self._connections}
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_until <= now:
                    connection.abort()
            idle[:] = [connection for connection in idle if connection.idle_until > now]
            if id(idle) not in shelves:
                del self._idle[origin]
        if self._idle:
            self._timer = self._loop.call_later(SWEEP_S, self.sweep)


def _shutting_down() -> ProviderFault:
    return ProviderFault("connect_failed", "This process is shutting down: ask again.")
