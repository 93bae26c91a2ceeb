"""One HTTP exchange as ASGI sees it: a bounded body in, an answer or a stream out, a watch on the client."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from wicket.engines.host import answer
from wicket.errors import CallerFault, EngineFault, Fault

MAX_BODY_BYTES = 8 * 1024 * 1024
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

_log = logging.getLogger("wicket.engines")
_JSON = (b"content-type", b"application/json")
_SSE = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


class Exchange:
    """Request and answer. A client that leaves cancels the task that works for it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None
        self._is_begun = False
        self.scope = scope
        self.is_gone = False

    def header(self, name: bytes) -> str:
        """A request header's value, "" if absent; `name` in lower case."""
        return next((value.decode("latin-1") for key, value in self.scope["headers"] if key == name), "")

    async def body(self) -> bytes:
        """The whole body; from here on the client is watched. Raises `CallerFault` (413) if too long."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_gone = True
                raise asyncio.CancelledError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MAX_BODY_BYTES:
                text = f"The body is longer than {MAX_BODY_BYTES} bytes."
                raise CallerFault("body_too_large", text, status=413)
            if not message.get("more_body", False):
                break
        task = asyncio.current_task()
        assert task is not None
        self._watch = asyncio.create_task(self._until_gone(task))
        return b"".join(parts)

    async def _until_gone(self, worker: asyncio.Task[Any]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        worker.cancel()

    async def reply(self, status: int, body: bytes, headers: Headers = ()) -> None:
        """Send a whole JSON answer."""
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, [_JSON, length, *headers])
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, headers: Headers = ()) -> None:
        """Begin an event stream."""
        await self._start(200, [*_SSE, *headers])

    async def write(self, frames: bytes) -> None:
        """Send frames; waits while the client does not read (uvicorn's flow control)."""
        await self._send({"type": "http.response.body", "body": frames, "more_body": True})

    async def end(self) -> None:
        """End the stream."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, fault: Fault) -> None:
        """Answer with a fault: a status, or a frame if the stream has begun."""
        if self._is_begun:
            await self.write(answer.error_frame(fault))
            await self.end()
            return
        headers = []
        if fault.retry_after_ms is not None:
            seconds = max(1, -(-fault.retry_after_ms // 1000))
            headers.append((b"retry-after", str(seconds).encode()))
        await self.reply(fault.status, answer.error(fault), headers)

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._is_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])


class Endpoint:
    """An ASGI application that answers one route; faults become OpenAI's error objects."""

    def __init__(self, handle: Callable[[Exchange], Awaitable[None]]) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One exchange."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except asyncio.CancelledError:
            if not exchange.is_gone:
                # The time to finish is over: say so instead of cutting the connection.
                await exchange.fail(EngineFault("engine_stopping", "The engine is being stopped."))
        finally:
            await exchange.close()

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._handle(exchange)
        except Fault as fault:
            await exchange.fail(fault)
        except Exception:
            _log.exception("A request failed in the engine's host.")
            await exchange.fail(Fault("internal", "The engine's host failed. The reason is in its log."))
