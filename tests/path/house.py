"""A real `wicket serve` before a scripted provider, and the plainest of clients."""

import asyncio
import http.client
import json
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.path.served import LIMIT_S, Served, eventually
from wicket.upstream.scripted import ScriptedUpstream, Seen
from wicket.upstream.scripted_script import Rule, Script, When

SECRET = "upstream-credential-0123456789"  # never in an answer, never in a log
CANARY = "zebra-canary-7319"  # what tests put into bodies that must not reach a log
HELLO = [{"role": "user", "content": "Say it."}]
CONFIG = """
[server]
port = 0
workers = 1
max_headers = 60
max_header_bytes = 16384
header_timeout_s = 1
body_timeout_s = 1
keep_alive_s = 30
stream_buffer_bytes = 65536
body_limits = {{ chat = 4194304, completions = 65536, embeddings = 65536 }}
[providers.mine]
base_url = "{url}"
api_key = "{secret}"
models = ["plain"]
prices.plain = {{ input = 0.5, output = 1.5 }}
prices.dear = {{ input = 3.0, output = 15.0, cached = 0.3 }}
[providers.groq]
optional = true
[models.pair]
deployments = ["mine/first", "mine/second"]
[models.late]
deployments = ["mine/first", "mine/second"]
timeouts = {{ first_token_s = 0.3, gap_s = 0.5 }}
[models.brief]
deployments = ["mine/first"]
timeouts = {{ gap_s = 0.3, total_s = 1 }}
[models.held]
deployments = ["mine/first", "mine/second"]
commit = "whole"
[models.dear]
deployments = ["mine/dear"]
markup = 0.25
[models.unserved]
deployments = ["nobody/x"]
[providers.nobody]
base_url = "http://127.0.0.1:9/v1"
auth = "none"
"""

MINE = '[providers.mine]\nbase_url = "{url}"\napi_key = "{secret}"\n'


class Provider:
    """The scripted upstream in a thread of its own."""

    def __init__(self, upstream: ScriptedUpstream | None = None) -> None:
        self.upstream = upstream or ScriptedUpstream()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Provider":
        self._thread.start()
        self.call(self.upstream.__aenter__)
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.upstream.__aexit__)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, function: Callable[[], Any]) -> Any:
        """Run in the provider's loop; a coroutine is awaited."""
        done: Future[Any] = asyncio.run_coroutine_threadsafe(_settled(function), self._loop)
        return done.result(LIMIT_S)

    def script(self, *rules: Rule, **script: Any) -> None:
        """Answer so from now on, with an empty log."""

        def swap() -> None:
            self.upstream.log.clear()
            self.upstream.set_script(Script(rules=list(rules), **script))

        self.call(swap)

    @property
    def log(self) -> list[Seen]:
        """What it has seen since the last `script`."""
        return self.call(lambda: list(self.upstream.log))

    @property
    def last(self) -> Seen:
        return self.log[-1]

    def until(self, holds: Callable[[list[Seen]], bool]) -> None:
        self.call(lambda: self.upstream.until(holds))


async def _settled(function: Callable[[], Any]) -> Any:
    result = function()
    return await result if asyncio.iscoroutine(result) else result


def rule(model: str = "", *, when: dict[str, Any] | None = None, **actions: Any) -> Rule:
    """A rule for a model's requests."""
    return Rule(when=When(model=model, **(when or {})), **actions)


class Answer(msgspec.Struct):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """OpenAI's error object; fails when it is anything else."""
        found = self.json
        assert list(found) == ["error"] and list(found["error"]) == ["message", "type", "param", "code"]
        assert isinstance(found["error"]["message"], str) and found["error"]["message"]
        error: dict[str, Any] = found["error"]
        return error

    @property
    def frames(self) -> list[bytes]:
        """A stream's payloads."""
        assert self.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert self.body.endswith(b"\n\n")
        return [
            frame.removeprefix(b"data: ")
            for frame in self.body.split(b"\n\n")[:-1]
            if frame.startswith(b"data: ")
        ]

    @property
    def chunks(self) -> list[Any]:
        """A complete stream's frames as values; fails without `[DONE]` at the end."""
        *frames, last = self.frames
        assert last == b"[DONE]"
        return [json.loads(frame) for frame in frames]

    @property
    def text(self) -> str:
        """What a stream said."""
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(
            choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices
        )


class Gateway(Served):
    """A real server with real workers, and its admin key."""

    engine_module = "wicket.engines.host"

    def __init__(self, folder: Path, config: str = "", **environ: str) -> None:
        """`config` "" starts again with what lies in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "wicket.toml"
        if config:
            self.file.write_text(config)
        super().__init__(
            folder / "home",
            self.file,
            environ=environ,
            worker_module="wicket.server.process",
            engine_module=self.engine_module,
        )

    def wait_ready(self) -> "Gateway":
        super().wait_ready()
        self.key = (self.home / "admin.key").read_text().strip()
        self.address = (urlsplit(self.url).hostname or "", urlsplit(self.url).port or 0)
        self._num_greeting = len(self.said)
        return self

    def heard(self) -> str:
        """Everything on its standard output and error since the start message."""
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return "\n".join(self.said[self._num_greeting :])
            assert line is not None, f"it ended: {self.said}"
            self.said.append(line)

    def request(
        self, method: str, path: str, body: bytes | None = None, key: str | None = "", **headers: str
    ) -> Answer:
        """One request on a connection of its own. `key` "" is the admin key, None sends none."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["authorization"] = f"Bearer {key or self.key}"
        connection = http.client.HTTPConnection(*self.address, timeout=LIMIT_S)
        try:
            connection.request(method, path, body, sent)
            return read(connection)
        finally:
            connection.close()

    def post(self, path: str, body: Any, key: str | None = "", **headers: str) -> Answer:
        """`body` as JSON, unless it is bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, data, key, content_type="application/json", **headers)

    def chat(self, model: str = "mine/plain", key: str | None = "", **fields: Any) -> Answer:
        return self.post("/v1/chat/completions", {"model": model, "messages": HELLO, **fields}, key)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.request(method, path, None if body is None else json.dumps(body).encode())
        assert answer.status < 300, answer.body
        return answer.json

    def record(self, request_id: str) -> dict[str, Any]:
        """The record of a request, once it is there."""
        for _ in range(3_000):
            answer = self.request("GET", f"/v1/requests/{request_id}")
            if answer.status == 200:
                found: dict[str, Any] = answer.json
                return found
            assert answer.status == 404, answer.body
        raise AssertionError(f"{request_id} has no record")

    def newest(self) -> dict[str, Any]:
        """The newest record, {} if there is none."""
        found: list[dict[str, Any]] = self.admin("GET", "/admin/v1/logs?limit=1")["data"]
        return found[0] if found else {}

    @contextmanager
    def next_record(self, outcome: str) -> Iterator[dict[str, Any]]:
        """Filled, at the end of the block, with the record of that outcome which was not there before."""
        path = f"/admin/v1/logs?limit=1&outcome={outcome}"
        before = self.admin("GET", path)["data"]
        record: dict[str, Any] = {}
        yield record
        eventually(lambda: self.admin("GET", path)["data"] != before)
        record |= self.admin("GET", path)["data"][0]

    @contextmanager
    def dial(self) -> Iterator[socket.socket]:
        """A bare connection."""
        with socket.create_connection(self.address, timeout=LIMIT_S) as connection:
            yield connection

    def raw(self, *pieces: bytes) -> bytes:
        """Send bytes as they are; all that comes back until the server closes."""
        with self.dial() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return drain(connection)

    def head(self, body: bytes, *lines: str, path: str = "/v1/chat/completions") -> bytes:
        """A POST with a correct head and `lines` in it."""
        head = [f"POST {path} HTTP/1.1", "host: x", f"authorization: Bearer {self.key}", *lines]
        return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body

    def worker_pids(self) -> list[int]:
        return [worker["pid"] for worker in self.admin("GET", "/admin/v1/status")["workers"]]


def read(connection: http.client.HTTPConnection) -> Answer:
    """The whole answer on a connection."""
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def drain(connection: socket.socket) -> bytes:
    """Everything until the end; a reset counts as one."""
    parts: list[bytes] = []
    try:
        while data := connection.recv(65_536):
            parts.append(data)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def answers(data: bytes) -> list[int]:
    """The status codes of all answers in what a connection brought."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


def sse(*frames: bytes, end: bytes = b"\n\n") -> str:
    """Frames as one body."""
    return b"".join(b"data: " + frame + end for frame in frames).decode()


def delta(text: str, **fields: Any) -> bytes:
    """One chunk of OpenAI's stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return json.dumps({"id": "c", "model": "up", "choices": [choice], **fields}).encode()


STOP = b'{"id":"c","model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
USAGE = b'{"id":"c","model":"up","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5}}'


def stream_rule(body: str, model: str = "", **actions: Any) -> Rule:
    """A rule that answers with exactly these bytes as an event stream."""
    return rule(model, body=body, headers={"content-type": "text/event-stream"}, **actions)


def names(rules: Sequence[Seen]) -> list[str]:
    """The models asked for, in order."""
    return [seen.model for seen in rules]
