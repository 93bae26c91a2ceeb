"""HTTP/1.1 chunked framing for what we send (RFC 9112 §7.1)."""

from __future__ import annotations

LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk; `data` must not be empty (an empty one would end the body)."""
    return b"%x\r\n%b\r\n" % (len(data), data)
