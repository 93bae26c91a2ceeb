"""Request heads seen before: a client's next request on a path rarely differs in more than its length.

The first request with a head goes through llhttp, is checked and remembered; one that is the same byte for
byte but for the digits of its content-length need not be parsed again. What is remembered is a SHA-256 of the
head, never the head itself, because it holds a key. Saves about a quarter of a request's Python.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import msgspec

from wicket.errors import CallerFault
from wicket.gateway.call import Headers
from wicket.server.ingress import Entered

MAX_HEADS = 1_024
_MAX_HEAD_BYTES = 4_096
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ([0-9]{1,10})\r\n")


def without_upgrade(first: tuple[bytes, bytes, str], headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    """A request's head again, without its wish to switch protocols; None for CONNECT, which is nothing else.

    `first` are method, target and version. Java's own client asks for HTTP/2 so in its first requests. A
    server may pass over that, but llhttp then takes the body for the other protocol's first bytes.
    """
    method, target, version = first
    if method == b"CONNECT":
        return None
    lines = [b"%b %b HTTP/%b" % (method, target, version.encode())]
    for name, value in headers:
        if name in (b"upgrade", b"http2-settings"):
            continue
        if name == b"connection":
            kept = [token.strip() for token in value.split(b",")]
            value = b", ".join([one for one in kept if one.lower() not in (b"upgrade", b"http2-settings")])
            if not value:
                continue
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join(lines) + b"\r\n\r\n"


class KnownHead(msgspec.Struct, frozen=True):
    """What a checked head of an inference request said. `key_digest` is of the virtual key it carries."""

    entered: Entered
    key_digest: bytes
    headers: list[tuple[bytes, bytes]]  # `origin` for CORS, `x-forwarded-for`; no others
    forwarded: Headers = ()


class Parts(msgspec.Struct, frozen=True):
    """A request in one piece: its head's name in the memo, and its body."""

    name: bytes
    body: bytes


class HeadMemo:
    """Heads that passed every check once. Bounded; forgotten as a whole when full."""

    def __init__(self) -> None:
        self._known: dict[bytes, KnownHead] = {}

    def split(self, data: bytes) -> Parts | None:
        """`data` as one whole request with a content-length; None if it is anything else."""
        end = data.find(b"\r\n\r\n", 0, _MAX_HEAD_BYTES)
        if end < 0:
            return None
        match = _LENGTH.search(data, 0, end + 2)
        if match is None or int(match[1]) != len(data) - end - 4:
            return None
        start, stop = match.span(1)
        return Parts(hashlib.sha256(data[:start] + data[stop:end]).digest(), data[end + 4 :])

    def find(self, name: bytes) -> KnownHead | None:
        """What a head said, if it was remembered."""
        return self._known.get(name)

    def remember(self, name: bytes, head: KnownHead) -> None:
        """A head that passed."""
        if len(self._known) >= MAX_HEADS:
            self._known.clear()
        self._known[name] = head


def odd_head(kept: Mapping[bytes, bytes], version: str) -> CallerFault | None:
    """What RFC 9112 §3.2 and §6.1 and RFC 9110 §15.5.16 have refused."""
    if b"host" not in kept and version == "1.1":
        return CallerFault("missing_host", "An HTTP/1.1 request must have a Host header.")
    if kept.get(b"transfer-encoding", b"chunked").strip().lower() != b"chunked":
        return CallerFault("unsupported_coding", "The only transfer coding taken is 'chunked'.", status=501)
    if kept.get(b"content-encoding", b"identity").strip().lower() not in (b"identity", b""):
        return CallerFault("unsupported_encoding", "Send the body without Content-Encoding.", status=415)
    return None


def head_too_large() -> CallerFault:
    """A 431."""
    return CallerFault("headers_too_large", "The request's headers are too large.", status=431)


def body_too_large(limit: int) -> CallerFault:
    """A 413 that names the limit, in bytes."""
    message = f"The request's body is larger than the {limit:,} bytes that this route takes."
    return CallerFault("body_too_large", message, status=413)
