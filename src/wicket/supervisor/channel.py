"""The control channel: one message is a 4-byte big-endian length and that many bytes of msgpack.

The framing does no I/O; `Channel` puts it on a socket pair, the same at both ends. Plain msgpack of
tagged unions, because both ends are the same version of the same program.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import msgspec

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_LENGTH_BYTES = 4


class BrokenChannel(Exception):
    """The other end sent what is no message; the channel can't be used any more."""


class Framing:
    """Bytes in, whole payloads out, however the bytes were split.

    `feed` raises `BrokenChannel` as soon as a length above the bound is announced, before any of that
    payload is kept.
    """

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order."""
        pending = self._pending
        pending += data
        payloads: list[bytes] = []
        start = 0
        while len(pending) - start >= _LENGTH_BYTES:
            body = start + _LENGTH_BYTES
            length = int.from_bytes(pending[start:body], "big")
            if length > self._max_bytes:
                raise BrokenChannel(
                    f"a message of {length} bytes is announced, {self._max_bytes} are allowed"
                )
            if len(pending) - body < length:
                break
            payloads.append(bytes(pending[body : body + length]))
            start = body + length
        if start:
            del pending[:start]
        return payloads


_encoder = msgspec.msgpack.Encoder()


def pack(message: object, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """One message as it goes over the wire. Raises `BrokenChannel` when it is above the bound."""
    payload = _encoder.encode(message)
    if len(payload) > max_bytes:
        raise BrokenChannel(f"a message of {len(payload)} bytes is above the bound of {max_bytes}")
    return len(payload).to_bytes(_LENGTH_BYTES, "big") + payload


class Channel(asyncio.Protocol):
    """One end of the socket pair. `hear` gets each decoded message; `lost` is called once, at the end.

    A message that can't be decoded ends the channel: the ends disagree, and nothing after it can be
    trusted. `fault` then says why.
    """

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[Any],
        hear: Callable[[Any], None],
        lost: Callable[[], None],
    ) -> None:
        self._framing = Framing()
        self._decode = decoder.decode
        self._hear = hear
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self.is_open = True
        self.is_congested = False
        self.fault = ""

    def send(self, message: object) -> bool:
        """Queue a message; False when the channel is gone. Before the connection stands it is kept."""
        return self.send_packed(pack(message)) if self.is_open else False

    def send_packed(self, data: bytes) -> bool:
        """Queue bytes made by `pack`, so that one packing serves every worker."""
        if not self.is_open:
            return False
        if self._transport is None:
            self._early.append(data)
        else:
            self._transport.write(data)
        return True

    def close(self) -> None:
        """Flush what is queued, then close; `lost` follows."""
        if self._transport is None:
            self.is_open = False
        else:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours now."""
        self._transport = stream = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        stream.set_write_buffer_limits(high=8 * 1024 * 1024)
        if self._early:
            stream.write(b"".join(self._early))
            self._early.clear()

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes from the other end."""
        try:
            for payload in self._framing.feed(data):
                self._hear(self._decode(payload))
        except (BrokenChannel, msgspec.MsgspecError) as error:
            self.fault = str(error)
            if self._transport is not None:
                self._transport.abort()

    def pause_writing(self) -> None:
        """asyncio: the other end does not keep up."""
        self.is_congested = True

    def resume_writing(self) -> None:
        """asyncio: it does again."""
        self.is_congested = False

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio: the other end is gone, or we closed."""
        self.is_open = False
        self._lost()


async def attach(channel: Channel, sock: socket.socket) -> None:
    """Put `channel` on its end of the socket pair; the socket belongs to it from now on."""
    sock.setblocking(False)
    await asyncio.get_running_loop().create_connection(lambda: channel, sock=sock)
