"""An `InferenceProtocol` on a transport that keeps what is written, fed by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from wicket.accounts.callers import Caller, CallerTable, digest
from wicket.dialects.translation import heard
from wicket.errors import ProviderFault
from wicket.gateway.gate import Gate
from wicket.routing.deployment import Deployment, Route
from wicket.server.ingress import Ingress
from wicket.server.protocol import InferenceProtocol, bind
from wicket.server.serving import Bounds, Serving
from wicket.server.storing import Storing
from wicket.store.contents import Contents
from wicket.wire.origin import Origin

KEY = b"wk-a-key-of-these-tests"
DEPLOYMENT = Deployment(id="p/m", provider="p", model="m", origin=Origin("http", "up", 80))


class Kept(asyncio.Transport):
    """Remembers writes; never sends anything."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False
        self.has_ended = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Exchange:
    """An upstream that never says anything by itself."""

    def __init__(self, request: bytes, sink: Any) -> None:
        self.request, self.sink = request, sink
        self.is_cancelled = self.is_paused = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def answer(self, body: bytes) -> None:
        self.sink.on_headers(200, [(b"content-type", b"application/json")])
        self.sink.on_data(body)
        self.sink.on_end()

    def fail(self, fault: ProviderFault) -> None:
        self.sink.on_failure(fault, reused=False, headers_seen=False)


class Upstreams:
    """The pool's seam: keeps every exchange."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.is_broken = False

    def send(
        self, origin: Origin, request: bytes, sink: Any, *, connect_ms: int, fresh: bool = False
    ) -> Exchange:
        if self.is_broken:
            raise RuntimeError("a mistake of our own")
        self.exchanges.append(Exchange(request, sink))
        return self.exchanges[-1]

    async def close(self) -> None: ...


class OneRoute:
    """Every name leads to the same deployment."""

    def resolve(self, name: str, /) -> Route:
        return Route(name=name, deployments=(DEPLOYMENT,))

    resolve_all = resolve

    def providers_called(self, name: str, /) -> tuple[str, ...] | None:
        return None


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the cold routes are not asked here")


async def _ask_nobody(verb: str, arguments: dict[str, Any], key_id: int) -> Any:
    raise AssertionError("nothing is kept here")


def protocol(**bounds: Any) -> tuple[InferenceProtocol, Kept]:
    """A connection that has just been made."""
    gate = Gate(Upstreams(), 1, lambda record: records(gate).append(record))
    gate.kept_records = []  # type: ignore[attr-defined]
    gate.callers = CallerTable([Caller(1, "tester", digest(KEY))])
    gate.configure(OneRoute(), 10)
    voice = heard("openai_chat")
    assert voice is not None
    ingress = Ingress(["openai_chat"], voice)
    serving = Serving(
        gate=gate,
        ingress=ingress,
        storing=Storing(_ask_nobody, Contents(Path("nowhere"))),
        bounds=Bounds(**bounds),
    )
    config = uvicorn.Config(_nobody, ws="none", lifespan="off", log_config=None, server_header=False)
    config.load()
    made = bind(serving)(config=config, server_state=ServerState(), app_state={}, _loop=object())
    transport = Kept()
    made.connection_made(transport)
    return made, transport


def records(gate: Gate) -> list[Any]:
    found: list[Any] = gate.kept_records  # type: ignore[attr-defined]
    return found


def upstreams(made: InferenceProtocol) -> Upstreams:
    pool = made.serving.gate.pool
    assert isinstance(pool, Upstreams)
    return pool
