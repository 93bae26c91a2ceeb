"""Host names to addresses, looked up off the loop, remembered for a while."""

from __future__ import annotations

import asyncio
import socket

import msgspec

from wicket.errors import ProviderFault

TTL_S = 30.0
STALE_S = 600.0

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


class Address(msgspec.Struct, frozen=True):
    """One place to connect to: the socket's family and its numeric address."""

    family: int
    sockaddr: SocketAddress


class _Answer(msgspec.Struct):
    addresses: list[Address]
    at: float


class Names:
    """The system's resolver behind a small cache, one lookup at a time per name.

    An answer is used for `ttl_s`, then looked up again. If that lookup fails, the old answer serves on until
    it is `stale_s` old: a resolver's outage is no provider's outage.
    """

    def __init__(self, *, ttl_s: float = TTL_S, stale_s: float = STALE_S) -> None:
        self._ttl_s = ttl_s
        self._stale_s = stale_s
        self._answers: dict[tuple[str, int], _Answer] = {}
        self._lookups: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    async def resolve(self, host: str, port: int) -> list[Address]:
        """Addresses in the order to be tried, families alternating. Raises `ProviderFault` "dns_failed"."""
        numeric = _numeric(host, port)
        if numeric is not None:
            return [numeric]
        key = (host, port)
        answer = self._answers.get(key)
        now = asyncio.get_running_loop().time()
        if answer is not None and now - answer.at < self._ttl_s:
            return answer.addresses
        task = self._lookups.get(key)
        if task is None:
            task = asyncio.create_task(self._look_up(host, port))
            self._lookups[key] = task
            task.add_done_callback(lambda done: self._looked_up(key, done))
        try:
            # A caller that gives up leaves the lookup to the others that wait for it.
            return await asyncio.shield(task)
        except OSError as error:
            if answer is not None and now - answer.at < self._stale_s:
                return answer.addresses
            reason = error.strerror or str(error)
            message = f"The name {host!r} can't be resolved: {reason}. Check the base URL and the resolver."
            raise ProviderFault("dns_failed", message) from None

    async def close(self) -> None:
        """Abandon lookups under way."""
        tasks = list(self._lookups.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _looked_up(self, key: tuple[str, int], task: asyncio.Task[list[Address]]) -> None:
        self._lookups.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever still waits has it; nobody may be left to

    async def _look_up(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except UnicodeError:
            raise OSError(socket.EAI_NONAME, "not a host name") from None
        addresses = _alternate([Address(row[0], row[4]) for row in rows])  # type: ignore[arg-type]
        self._answers[host, port] = _Answer(addresses, loop.time())
        return addresses


def _numeric(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return Address(family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    return None


def _alternate(addresses: list[Address]) -> list[Address]:
    """The resolver's order, but families in turn, so that one broken family costs one try (RFC 8305 §4)."""
    if not addresses:
        return []
    first = [address for address in addresses if address.family == addresses[0].family]
    second = [address for address in addresses if address.family != addresses[0].family]
    ordered: list[Address] = []
    while first or second:
        ordered += first[:1] + second[:1]
        del first[:1], second[:1]
    return ordered
