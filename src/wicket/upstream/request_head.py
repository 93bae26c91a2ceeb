"""A request's head as bytes, built once per deployment and checked there (RFC 9112 §3, RFC 9110 §5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wicket.errors import ConfigFault
from wicket.wire.origin import Origin

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(r"[!-~]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OWN_NAMES = frozenset(("host", "content-length", "transfer-encoding", "connection"))


def head(method: str, target: str, origin: Origin, headers: Iterable[tuple[str, str]]) -> bytes:
    """Everything up to where `content-length: N`, an empty line and the body are appended.

    Adds `host`, and `accept-encoding: identity` unless `headers` has its own. Raises `ConfigFault` for a
    name or value that could end a line early, and for the names that only this module or the caller of
    `complete` may set. Values never appear in the message: they may be credentials.
    """
    if not _TOKEN.fullmatch(method) or not _TARGET.fullmatch(target):
        raise ConfigFault("bad_request_line", "A request's method or path holds characters it must not hold.")
    lines = [f"{method} {target} HTTP/1.1", f"host: {origin.authority}"]
    names = set()
    for name, value in headers:
        lines.append(_line(name, value))
        names.add(name.lower())
    if "accept-encoding" not in names:
        lines.append("accept-encoding: identity")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n"


def complete(request_head: bytes, body: bytes = b"") -> bytes:
    """The whole request: `request_head` from `head`, the body's length and the body."""
    return b"%bcontent-length: %d\r\n\r\n%b" % (request_head, len(body), body)


def without_body(request_head: bytes) -> bytes:
    """The whole request for a method that has no body, such as GET (RFC 9110 §8.6)."""
    return request_head + b"\r\n"


def _line(name: str, value: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ConfigFault("bad_header", f"{name!r} can't be a header's name.")
    if name.lower() in _OWN_NAMES:
        raise ConfigFault("bad_header", f"The header {name!r} is set by Wicket: leave it out.")
    if not _VALUE.fullmatch(value) or not value.isascii():
        raise ConfigFault("bad_header", f"The value of {name!r} holds characters a header must not hold.")
    return f"{name.lower()}: {value}"
