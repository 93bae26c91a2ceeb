"""Asks an engine over its Unix socket whether it is ready: one small HTTP/1.1 exchange."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

LIMIT_S = 2.0
MAX_ANSWER_BYTES = 64 * 1024
_REQUEST = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


class Readiness(msgspec.Struct, frozen=True):
    """`state` is "loading", "ready" or "failed"; `message` says why when failed."""

    state: str
    message: str = ""


LOADING = Readiness("loading")


async def ask_ready(socket: Path) -> Readiness:
    """What the engine behind `socket` says; one that does not answer (yet) counts as loading."""
    try:
        async with asyncio.timeout(LIMIT_S):
            answer = await _exchange(socket)
    except (OSError, TimeoutError):
        return LOADING
    return read_answer(answer)


def read_answer(answer: bytes) -> Readiness:
    """The readiness in an HTTP answer: 200 is ready, anything else is loading unless it says failed."""
    head, _, body = answer.partition(b"\r\n\r\n")
    parts = head.split(b" ", 2)
    if len(parts) < 2 or not parts[1].isdigit():
        return LOADING
    if parts[1] == b"200":
        return Readiness("ready")
    try:
        found = msgspec.json.decode(body[body.index(b"{") : body.rindex(b"}") + 1])
    except (ValueError, msgspec.DecodeError):
        return LOADING
    if found.get("state", found.get("status")) != "failed":
        return LOADING
    error = found.get("error")
    message = error.get("message") if isinstance(error, dict) else found.get("message")
    return Readiness("failed", str(message or "the engine could not load its model"))


async def _exchange(socket: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(_REQUEST)
        await writer.drain()
        parts: list[bytes] = []
        size = 0
        while size < MAX_ANSWER_BYTES and (part := await reader.read(16 * 1024)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)
    finally:
        writer.close()
