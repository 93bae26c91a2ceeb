"""A worker: answers inference on callbacks and everything else through a plain ASGI app.

The supervisor owns the socket, the database, the configuration and the engines; `process.py` starts.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import uvicorn

from wicket.accounts.callers import Caller, CallerTable
from wicket.accounts.record import Record
from wicket.config.check import known_dialects
from wicket.config.schema import Config, StorageTable
from wicket.config.snapshot import Snapshot, compile_snapshot
from wicket.dialects import openai_chat
from wicket.dialects.translation import voice
from wicket.errors import ProviderFault, StoreFault
from wicket.gateway.admit import check_live
from wicket.gateway.cascade import made_ready
from wicket.gateway.checks import Checks, Verdict
from wicket.gateway.gate import Gate
from wicket.gateway.lanes import LaneTable
from wicket.gateway.probes import Probes
from wicket.routing.deployment import Deployment
from wicket.server.basket import Basket
from wicket.server.bearer import read_bearer, unknown_key
from wicket.server.control import Control
from wicket.server.ingress import Ingress
from wicket.server.late_app import LateApp
from wicket.server.protocol import InferenceProtocol, bind
from wicket.server.serving import Bounds, Serving, body_limits
from wicket.server.sharing import Sharing
from wicket.server.storing import Storing
from wicket.state.seal import Seal
from wicket.store.contents import FOLDER, Contents
from wicket.supervisor.messages import (
    NOBODY,
    AddCaller,
    Asker,
    Cascades,
    Checked,
    Configure,
    Digests,
    Drain,
    EngineState,
    LaneShare,
    LeaseWords,
    LedgerState,
    Load,
    Meters,
    Released,
    RemoveCaller,
    SetCallers,
    ToWorker,
    Turned,
    Visit,
    pack_record,
)
from wicket.upstream.contract import Exchange, Sink
from wicket.upstream.fetch import Response, fetch
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.proxies import proxy_for
from wicket.upstream.request_head import head, without_body
from wicket.wire import json
from wicket.wire.origin import Origin

if TYPE_CHECKING:
    from wicket.server.app_cost import NewEstimate

RESPOOL_S = 20.0  # by then the supervisor has taken what a worker spooled
FLUSH_S = 0.05  # records wait at most this long in a worker
MAX_BATCH = 500
SWEEP_S = 1.0
PARTING_S = 1.0  # for requests that were on their way when the worker was told to go
PARTING_POLL_S = 0.02
LAST_WORD_S = 0.5  # before the deadline, who still waits for room is told that it won't come
MAX_KEPT_BYTES = 64 * 1024 * 1024  # of an answer that a provider keeps
START_POLL_S = 0.005  # uvicorn has no callback for "started"

_log = logging.getLogger("wicket.worker")
_decode_config = msgspec.msgpack.Decoder(Config).decode


class Worker:
    """One worker: hears the supervisor, lends its gate to the protocol and its house to the cold routes."""

    def __init__(self, index: int, home: Path) -> None:
        self.home = home
        self.contents = Contents(home / FOLDER)
        self.pool = KeepAlivePool()
        self.basket = Basket()
        self.gate = Gate(self.pool, index, self._record, self.basket.put)
        self.checks = self.gate.checks = Checks(self.gate, self._checked)
        self.control = Control(self._hear, self._lost, self._spool)
        self.storing = Storing(self.control.ask, self.contents)
        self.serving = Serving(gate=self.gate, ingress=_ingress(), storing=self.storing)
        self.sharing = Sharing(self.gate, self.control)
        self.gate.metering.tell = self.control.send_notes
        self.probes = Probes(self.gate)
        self.index = index
        self.config = Config()
        self._snapshot: Snapshot | None = None
        self.engines: dict[str, EngineState] = {}
        self.configured = asyncio.Event()
        self.keyed = asyncio.Event()
        self.server: uvicorn.Server | None = None
        self.records: list[msgspec.Raw] = []
        self.leaving: asyncio.Future[None] | None = None
        self.late_app = LateApp(self, self.serving.ingress.paths)
        self.serving.ingress.on_more = self._bound_bodies

    # what the cold routes ask (server.app_house.House)

    @property
    def snapshot(self) -> Snapshot:
        """The configuration in force."""
        assert self._snapshot is not None
        return self._snapshot

    @property
    def is_ready(self) -> bool:
        """Whether inference requests are taken."""
        return self._snapshot is not None and not self.gate.is_draining

    @property
    def is_metrics_public(self) -> bool:
        """Whether `/metrics` needs no key."""
        return self.config.server.metrics_public

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Origins whose pages may call."""
        return self.config.server.cors_origins

    @property
    def storage(self) -> StorageTable:
        """What is kept."""
        return self.config.storage

    @property
    def seal(self) -> Seal | None:
        """What ids are sealed with."""
        return self.storing.seal

    async def fetch(self, origin: Origin, request: bytes) -> Response:
        """A provider's whole answer about a thing that it keeps."""
        return await fetch(
            self.pool, origin, request, connect_ms=5_000, total_ms=30_000, max_bytes=MAX_KEPT_BYTES
        )

    def send(self, origin: Origin, request: bytes, sink: Sink) -> Exchange:
        """The same where it is passed on as it comes."""
        return self.pool.send(origin, request, sink, connect_ms=5_000)

    def authenticate(self, authorization: bytes | None, now_ms: int) -> Caller:
        """The caller behind an `Authorization` header."""
        key = read_bearer(authorization)
        caller = self.gate.callers.find(key)
        if caller is None:
            raise unknown_key(key)
        return check_live(caller, now_ms)

    def engine_states(self) -> Mapping[str, EngineState]:
        """Every local engine."""
        return self.engines

    async def engine_card(self, deployment: Deployment) -> dict[str, Any] | None:
        """What a local engine says of its model."""
        target = f"/v1/models/{quote(deployment.model)}"
        request = without_body(head("GET", target, deployment.origin, ()))
        try:
            answer = await fetch(
                self.pool, deployment.origin, request, connect_ms=500, total_ms=2_000, max_bytes=64 * 1024
            )
        except ProviderFault:
            return None
        return json.decode(answer.body, type=dict[str, Any]) if answer.status == 200 else None

    @property
    def trusted_proxies(self) -> tuple[str, ...]:
        """Networks of proxies whose word on clients is taken."""
        return self.config.server.trusted_proxies

    @property
    def allows_plain_http(self) -> bool:
        """Whether passwords may cross a network unencrypted."""
        return self.config.accounts.allow_plain_http

    def estimate(self, asked: NewEstimate, caller: Caller) -> dict[str, Any]:
        """What a request would cost."""
        from wicket.server.app_cost import estimated  # asked through the cold routes only, which have read it

        return estimated(asked, caller, self.gate, self.gate.check_room(), self.gate.rates)

    async def ask(self, verb: str, arguments: dict[str, Any], key_id: int, asker: Asker = NOBODY) -> Any:
        """What only the supervisor knows."""
        return await self.control.ask(verb, arguments, key_id, asker)

    # what the supervisor says

    def _hear(self, message: ToWorker) -> None:
        match message:
            case Configure():
                self._configure(message)
            case SetCallers(callers=callers):
                self.gate.callers = CallerTable(callers)
                self.keyed.set()
            case AddCaller(caller=caller):
                self.gate.callers.add(caller)
            case RemoveCaller(key_id=key_id):
                self.gate.callers.remove(key_id)
            case EngineState():
                self.engines[message.name] = message
                self._note_unready()
            case Cascades(terms=terms):
                self.gate.cascades = made_ready(terms)
            case LeaseWords(words=words):
                self.gate.metering.hear(words)
            case Meters():
                self._set_meters(message)
            case Turned() | Digests() | LaneShare():
                self.sharing.hear(message)
            case Visit(due=due):
                self.storing.later.visit(self, due)
            case Released(requests=requests):
                self.gate.pledges.release(requests)
            case LedgerState(is_open=is_open):
                self.gate.ledger_is_open = is_open
            case Drain(deadline_ms=deadline_ms):
                self._drain(deadline_ms)
            case _:
                pass

    def _configure(self, message: Configure) -> None:
        config = _decode_config(message.config)
        environ = dict(os.environ)

        def proxy(scheme: str, host: str, port: int) -> str:
            return proxy_for(scheme, host, port, environ)

        snapshot = compile_snapshot(
            config, version=message.version, engine_sockets=message.engine_sockets, proxy_for=proxy
        )
        server = config.server
        before, self.config = self.config, config
        self._snapshot = snapshot
        self.gate.configure(snapshot, server.max_in_flight, server.max_in_flight_bytes)
        self._configure_providers(before, config, snapshot)
        self.engines = {name: state for name, state in self.engines.items() if name in config.engines}
        self._note_unready()
        self.serving.cors = frozenset(origin.encode() for origin in server.cors_origins)
        self.storing.configure(config.storage, message.seal_key)
        self.serving.trusted_proxies = server.trusted_proxies
        self.serving.bounds = Bounds(
            max_headers=server.max_headers,
            max_header_bytes=server.max_header_bytes,
            header_s=server.header_timeout_s,
            body_s=server.body_timeout_s,
            keep_alive_s=server.keep_alive_s,
            stream_buffer_bytes=server.stream_buffer_bytes,
        )
        self._bound_bodies()
        self.configured.set()

    def _bound_bodies(self) -> None:
        """Bounds for the bodies of every API that has been read."""
        body = body_limits(self.serving.ingress, self.config.server.body_limits)
        self.serving.bounds = msgspec.structs.replace(self.serving.bounds, body=body)

    def _configure_providers(self, before: Config, config: Config, snapshot: Snapshot) -> None:
        """Lanes and probes anew; what was wrong with a provider that is configured otherwise is forgotten."""
        providers = config.providers
        old = before.providers.items()
        self.gate.health.forget([name for name, each in old if providers.get(name) != each])
        limited = {name: each for name, each in providers.items() if each.max_concurrent}
        self.gate.lanes.configure(
            {name: LaneTable(each.max_concurrent, each.queue) for name, each in limited.items()}
        )
        self.probes.every_s = {name: each.probe_s for name, each in providers.items() if each.probe_s}
        self.probes.deployments = snapshot.deployments
        known = [one for same in snapshot.deployments.values() for one in same]
        self.gate.tokens.configure([one.google for one in known if one.google is not None])
        self.gate.health.probed_providers = frozenset(self.probes.every_s)

    def _set_meters(self, message: Meters) -> None:
        metering = self.gate.metering
        if message.meters or message.removed or message.is_whole:
            metering.set_meters(message.meters, message.removed, is_whole=message.is_whole)
        for id, is_warning in message.warnings.items():
            metering.warn(id, is_warning=is_warning)

    def _note_unready(self) -> None:
        """Requests wait for an engine that loads, but not for a mini: what it can't answer now goes up."""
        unready = {name for name, state in self.engines.items() if state.state == "failed"}
        for name, engine in self.config.engines.items():
            if engine.task and (name not in self.engines or self.engines[name].state != "ready"):
                unready.add(name)
        self.gate.unready = frozenset(unready)

    def _lost(self) -> None:
        self.gate.metering.close()
        self._drain(int(self.config.server.drain_s * 1_000))

    def _drain(self, deadline_ms: int) -> None:
        if self.leaving is None:
            self.gate.is_draining = True
            self.leaving = asyncio.ensure_future(self._leave(deadline_ms))

    async def _leave(self, deadline_ms: int) -> None:
        """Stop accepting; whoever is connected may still ask once, and is told to connect anew."""
        server = self.server
        if server is None:  # it had not begun to serve, and will not: `run` sees that
            self.configured.set()
            self.keyed.set()
            return
        for listening in getattr(server, "servers", ()):
            listening.close()
        last_s = max(0.0, deadline_ms / 1_000 - LAST_WORD_S)
        asyncio.get_running_loop().call_later(last_s, self.gate.lanes.close)
        parting_s = min(PARTING_S, deadline_ms / 2_000)
        for _ in range(max(1, round(parting_s / PARTING_POLL_S))):
            await asyncio.sleep(PARTING_POLL_S)  # who was accepted just now is counted by then
            if not server.server_state.connections:
                break
        server.config.timeout_graceful_shutdown = max(1, deadline_ms // 1_000)
        server.should_exit = True

    # records

    def _record(self, record: Record) -> None:
        self.records.append(pack_record(record))
        if len(self.records) == MAX_BATCH:  # not now: this one's hold is settled behind its record
            asyncio.get_running_loop().call_soon(self._flush)

    def _checked(self, verdict: Verdict) -> None:
        self.control.tell(Checked(**msgspec.structs.asdict(verdict)))

    def _flush(self) -> None:
        if self.basket.is_filled:  # before their records: who sees a record may speak of its example
            self.basket.hand_over(self.control.send_examples)
        if self.records:
            batch, self.records = self.records, []
            drawn = self.gate.metering.take_drawn()
            if not self.control.send_records(batch, drawn) and drawn:
                asyncio.get_running_loop().call_later(RESPOOL_S, self.gate.metering.redraw, drawn)

    def _spool(self, records: Sequence[Record]) -> None:
        from wicket.supervisor.ledger import spool_write  # only when the supervisor is gone

        try:
            spool_write(self.home / "spool" / f"worker-{os.getpid()}.spool", records)
        except StoreFault as fault:  # nothing is left to keep them in: say how many, loudly
            _log.critical("%d records are lost: %s", len(records), fault.message)

    # running

    async def run(self, listen_fd: int, control_fd: int) -> None:
        """Answer until told to drain."""
        loop = asyncio.get_running_loop()
        await self.control.connect(control_fd)
        await asyncio.gather(self.configured.wait(), self.keyed.wait())
        if self.gate.is_draining:
            self.control.close()
            return
        config = uvicorn.Config(
            self.late_app,
            http=bind(self.serving),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            backlog=4096,
            timeout_keep_alive=int(self.config.server.keep_alive_s),
        )
        self.server = server = uvicorn.Server(config)
        self.gate.start(loop)
        timers = [loop.create_task(self._flush_often()), loop.create_task(self._sweep(server))]
        timers.append(loop.create_task(self.late_app.read_ahead()))
        listener = socket.socket(fileno=listen_fd)
        _spare_the_collector()
        try:
            await server.serve(sockets=[listener])
        finally:
            for timer in timers:
                timer.cancel()
            await asyncio.gather(*timers, return_exceptions=True)
            for drive in list(self.gate.active):  # the deadline passed: account for what is cut off
                drive.client_gone()
            self.gate.stop()
            await self.probes.close()
            await self.gate.tokens.close()
            self._flush()
            self.gate.metering.hand_back()
            await self.pool.close()
            self.control.close()

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            self._flush()

    async def _sweep(self, server: uvicorn.Server) -> None:
        is_announced = False
        while True:
            await asyncio.sleep(SWEEP_S if is_announced else START_POLL_S)
            if not is_announced:
                if server.started:
                    is_announced = True
                    self.control.ready()
                continue
            now = time.monotonic()
            connections = server.server_state.connections
            for connection in list(connections):
                if isinstance(connection, InferenceProtocol):
                    connection.check_time(now)
            rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            checks = self.checks
            load = Load(
                in_flight=len(self.gate.active) - checks.in_flight,
                connections=len(connections),
                rss_bytes=rss,
                checks=checks.in_flight,
                checks_dropped=checks.num_dropped,
            )
            self.control.tell(load)
            self.sharing.tell()
            self.gate.metering.round()
            self.probes.round()


def _spare_the_collector() -> None:
    """Requests leave no cycles behind, so the cycle collector need not look often (10 % of CPU otherwise)."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()  # `process.py` let it rest


def _ingress() -> Ingress:
    default = voice(openai_chat.CHAT.dialect)
    assert default is not None
    return Ingress([openai_chat.CHAT.dialect], default, known_dialects)
