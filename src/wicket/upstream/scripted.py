"""The scripted upstream: a server that misbehaves as its script says.

It speaks OpenAI's chat, Anthropic's Messages, Gemini's generateContent, Bedrock's Converse, Cohere's chat or
Ollama's own, by the path that it is asked at.

`python -m wicket.upstream.scripted --script FILE --port N`, or in a test
`async with ScriptedUpstream(script) as up:`. `GET /__log` lists the requests it saw, `POST /__script`
replaces the script. Credentials never reach the log: a key appears there as its SHA-256.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import signal
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import ConfigFault
from wicket.upstream.scripted_answer import End, Plan, Step, Wait, plan
from wicket.upstream.scripted_client import Client, ClientGone, Request
from wicket.upstream.scripted_door import Door
from wicket.upstream.scripted_help import explanation
from wicket.upstream.scripted_script import (
    Price,
    Script,
    choose,
    form_fields,
    greet,
    pace,
    parse_answers,
    parse_script,
    understand,
)
from wicket.upstream.scripted_shelf import Shelf
from wicket.wire.json import encode

_SECRET_NAMES = frozenset(
    ("authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie")
)


class Seen(msgspec.Struct):
    """One request as the log tells it. Times are ms since the upstream started."""

    number: int
    connection: int
    at_ms: float
    method: str
    path: str
    headers: list[tuple[str, str]]
    key_sha256: str
    body: str
    model: str = ""
    rule: int | None = None  # index of the rule that answered, None for none
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    ended_ms: float | None = None
    client_gone: bool = False  # it went away in the middle of the answer

    @property
    def fields(self) -> dict[str, Any]:
        """The body as JSON, or a form's fields."""
        if self.body.startswith("--"):
            return form_fields(self.body.encode())
        return msgspec.json.decode(self.body, type=dict[str, Any])


class ScriptedUpstream:
    """The server; an asynchronous context manager. `log` is live. `tls` is (certificate file, key file)."""

    def __init__(
        self,
        script: Script | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: tuple[str, str] | None = None,
    ) -> None:
        self.log: list[Seen] = []
        self.port = port
        self.host = host
        self._tls = tls
        self._num_connections = 0
        self._shelf = Shelf()
        self._changed = asyncio.Condition()
        self._start = 0.0
        self._door: Door | None = None
        self.set_script(script or Script(), at=0.0)

    @property
    def base_url(self) -> str:
        """What a provider's `base_url` is set to."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}/v1"

    @property
    def num_connections(self) -> int:
        """Connections accepted so far."""
        return self._num_connections

    def set_script(self, script: Script, *, at: float | None = None) -> None:
        """Replace the script; its rules count from here."""
        self.script = script
        self._seen: dict[int, int] = {}
        self._num_greeted = 0
        self._script_at = self._now() if at is None else at

    async def until(self, holds: Callable[[list[Seen]], bool]) -> None:
        """Wait until `holds(log)`: for tests, instead of sleeping."""
        async with self._changed:
            await self._changed.wait_for(lambda: holds(self.log))

    async def __aenter__(self) -> ScriptedUpstream:
        context = None
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
        self._start = self._script_at = asyncio.get_running_loop().time()
        self._door = Door(self._accept, self._greet, context)
        self.port = self._door.open(self.host, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._door is not None
        await self._door.close()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _greet(self) -> str:
        """The fault for a new connection, "" for none."""
        self._num_connections += 1
        self._num_greeted += 1
        return greet(self.script, self._num_greeted, self._now() - self._script_at)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        try:
            number = self._num_connections
            while await self._serve_one(client, number):
                pass
        except (ClientGone, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            await client.close()

    async def _serve_one(self, client: Client, connection: int) -> bool:
        """One request; False when the connection is over."""
        head = await client.read_head()
        if head is None:
            return False
        request = await client.read_body(head, lambda first: pace(self.script, head.path, head.key, first))
        if request.path.startswith("/__"):
            return await self._own(client, request)
        names = [name for name, _ in request.headers]
        ask = understand(request.method, request.path, request.key, request.body, names)
        rule = choose(self.script, ask, self._seen, self._now() - self._script_at)
        seen = self._note(request, connection)
        seen.model = ask.model
        seen.rule = next((i for i, known in enumerate(self.script.rules) if known is rule), None)
        try:
            answer = plan(self.script, rule, ask, seen.number, self._shelf)
        except ConfigFault as fault:
            answer = Plan(_plain(500, fault.message.encode()))
        seen.input_tokens, seen.output_tokens = answer.input_tokens, answer.output_tokens
        seen.cost_usd = _cost(self.script.prices.get(ask.model, Price()), answer)
        await self._tell()
        try:
            return await _perform(client, answer.steps)
        except (ClientGone, ConnectionError):
            seen.client_gone = True
            return False
        finally:
            seen.ended_ms = (self._now() - self._start) * 1000
            await self._tell()

    def _note(self, request: Request, connection: int) -> Seen:
        seen = Seen(
            number=len(self.log) + 1,
            connection=connection,
            at_ms=(self._now() - self._start) * 1000,
            method=request.method,
            path=request.path,
            headers=[field for field in request.headers if field[0] not in _SECRET_NAMES],
            key_sha256=hashlib.sha256(request.key.encode()).hexdigest() if request.key else "",
            body=request.body.decode("utf-8", "replace"),
        )
        self.log.append(seen)
        return seen

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _own(self, client: Client, request: Request) -> bool:
        """The upstream's own two paths."""
        if request.path == "/__log" and request.method == "GET":
            return await _perform(client, _plain(200, encode(self.log)))
        if request.path == "/__script" and request.method == "POST":
            try:
                self.set_script(parse_script(request.body, toml=not request.body.lstrip().startswith(b"{")))
            except ConfigFault as fault:
                return await _perform(client, _plain(400, encode({"error": fault.message})))
            return await _perform(client, _plain(200, b"{}"))
        return await _perform(client, _plain(404, b"{}"))


def _plain(status: int, body: bytes) -> list[Step]:
    head = (
        f"HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return [head.encode() + body]


def _cost(price: Price, answer: Plan) -> float:
    return (price.input * answer.input_tokens + price.output * answer.output_tokens) / 1e6


async def _perform(client: Client, steps: list[Step]) -> bool:
    """Carry out a plan; whether the connection lives on. Raises `ClientGone`."""
    for step in steps:
        if isinstance(step, Wait):
            await client.wait(step.ms)
        elif isinstance(step, End):
            await client.end(rst=step.rst)
            return False
        else:
            await client.write(step)
    return True


def load_script(path: Path) -> Script:
    """A script file with its answers file read in. Raises `ConfigFault`."""
    try:
        script = parse_script(path.read_bytes(), toml=path.suffix == ".toml")
        if script.answers_file:
            answers = parse_answers((path.parent / script.answers_file).read_bytes())
            script = msgspec.structs.replace(script, answers={**script.answers, **answers})
    except OSError as error:
        message = f"{error.filename} can't be read: {error.strerror}."
        raise ConfigFault("bad_script", message) from None
    return script


async def serve(script: Script, host: str, port: int, *, tls: tuple[str, str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; prints the base URL once it listens."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with ScriptedUpstream(script, host, port, tls=tls) as upstream:
        sys.stdout.write(f"{upstream.base_url}\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="wicket dev upstream",
        description="A scripted provider to test against.",
        epilog=explanation(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--script", type=Path, help="TOML or JSON, see below; a good provider without one")
    parser.add_argument("--answers", type=Path, help='JSONL of {"prompt", "answer"}')
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--cert", help="certificate file (PEM), with --key, for https")
    parser.add_argument("--key", help="its key file (PEM)")
    args = parser.parse_args(argv)
    if bool(args.cert) != bool(args.key):
        parser.error("--cert and --key go together")
    try:
        script = load_script(args.script) if args.script else Script()
        if args.answers:
            answers = parse_answers(args.answers.read_bytes())
            script = msgspec.structs.replace(script, answers={**script.answers, **answers})
        asyncio.run(serve(script, args.host, args.port, tls=(args.cert, args.key) if args.cert else None))
    except (ConfigFault, OSError) as error:
        sys.stderr.write(f"wicket dev upstream: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
