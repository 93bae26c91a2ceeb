"""The chunked transfer coding taken off (RFC 9112 §7.1), at the cost of one split per socket read.

A relayed stream is many small chunks per read. Splitting the whole read at CRLF gives sizes and payloads in
turn; if every payload has its size's length, the payloads are joined and no chunk was looked at in Python.
Anything else (a payload with CRLF inside, a chunk cut by the read's end) goes chunk by chunk.
"""

from __future__ import annotations

import re

from wicket.upstream.response_head import MAX_HEAD_BYTES, Malformed, check_trailers

MAX_SIZE_LINE_BYTES = 4_096

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_REMEMBERED_SIZES = 4_096

_known_sizes: dict[bytes, int] = {}  # never holds a zero, so the last chunk is always looked at


class ChunkedBody:
    """One body's decoder. After `done`, `surplus` holds bytes that came behind the body."""

    __slots__ = ("_crlf_next", "_in_trailers", "_left", "_pending", "_splits", "done", "surplus")

    def __init__(self) -> None:
        self.done = False
        self.surplus = b""
        self._pending = b""  # the start of a size line, a CRLF or a trailer block
        self._left = 0  # payload bytes of the current chunk still to come
        self._crlf_next = False
        self._in_trailers = False
        self._splits = True

    def feed(self, data: bytes) -> bytes:
        """The payload within `data`, possibly empty. Raises `Malformed`."""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        if self._in_trailers:
            self._trailers(data)
            return b""
        if self._left or self._crlf_next:
            return self._continue(data)
        end = data.find(b"\r\n", 0, 18)
        size = _known_sizes.get(data[:end])
        if size is not None and len(data) == end + size + 4 and data.endswith(b"\r\n"):
            return data[end + 2 : -2]
        return self._many(data)

    def _continue(self, data: bytes) -> bytes:
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            return data
        self._left = 0
        self._crlf_next = True
        payload = data[:left]
        after = data[left : left + 2]
        if after != b"\r\n":
            self._await_crlf(after)
            return payload
        self._crlf_next = False
        if len(data) == left + 2:
            return payload
        return payload + self._many(data[left + 2 :])

    def _await_crlf(self, after: bytes) -> None:
        if after not in (b"", b"\r"):
            raise Malformed("a chunk is longer than its size")
        self._crlf_next = True
        self._pending = after

    def _many(self, data: bytes) -> bytes:
        """Chunks from a boundary on."""
        payloads: list[bytes] = []
        at = 0
        if self._splits:
            pieces = data.split(b"\r\n")
            end = (len(pieces) - 1) & ~1
            payloads = pieces[1:end:2]
            lengths = list(map(len, payloads))
            sizes = list(map(_known_sizes.get, pieces[0:end:2]))
            if lengths != sizes:
                good = next(i for i, length in enumerate(lengths) if length != sizes[i])
                self._splits = sizes[good] is None  # a CRLF inside a payload seldom comes alone
                del payloads[good:]
                end = 2 * good
            rest = pieces[end:]
            at = len(data) - sum(map(len, rest)) - 2 * (len(rest) - 1)
        self._one_by_one(data, at, payloads)
        return b"".join(payloads)

    def _one_by_one(self, data: bytes, at: int, payloads: list[bytes]) -> None:
        total = len(data)
        while at < total:
            end = data.find(b"\r\n", at, at + MAX_SIZE_LINE_BYTES)
            if end < 0:
                self._await_size(data[at:])
                return
            line = data[at:end]
            size = _known_sizes.get(line)
            if size is None:
                size = _read_size(line)
                if not size:
                    self._trailers(data[end:])
                    return
            start = end + 2
            at = start + size
            payloads.append(data[start:at])
            if at > total:
                self._left = at - total
                return
            after = data[at : at + 2]
            if after != b"\r\n":
                self._await_crlf(after)
                return
            at += 2

    def _await_size(self, line: bytes) -> None:
        if len(line) >= MAX_SIZE_LINE_BYTES:
            raise Malformed("a chunk's size line is too long")
        if b"\n" in line:
            raise Malformed("a bare line feed in a chunk's size line")
        self._pending = line

    def _trailers(self, data: bytes) -> None:
        """`data` starts with the CRLF that ends the last size line."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > MAX_HEAD_BYTES:
                raise Malformed("the trailers are too long")
            self._in_trailers = True
            self._pending = data
            return
        if end:
            check_trailers(data[2:end])
        self._in_trailers = False
        self.done = True
        self.surplus = data[end + 4 :]


def _read_size(line: bytes) -> int:
    match = _SIZE_LINE.fullmatch(line)
    if match is None:
        raise Malformed("a chunk's size can't be read")
    size = int(match[1], 16)
    if size and len(line) <= 8:
        if len(_known_sizes) >= _REMEMBERED_SIZES:
            _known_sizes.clear()
        _known_sizes[line] = size
    return size
