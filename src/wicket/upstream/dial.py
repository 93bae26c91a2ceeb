"""From an origin to an open connection: name, socket, tunnel, TLS; every failure under its own code."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wicket.errors import ConfigFault, ProviderFault, UpstreamTimeout
from wicket.upstream.names import Address, Names
from wicket.upstream.proxies import connect_request, parse_proxy
from wicket.upstream.trust import Trust
from wicket.wire.origin import Origin

MAX_TUNNEL_HEAD_BYTES = 16_384

_TUNNEL_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: |\r)")

T = TypeVar("T")


class Dialled(asyncio.Protocol):
    """A protocol that can be made to close."""

    def abort(self) -> None:
        """Close the transport, if there is one."""
        raise NotImplementedError


P = TypeVar("P", bound=Dialled)


def place(origin: Origin) -> str:
    """An origin in words, for messages: no credentials."""
    return f"the socket {origin.host}" if origin.scheme == "unix" else f"{origin.host}:{origin.port}"


class Dialer:
    """Opens connections. Holds the name cache and the TLS contexts, no connection."""

    def __init__(self, names: Names | None = None, trust: Trust | None = None) -> None:
        self._names = names or Names()
        self._trust = trust or Trust()

    async def dial(self, origin: Origin, make: Callable[[], P], connect_ms: int) -> P:
        """Connect `make()` to `origin` within `connect_ms`, tunnel and TLS handshake included.

        Raises `ProviderFault` "connect_failed", "dns_failed", "tls_failed" or "proxy_failed", and
        `UpstreamTimeout` "connect_timeout". A protocol whose `connection_made` came before a failure or a
        cancellation has had its transport aborted.
        """
        protocol = make()
        deadline = asyncio.get_running_loop().time() + connect_ms / 1000
        try:
            async with asyncio.timeout_at(deadline):
                await self._open(origin, protocol, deadline)
        except TimeoutError:
            message = f"Connecting to {place(origin)} took longer than {connect_ms} ms."
            raise UpstreamTimeout("connect_timeout", message) from None
        return protocol

    async def close(self) -> None:
        """Abandon name lookups."""
        await self._names.close()

    async def _open(self, origin: Origin, protocol: P, deadline: float) -> None:
        if origin.scheme == "unix":
            address = Address(socket.AF_UNIX, origin.host)  # type: ignore[arg-type]
            await self._attach(origin, await _connect(address, origin), protocol)
        elif origin.proxy:
            await self._attach(origin, await self._through_proxy(origin, deadline), protocol)
        else:
            addresses = await self._names.resolve(origin.host, origin.port)
            await self._attach(origin, await _connect_any(addresses, origin, deadline), protocol)

    async def _through_proxy(self, origin: Origin, deadline: float) -> socket.socket:
        try:
            proxy = parse_proxy(origin.proxy)
            addresses = await self._names.resolve(proxy.host, proxy.port)
            there = Origin("http", proxy.host, proxy.port)
            sock = await _connect_any(addresses, there, deadline)
        except (ConfigFault, ProviderFault) as fault:
            raise ProviderFault("proxy_failed", f"The proxy can't be reached. {fault.message}") from None
        if origin.scheme == "https":
            await _closing_on_failure(sock, _tunnel(sock, connect_request(proxy, origin.host, origin.port)))
        return sock

    async def _attach(self, origin: Origin, sock: socket.socket, protocol: P) -> None:
        context: ssl.SSLContext | None = None
        if origin.scheme == "https":
            context = await _closing_on_failure(sock, self._trust.context(origin.ca_file))
        loop = asyncio.get_running_loop()
        server_hostname = origin.host if context else None
        try:
            await loop.create_connection(
                lambda: protocol, sock=sock, ssl=context, server_hostname=server_hostname
            )
        except (ssl.SSLError, ssl.CertificateError) as error:
            raise _tls_fault(origin, error) from None
        except OSError as error:
            reason = error.strerror or "the connection was closed during the handshake"
            message = f"TLS with {place(origin)} failed: {reason}."
            raise ProviderFault("tls_failed", message) from None
        except BaseException:
            protocol.abort()  # it may have been made in the moment of the cancellation
            raise


def _tls_fault(origin: Origin, error: ssl.SSLError) -> ProviderFault:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"its certificate is not trusted ({error.verify_message})"
        advice = "Check the base URL; a private authority belongs into ca_file."
    else:
        reason, advice = (
            (error.reason or "handshake failed").lower().replace("_", " "),
            "Is it an https port?",
        )
    return ProviderFault("tls_failed", f"TLS with {place(origin)} failed: {reason}. {advice}")


async def _closing_on_failure(sock: socket.socket, step: Awaitable[T]) -> T:
    try:
        return await step
    except BaseException:
        sock.close()
        raise


async def _connect_any(addresses: list[Address], origin: Origin, deadline: float) -> socket.socket:
    """Try addresses in turn, each with a fair share of the time left."""
    loop = asyncio.get_running_loop()
    for tried, address in enumerate(addresses[:-1]):
        share = (deadline - loop.time()) / (len(addresses) - tried)
        try:
            async with asyncio.timeout(share):
                return await _connect(address, origin)
        except (TimeoutError, ProviderFault):
            continue
    return await _connect(addresses[-1], origin)


async def _connect(address: Address, origin: Origin) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if address.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        message = f"Connecting to {place(origin)} failed: {reason}. Is it running, and is the address right?"
        raise ProviderFault("connect_failed", message) from None
    except BaseException:
        sock.close()
        raise
    return sock


async def _tunnel(sock: socket.socket, request: bytes) -> None:
    """Ask the proxy for a tunnel. Raises `ProviderFault` "proxy_failed"."""
    loop = asyncio.get_running_loop()
    answer = b""
    try:
        await loop.sock_sendall(sock, request)
        while b"\r\n\r\n" not in answer:
            data = await loop.sock_recv(sock, 4_096)
            answer += data
            if not data or len(answer) > MAX_TUNNEL_HEAD_BYTES:
                raise ProviderFault("proxy_failed", "The proxy closed the connection without an answer.")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProviderFault("proxy_failed", f"The proxy broke the connection: {reason}.") from None
    match = _TUNNEL_STATUS.match(answer)
    status = match[1].decode() if match else "no HTTP"
    if not status.startswith("2"):
        advice = "Check the credentials in its URL." if status == "407" else "Does it allow this address?"
        raise ProviderFault("proxy_failed", f"The proxy refused a tunnel ({status}). {advice}")
    if not answer.endswith(b"\r\n\r\n"):
        raise ProviderFault("proxy_failed", "The proxy spoke before the tunnel was used.")
