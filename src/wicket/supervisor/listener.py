"""The one listening socket. The supervisor keeps it open, so it never refuses while workers come and go."""

from __future__ import annotations

import errno
import socket

from wicket.errors import OperatorFault

BACKLOG = 4096


def listen(host: str, port: int) -> socket.socket:
    """A non-blocking listening TCP socket, IPv4 or IPv6 as `host` says; port 0 takes a free one.

    Raises `OperatorFault` with what to do when the address is taken, forbidden or not ours.
    """
    try:
        infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = infos[0]
    except (OSError, UnicodeError) as error:
        raise OperatorFault(
            "bad_host", f"The host {host!r} is no address of this machine ({error}). Try --host 127.0.0.1."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OperatorFault("cannot_listen", _why(host, port, error)) from error
    return listener


def base_url(listener: socket.socket) -> str:
    """Where clients on this machine reach it, e.g. "http://127.0.0.1:4242"."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program (`lsof -i :{port}` shows which). "
            f"Stop it, or choose another port: wicket serve --port {port + 1 if port < 65535 else port - 1}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} needs more rights than this user has. Choose one above 1023: --port 4242"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"The host {host} is no address of this machine. Try --host 127.0.0.1, or 0.0.0.0 for all."
    return f"Wicket can't listen on {host}:{port}: {error.strerror}. Try --host and --port."
