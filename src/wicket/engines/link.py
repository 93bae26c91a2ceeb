"""Frames between an engine's host and its core: a 4-byte big-endian length, then msgpack. Sans-IO."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from wicket.errors import EngineFault

MAX_FRAME_BYTES = 64 * 1024 * 1024
_LENGTH_BYTES = 4

_encoder = msgspec.msgpack.Encoder()
Message = TypeVar("Message")


def pack(message: Any, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """One message as one frame. Raises `EngineFault` if it is larger than the receiver accepts."""
    body = _encoder.encode(message)
    if len(body) > max_bytes:
        raise EngineFault("frame_too_long", f"A message of {len(body)} bytes exceeds the link's {max_bytes}.")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Unpacker(Generic[Message]):
    """Feed bytes as they come, get whole messages of the given type."""

    __slots__ = ("_decoder", "_max_bytes", "_rest")

    def __init__(self, kind: Any, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(kind)
        self._max_bytes = max_bytes
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises `EngineFault` for an oversized or malformed frame."""
        rest = self._rest
        rest += data
        messages: list[Message] = []
        start = 0
        while len(rest) - start >= _LENGTH_BYTES:
            size = int.from_bytes(rest[start : start + _LENGTH_BYTES], "big")
            if size > self._max_bytes:
                raise EngineFault("frame_too_long", f"A frame of {size} bytes exceeds {self._max_bytes}.")
            end = start + _LENGTH_BYTES + size
            if len(rest) < end:
                break
            messages.append(self._decode(bytes(rest[start + _LENGTH_BYTES : end])))
            start = end
        if start:
            del rest[:start]
        return messages

    def _decode(self, body: bytes) -> Message:
        try:
            return self._decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise EngineFault("bad_frame", f"A frame is not what the link carries: {error}.") from None
