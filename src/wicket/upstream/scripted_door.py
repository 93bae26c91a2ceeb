"""The scripted upstream's door: it listens, and some who knock are not let in."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BACKLOG = 1_024
_READ_LIMIT = 1 << 20
_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/html\r\ncontent-length: 60\r\nconnection: close\r\n\r\n"
    b"<html><body>This port speaks HTTP without TLS.</body></html>"
)


class Door:
    """A listening socket whose connections are greeted one by one. `fault_of()` is asked for each.

    TLS begins after the greeting, so that a fault may strike in the middle of the handshake.
    """

    def __init__(self, serve: Serve, fault_of: Callable[[], str], tls: ssl.SSLContext | None) -> None:
        self._serve = serve
        self._fault_of = fault_of
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None

    def open(self, host: str, port: int) -> int:
        """Listen; the port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listener.setblocking(False)
        self._listener = listener
        self._spawn(self._accept(listener))
        return int(listener.getsockname()[1])

    async def close(self) -> None:
        """Listen no more, and let everybody go."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # who knocked has left, or there are too many open files: the next may be luckier
                await asyncio.sleep(0.01)
                continue
            fault = self._fault_of()
            self._spawn(_misbehave(connection, fault) if fault else self._let_in(connection))

    async def _let_in(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(_READ_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=self._tls)
        await self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


async def _misbehave(connection: socket.socket, fault: str) -> None:
    loop = asyncio.get_running_loop()
    with connection:
        if fault == "close":
            return
        await loop.sock_recv(connection, 65_536)
        if fault == "plain":
            await loop.sock_sendall(connection, _PLAIN)
        elif fault == "reset":
            reset_on_close(connection)
        elif fault == "silent":
            while await loop.sock_recv(connection, 65_536):
                pass


def reset_on_close(connection: socket.socket) -> None:
    """When it is closed, the other side gets an RST instead of a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_transport(transport: asyncio.WriteTransport) -> None:
    """End a connection by RST; the transport's own socket object takes no such option everywhere."""
    handle = transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(handle.fileno())) as same:
        reset_on_close(same)
    transport.abort()


async def _quietly(work: Awaitable[None]) -> None:
    """A client that leaves, or does not like our certificate, is no event here."""
    try:
        await work
    except OSError:  # ssl.SSLError is one
        pass
