"""A second dialect of the tests, and a gate before scripted upstreams that callers of either dialect reach.

The dialect `other` is OpenAI's under another name: whoever speaks it is translated through the hub, so that
what arrives can be held against what passes as it came.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

import wicket.dialects.openai_chat as openai_chat
from wicket.accounts.callers import Caller
from wicket.accounts.record import Record
from wicket.dialects.contract import Api, Way
from wicket.errors import Fault
from wicket.gateway.admit import admit
from wicket.gateway.call import Arrival
from wicket.gateway.crossing import conversation_of, hearing, speaking
from wicket.gateway.drive import Drive
from wicket.gateway.gate import Gate
from wicket.routing.deployment import Deployment, Route
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.scripted import ScriptedUpstream
from wicket.upstream.scripted_script import Rule, Script
from wicket.wire.origin import Origin

OTHER = msgspec.structs.replace(
    openai_chat.CHAT, name="other.chat", dialect="other", ways=(Way("/other/{model}:say"),)
)
KEEP_ALIVE = b": other\n\n"
ASKED: dict[str, Any] = {"model": "x", "messages": [{"role": "user", "content": "Say it."}]}


def other_dialect() -> ModuleType:
    """The module `wicket.dialects.other`."""
    made = ModuleType("wicket.dialects.other")
    for name in openai_chat.__all__:
        setattr(made, name, getattr(openai_chat, name))
    made.APIS = (OTHER,)  # type: ignore[attr-defined]
    made.CONVERSATION = OTHER  # type: ignore[attr-defined]
    made.KEEP_ALIVE = KEEP_ALIVE  # type: ignore[attr-defined]
    made.FORWARDED_HEADERS = (b"other-beta",)  # type: ignore[attr-defined]
    made.fault_body = lambda fault, request_id: json.dumps(  # type: ignore[attr-defined]
        {"other": fault.message, "id": request_id}
    ).encode()
    made.fault_frame = lambda fault, request_id: (  # type: ignore[attr-defined]
        b"event: error\ndata: %b\n\n" % fault.message.encode()
    )
    return made


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The second dialect, for one test."""
    made = other_dialect()
    monkeypatch.setitem(sys.modules, "wicket.dialects.other", made)
    for cached in (hearing, speaking, conversation_of):
        cached.cache_clear()
    return made


class Caught:
    """A caller's side that keeps what it got."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.status = 0
        self.headers = b""
        self.written: list[bytes] = []
        self.heard = asyncio.Event()
        self.fault: Fault | None = None

    def whole(self, status: int, headers: bytes, body: bytes) -> None:
        self.status, self.headers = status, headers
        self.written.append(body)
        self.over.set()

    def begin(self, headers: bytes) -> None:
        self.status, self.headers = 200, headers

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.heard.set()

    def finish(self) -> None:
        self.over.set()

    def refuse(self, fault: Fault, headers: bytes) -> None:
        self.status, self.headers, self.fault = fault.status, headers, fault
        self.over.set()

    def fail_in_band(self, fault: Fault) -> None:
        self.fault = fault
        self.over.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.written)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def header(self) -> dict[str, str]:
        lines = [line.partition(b": ") for line in self.headers.split(b"\r\n") if line]
        return {name.decode(): value.decode() for name, _, value in lines}

    @property
    def payloads(self) -> list[bytes]:
        return [
            frame.removeprefix(b"data: ") for frame in self.body.split(b"\n\n") if frame.startswith(b"data: ")
        ]

    @property
    def chunks(self) -> list[Any]:
        *frames, last = self.payloads
        assert last == b"[DONE]"
        return [json.loads(frame) for frame in frames]


class OneRoute:
    def __init__(self, route: Route) -> None:
        self.route = route

    def resolve(self, name: str, /) -> Route:
        return self.route

    def header_task(self, value: bytes, /) -> str:
        return ""


class House:
    """A gate whose records are kept; `dialects` are those of the route's deployments, in order."""

    def __init__(self, upstreams: list[ScriptedUpstream], dialects: list[str], **route: Any) -> None:
        self.upstreams = upstreams
        self.records: list[Record] = []
        self.kept: list[Any] = []
        self.pool = KeepAlivePool()
        self.gate = Gate(self.pool, 1, self.records.append, self.kept.append)
        pairs = zip(upstreams, dialects, strict=True)
        tasks = [route.get("task", ""), *[""] * len(upstreams)]  # the first one is the mini, if there is one
        deployments = tuple(
            [
                at(upstream, f"p{number}", dialect=name, task=tasks[number])
                for number, (upstream, name) in enumerate(pairs)
            ]
        )
        made = Route(name="x", deployments=deployments, **route)
        self.gate.configure(OneRoute(made), 100)
        self.gate.start(asyncio.get_running_loop())

    def start(self, api: Api, body: dict[str, Any], **arrival: Any) -> tuple[Drive, Caught]:
        """A request on its way. Raises the `Fault` of one that is not admitted."""
        reply = Caught()
        number = self.gate.ids.next(1_000)
        came = Arrival(
            api, {}, json.dumps(body).encode(), number, self.gate.now_us(), 1_700_000_000_000, **arrival
        )
        drive = Drive(self.gate, admit(came, Caller(7, "a", b""), self.gate.check_room()), reply)
        drive.start()
        return drive, reply

    async def ask(self, api: Api, **fields: Any) -> Caught:
        """A request to its end."""
        _, reply = self.start(api, {**ASKED, **fields})
        await asyncio.wait_for(reply.over.wait(), 30)
        return reply

    def sent(self, upstream: int = 0) -> dict[str, Any]:
        """The last body that an upstream got."""
        found: dict[str, Any] = self.upstreams[upstream].log[-1].fields
        return found


def at(upstream: ScriptedUpstream, provider: str, **more: Any) -> Deployment:
    """A deployment at a scripted upstream; a token costs 1 micro-USD in and 2 out."""
    url = urlsplit(upstream.base_url)
    origin = Origin("http", url.hostname or "", url.port or 0)
    prices = (1_000_000, 2_000_000, None, None, 0)
    return Deployment(id=f"{provider}/m", provider=provider, model="m", origin=origin, prices=prices, **more)


@asynccontextmanager
async def house(rules: list[Rule], dialects: list[str], **route: Any) -> AsyncIterator[House]:
    """One upstream per rule."""
    upstreams = [ScriptedUpstream() for _ in rules]
    for upstream, rule in zip(upstreams, rules, strict=True):
        await upstream.__aenter__()
        upstream.set_script(Script(rules=[rule]))
    made = House(upstreams, dialects, **route)
    try:
        yield made
    finally:
        for drive in list(made.gate.active):
            drive.client_gone()
        made.gate.stop()
        await made.pool.close()
        for upstream in upstreams:
            await upstream.__aexit__()
