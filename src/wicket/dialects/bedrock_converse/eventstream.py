"""The frames of `application/vnd.amazon.eventstream`, cut and checked.

    total length │ headers' length │ CRC of these 8 bytes │ headers │ payload │ CRC of all before it

All numbers are big-endian and of 4 bytes; a CRC is CRC-32 (IEEE 802.3). A header is its name's length (1
byte), name, type (1 byte) and value. Source: "Event stream encoding", Amazon Transcribe and S3 Select guides.
"""

from __future__ import annotations

import struct
import zlib

import msgspec

from wicket.errors import UpstreamBroken
from wicket.wire.sse import FrameTooLong

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_PRELUDE = 12
_CRC = 4
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # header types of a fixed size, in bytes
_BYTES = 6


class Message(msgspec.Struct, frozen=True):
    """One message: what its text headers say, by their names with the colon, and its payload."""

    headers: dict[str, str]
    payload: bytes

    @property
    def kind(self) -> str:
        """The event's or the exception's name; "" for neither."""
        name = ":exception-type" if self.is_exception else ":event-type"
        return self.headers.get(name, "")

    @property
    def is_exception(self) -> bool:
        """Whether it tells of a failure: a modelled exception, or an unmodelled error."""
        return self.headers.get(":message-type") in ("exception", "error")


class MessageSplitter:
    """Feed bytes, get whole messages. A length whose own checksum is wrong is never waited for."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._rest = bytearray()
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes. Raises `FrameTooLong`, `UpstreamBroken` for a wrong prelude."""
        self._rest += data
        found, start = [], 0
        while len(self._rest) - start >= _PRELUDE:
            size = _checked_size(self._rest[start : start + _PRELUDE])
            if size > self._max_bytes:
                raise FrameTooLong
            if len(self._rest) - start < size:
                break
            found.append(bytes(self._rest[start : start + size]))
            start += size
        if start:
            del self._rest[:start]
        return found

    def finish(self) -> bytes:
        """What is left of an unfinished message (b"" after a clean end)."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest


def _checked_size(prelude: bytes | bytearray) -> int:
    size, headers, crc = struct.unpack(">III", prelude)
    if zlib.crc32(prelude[:8]) != crc or size < _PRELUDE + headers + _CRC:
        raise broken("the checksum of a frame's lengths is wrong")
    return int(size)


def read_message(data: bytes) -> Message:
    """A whole message. Raises `UpstreamBroken` for one that is cut or whose checksums are wrong."""
    if len(data) < _PRELUDE + _CRC or _checked_size(data[:_PRELUDE]) != len(data):
        raise broken("a frame is cut off")
    if zlib.crc32(data[:-_CRC]) != int.from_bytes(data[-_CRC:], "big"):
        raise broken("the checksum of a frame is wrong")
    end = _PRELUDE + int.from_bytes(data[4:8], "big")
    return Message(_read_headers(data[_PRELUDE:end]), data[end:-_CRC])


def _read_headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name, kind = data[at + 1 : name_end].decode(), data[name_end]
            at = name_end + 1
            if kind in (_STRING, _BYTES):
                start = at + 2
                at = start + int.from_bytes(data[at:start], "big")
                if at > len(data):
                    raise broken("a frame's headers are cut off")
                if kind == _STRING:
                    headers[name] = data[start:at].decode()
            else:
                at += _SIZES[kind]
    except (IndexError, KeyError, UnicodeDecodeError):
        raise broken("a frame's headers can't be read") from None
    return headers


def broken(why: str) -> UpstreamBroken:
    """The fault for bytes that are not this protocol's."""
    return UpstreamBroken("malformed", f"The provider's event stream is damaged: {why}.")
