"""The engines: a process each, kept alive, its readiness told to whoever wants to know."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from wicket.config.schema import Engine
from wicket.errors import EngineFault
from wicket.supervisor.backoff import Backoff
from wicket.supervisor.children import Child, Children
from wicket.supervisor.crew import describe_exit
from wicket.supervisor.messages import EngineState
from wicket.supervisor.probe import LOADING, Readiness, ask_ready

LOADING_POLL_S = 0.05
READY_POLL_S = 1.0
SWITCH_LIMIT_S = 30.0  # how long a reload waits for a new engine before it takes the old one away
MAX_SOCKET_BYTES = 100  # the kernel's limit is 108 on Linux and 104 on macOS (unix(7), unix(4))

Command = Callable[[Engine, Path], list[str]]

_log = logging.getLogger("wicket.supervisor")


class EngineProcess:
    """One engine: `state` changes are reported to `on_change`."""

    def __init__(self, spec: Engine, socket: Path, on_change: Callable[[EngineProcess], None]) -> None:
        self.spec = spec
        self.socket = socket
        self.readiness = LOADING
        self.load_s = 0.0
        self.restarts = 0
        self.settled = asyncio.Event()
        self._on_change = on_change
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process, 0 while there is none."""
        return self._child.pid if self._child is not None and not self._child.ended.done() else 0

    def message(self) -> EngineState:
        """Its state as the workers are told."""
        return EngineState(self.spec.name, self.readiness.state, self.readiness.message)

    def start(self, children: Children, command: list[str], environ: Mapping[str, str]) -> None:
        """Start it and keep it alive until `stop`."""
        self._task = asyncio.create_task(self._keep(children, command, environ))

    def refuse(self, message: str) -> None:
        """It can't be started at all."""
        self._become(Readiness("failed", message))

    async def stop(self, grace_s: float) -> None:
        """Let it finish within `grace_s` seconds, then it is ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._child is not None:
            await self._child.end(grace_s)
        self.socket.unlink(missing_ok=True)

    async def _keep(self, children: Children, command: list[str], environ: Mapping[str, str]) -> None:
        backoff = Backoff()
        while True:
            self.socket.unlink(missing_ok=True)
            started_s = time.monotonic()
            try:
                self._child = child = children.start(command, environ=environ)
            except OSError as error:
                self._become(Readiness("failed", f"its process can't be started: {error.strerror}"))
                await asyncio.sleep(backoff.after(0))
                continue
            await self._follow(child, started_s)
            what = f"the engine {self.spec.name} {describe_exit(await asyncio.shield(child.ended))}"
            delay_s = backoff.after(child.lived_s)
            self.restarts += 1
            _log.error("%s; it starts again %s", what, f"in {delay_s:g} s" if delay_s else "now")
            is_storm = backoff.failures > 3
            self._become(Readiness("failed", f"{what}, {backoff.failures} times") if is_storm else LOADING)
            await asyncio.sleep(delay_s)

    async def _follow(self, child: Child, started_s: float) -> None:
        while not child.ended.done():
            readiness = await ask_ready(self.socket)
            if readiness.state == "ready" and self.readiness.state != "ready":
                self.load_s = time.monotonic() - started_s
            if not child.ended.done():
                self._become(readiness)
            pause_s = LOADING_POLL_S if readiness.state == "loading" else READY_POLL_S
            await asyncio.wait([child.ended], timeout=pause_s)

    def _become(self, readiness: Readiness) -> None:
        if readiness.state != "loading":
            self.settled.set()
        if readiness != self.readiness:
            self.readiness = readiness
            self._on_change(self)


class Engines:
    """All engines by name. `on_change` hears of each change of an engine that is in force."""

    def __init__(
        self,
        children: Children,
        command: Command,
        environ: Mapping[str, str],
        run_folder: Path,
        on_change: Callable[[EngineProcess], None],
    ) -> None:
        self._children = children
        self._command = command
        self._environ = environ
        self._folder = _socket_folder(run_folder)
        self._on_change = on_change
        self._generation = 0
        self._retiring: set[asyncio.Task[None]] = set()
        self.current: dict[str, EngineProcess] = {}

    @property
    def sockets(self) -> dict[str, str]:
        """The Unix socket of each engine in force."""
        return {name: str(engine.socket) for name, engine in self.current.items()}

    def start(self, specs: Mapping[str, Engine]) -> None:
        """Start them; returns at once."""
        for name, spec in specs.items():
            self.current[name] = self._begin(spec)

    async def change(self, specs: Mapping[str, Engine], grace_s: float) -> Callable[[], None]:
        """Bring the engines to `specs`. Changed ones run beside the old ones until they are settled.

        When this returns, the new ones are in force; call the result once the workers know, and those that
        nobody needs any more finish what they are doing and end.
        """
        fresh = {
            name: self._begin(spec)
            for name, spec in specs.items()
            if name not in self.current or self.current[name].spec != spec
        }
        settling = [asyncio.create_task(engine.settled.wait()) for engine in fresh.values()]
        if settling:
            _, late = await asyncio.wait(settling, timeout=SWITCH_LIMIT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        old = [engine for name, engine in self.current.items() if name in fresh or name not in specs]
        self.current = {name: fresh.get(name) or self.current[name] for name in specs}

        def retire() -> None:
            for engine in old:
                task = asyncio.create_task(engine.stop(grace_s))
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)

        return retire

    async def close(self, grace_s: float) -> None:
        """Stop all of them."""
        stopping = [engine.stop(grace_s) for engine in self.current.values()]
        await asyncio.gather(*stopping, *self._retiring)
        if self._folder.name.startswith("wicket-"):
            self._folder.rmdir()

    def _begin(self, spec: Engine) -> EngineProcess:
        self._generation += 1
        socket = self._folder / f"engine-{self._generation}.sock"
        engine = EngineProcess(spec, socket, self._report)
        try:
            command = self._command(spec, socket)
        except EngineFault as fault:
            engine.refuse(str(fault))
        else:
            engine.start(self._children, command, self._environ)
        return engine

    def _report(self, engine: EngineProcess) -> None:
        if self.current.get(engine.spec.name) is engine:
            self._on_change(engine)


def _socket_folder(run_folder: Path) -> Path:
    """`run_folder`, or a private short one when paths in it would be too long for a socket's address."""
    if len(bytes(run_folder)) + 24 <= MAX_SOCKET_BYTES:
        return run_folder
    return Path(tempfile.mkdtemp(prefix="wicket-"))
