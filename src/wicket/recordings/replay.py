"""A server that answers with recorded traffic: `wicket dev replay FOLDER`.

Every provider has its place under its name: `http://127.0.0.1:PORT/openai/v1` is what `base_url` is set to.
Paths without a provider's name are looked up in all recordings. `GET /` lists what is there.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from typing import Any

import msgspec

from wicket.recordings.cassette import Unreadable
from wicket.recordings.cuts import pieces
from wicket.recordings.index import Index, Missed, asked
from wicket.recordings.recording import Message, Recording
from wicket.upstream.scripted_client import Client, ClientGone, Request
from wicket.wire.chunked import LAST_CHUNK, chunk
from wicket.wire.json import encode

# RFC 9110 §7.6.1, and what no longer describes the body we send.
_NOT_SENT = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"),
        *("trailer", "transfer-encoding", "upgrade", "content-encoding", "content-length", "alt-svc"),
    )
)
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_BODY = (204, 304)


class Replay:
    """The server; an asynchronous context manager. The index is filled beside the first requests.

    `seed` says where streams are cut. `answered` lists what was asked and which recording answered, "" for
    none.
    """

    def __init__(self, index: Index, *, host: str = "127.0.0.1", port: int = 0, seed: int = 0) -> None:
        self.host = host
        self.port = port
        self.answered: list[tuple[str, str]] = []
        self._index = index
        self._seed = seed
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._filled: asyncio.Future[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Replay:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        self._filled = asyncio.ensure_future(asyncio.to_thread(self._index.fill))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None and self._filled is not None
        self._server.close()
        clients = list(self._clients)
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await self._server.wait_closed()
        await self._filled

    async def filled(self) -> Index:
        """The index, once it has read everything."""
        assert self._filled is not None
        await asyncio.shield(self._filled)
        return self._index

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        client = Client(reader, writer)
        try:
            while head := await client.read_head():
                await self._serve_one(client, await client.read_body(head, lambda _: None))
        except (ClientGone, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except (ValueError, asyncio.LimitOverrunError):  # not HTTP as we read it
            pass
        finally:
            self._clients.discard(task)
            await client.close()

    async def _serve_one(self, client: Client, request: Request) -> None:
        index = await self.filled()
        if request.method == "GET" and request.path == "/":
            await _send_json(client, 200, self._listing(index))
            return
        message = Message(tuple(request.headers), request.body, is_raw=True)
        try:
            found = index.find(asked(request.method, request.path, message))
        except Unreadable as error:
            await _send_json(client, 500, {"error": {"message": str(error), "type": "replay_error"}})
            return
        target = f"{request.method} {request.path}"
        if isinstance(found, Missed):
            self.answered.append((target, ""))
            await _send_json(client, 404, _missed(target, found))
            return
        self.answered.append((target, found.name))
        await self._send(client, found)

    def _listing(self, index: Index) -> dict[str, Any]:
        places = {
            name: {"url": f"{self.url}/{name}", "recordings": number}
            for name, number in sorted(index.num_recordings.items())
        }
        return {"providers": places, "unreadable": index.unreadable}

    async def _send(self, client: Client, recording: Recording) -> None:
        headers = [field for field in recording.response.headers if _is_sent(field)]
        headers.append(("x-wicket-recording", recording.name))
        body = recording.response.body
        if not recording.is_stream:
            await client.write(_head(recording.status, headers, len(body)) + body)
            return
        await client.write(_head(recording.status, headers, None))
        for piece in pieces(body, f"{self._seed}:{recording.name}"):
            await client.write(chunk(piece))
            await asyncio.sleep(0)  # a write of its own, so that the cut is one for the reader too
        await client.write(LAST_CHUNK)


def _is_sent(field: tuple[str, str]) -> bool:
    name, value = field
    return (
        name not in _NOT_SENT
        and _FIELD_NAME.fullmatch(name) is not None
        and not any(ord(letter) < 32 or ord(letter) == 127 for letter in value)
    )


def _head(status: int, headers: list[tuple[str, str]], length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {status} Recorded", *(f"{name}: {value}" for name, value in headers)]
    if length is None:
        lines.append("transfer-encoding: chunked")
    elif status not in _NO_BODY:
        lines.append(f"content-length: {length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


async def _send_json(client: Client, status: int, document: Any) -> None:
    body = encode(document)
    await client.write(_head(status, [("content-type", "application/json")], len(body)) + body)


def _missed(target: str, missed: Missed) -> dict[str, Any]:
    if not missed.nearest:
        message = f"No recording of {target}: neither method nor path is known. GET / lists the providers."
        return {"error": {"message": message, "type": "replay_no_match", "nearest": None, "difference": None}}
    found = missed.difference
    where = f" It differs first in '{found.path}'." if found else ""
    nearest = {"recording": missed.nearest, "method": missed.method, "url": missed.url}
    return {
        "error": {
            "message": f"No recording of this request; the nearest is {missed.nearest}.{where}",
            "type": "replay_no_match",
            "nearest": nearest,
            "difference": msgspec.to_builtins(found),
        }
    }


async def serve(replay: Replay) -> None:
    """Serve until SIGINT or SIGTERM; says where each provider is once everything is read."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with replay:
        print(replay.url, flush=True)
        index = await replay.filled()
        for name, count in sorted(index.num_recordings.items(), key=lambda item: -item[1]):
            print(f"{count:6}  {replay.url}/{name}", flush=True)
        for file, why in index.unreadable.items():
            print(f"left out: {file}: {why}", file=sys.stderr)
        await stop.wait()
