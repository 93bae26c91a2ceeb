"""Owns the core process: starts it, carries commands and events, restarts it with back-off when it dies.

States: "loading" (first start, or again after a crash), "ready", "failed" (the checkpoint was refused;
it is tried again only when the file changes). A core that stops answering between steps for `stall_s`
is killed and counted as dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable
from typing import cast

import msgspec

from wicket.engines import contract, link
from wicket.engines.core import CoreConfig
from wicket.errors import EngineFault, Fault

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 30.0
STEADY_S = 30.0
CRASHES_IN_A_ROW = 3
HEARTBEAT_S = 5.0
_WATCHED = (contract.Done, contract.Scored, contract.Embedded, contract.Classified, contract.Refused)


def delay_s(crashes: int) -> float:
    """How long to wait before start number `crashes` + 1: doubling from 0.2 s to 30 s."""
    return min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** max(0, crashes - 1))


class Mailbox:
    """One request's events, for one reader; a fault put in ends it."""

    __slots__ = ("_events", "_fault", "_waiter", "ids")

    def __init__(self, ids: Iterable[int]) -> None:
        self.ids = set(ids)
        self._events: deque[contract.Event] = deque()
        self._fault: Fault | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: contract.Event) -> None:
        """Deliver an event."""
        self._events.append(event)
        self._wake()

    def fail(self, fault: Fault) -> None:
        """End with a fault, after what has been delivered."""
        self._fault = fault
        self._wake()

    def take(self) -> contract.Event | None:
        """The next event if one is there."""
        return self._events.popleft() if self._events else None

    async def next(self) -> contract.Event:
        """The next event. Raises the fault that ended the mailbox."""
        while not self._events:
            if self._fault is not None:
                raise _again(self._fault)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._events.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Channel(asyncio.Protocol):
    """The host's end of the link."""

    def __init__(self, on_event: Callable[[contract.Event], None], on_end: Callable[[str], None]) -> None:
        self._unpacker: link.Unpacker[contract.Event] = link.Unpacker(contract.Event)
        self._on_event = on_event
        self._on_end = on_end
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        try:
            events = self._unpacker.feed(data)
        except Fault:
            self._on_end("it sent what is not an event")
            return
        for event in events:
            self._on_event(event)

    def connection_lost(self, error: Exception | None) -> None:
        self._on_end("")

    def send(self, message: contract.Command) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(link.pack(message))


class CoreProcess:
    """The core as the host sees it. `find` is asked for what to load before every start."""

    def __init__(
        self,
        find: Callable[[], CoreConfig],
        on_state: Callable[[str, str], None] = lambda state, message: None,
        *,
        stall_s: float = 60.0,
        recheck_s: float = 1.0,
    ) -> None:
        self._find = find
        self._on_state = on_state
        self._stall_s = stall_s
        self._recheck_s = recheck_s
        self._mailboxes: dict[int, Mailbox] = {}
        self._next_id = 1
        self._channel: _Channel | None = None
        self._ended: asyncio.Future[str] | None = None
        self._last_event_s = 0.0
        self._crashes = 0
        self._changed = asyncio.Event()
        self.pid: int | None = None
        self.state = "loading"
        self.fault: EngineFault | None = None
        self.capabilities: contract.Capabilities | None = None

    async def run(self) -> None:
        """Keep a core alive until cancelled."""
        while True:
            try:
                await self._one_life()
            except EngineFault as fault:
                self._set("failed", fault)
                await self._until_changed()
                continue
            await asyncio.sleep(delay_s(self._crashes))

    async def ready(self, wait_s: float) -> contract.Capabilities:
        """What the loaded engine can do, waiting while it loads. Raises `EngineFault` if it can't serve."""
        try:
            async with asyncio.timeout(wait_s):
                while self.state == "loading" and self.fault is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            fault = EngineFault(
                "engine_loading", f"The model is still loading after {wait_s:g} s: try again."
            )
            fault.retry_after_ms = 5000
            raise fault from None
        if self.fault is not None:
            raise _again(self.fault)
        assert self.capabilities is not None
        return self.capabilities

    def new_ids(self, count: int) -> list[int]:
        """Command ids that were never used with this core."""
        first = self._next_id
        self._next_id += count
        return list(range(first, first + count))

    def submit(self, commands: Iterable[contract.Command]) -> Mailbox:
        """Send commands that belong to one request. Raises `EngineFault` if no core is ready."""
        commands = list(commands)
        if self._channel is None or self.state != "ready":
            raise _again(self.fault) if self.fault is not None else _crashed("before it could answer")
        mailbox = Mailbox(command.id for command in commands)
        for command in commands:
            self._mailboxes[command.id] = mailbox
            self._channel.send(command)
        return mailbox

    def release(self, mailbox: Mailbox) -> None:
        """The request is over: cancel whatever of it still runs."""
        for command_id in mailbox.ids:
            if self._mailboxes.pop(command_id, None) is not None and self._channel is not None:
                self._channel.send(contract.Cancel(command_id))

    async def _one_life(self) -> None:
        """Start a core and stay until it ends. Raises `EngineFault` if the checkpoint was refused."""
        config = self._find()
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        ours, theirs = socket.socketpair()
        with theirs:
            process = await _start(config, theirs)
        self.pid = process.pid
        _, self._channel = await loop.create_connection(
            lambda: _Channel(self._on_event, self._on_end), sock=ours
        )
        started_s = self._last_event_s = loop.time()
        try:
            reason = await self._watch(self._ended)
        finally:
            code = await self._bury(process)
        if loop.time() - started_s >= STEADY_S:
            self._crashes = 0
        self._crashes += 1
        self._lose(reason or _reason(code))

    async def _watch(self, ended: asyncio.Future[str]) -> str:
        """Why the core ended; asks it for a sign of life while it owes answers."""
        loop = asyncio.get_running_loop()
        while True:
            done, _ = await asyncio.wait([ended], timeout=min(HEARTBEAT_S, self._stall_s / 4))
            if done:
                return ended.result()
            owes = self.state == "ready" and self._mailboxes
            if not owes:
                self._last_event_s = loop.time()
            elif loop.time() - self._last_event_s > self._stall_s:
                return f"it did not answer for {self._stall_s:g} s"
            elif self._channel is not None:
                self._channel.send(contract.Describe(0))

    async def _bury(self, process: asyncio.subprocess.Process) -> int:
        if self._channel is not None and self._channel.transport is not None:
            self._channel.transport.abort()
        self._channel = None
        self.pid = None
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()

    def _on_event(self, event: contract.Event) -> None:
        self._last_event_s = asyncio.get_running_loop().time()
        if event.id == 0:
            self._on_news(event)
            return
        mailbox = self._mailboxes.get(event.id)
        if mailbox is None:
            return
        if isinstance(event, _WATCHED):
            del self._mailboxes[event.id]
        mailbox.put(event)

    def _on_news(self, event: contract.Event) -> None:
        if isinstance(event, contract.Capabilities):
            self.capabilities = event
            if self.state != "ready":
                self._set("ready", None)
        elif isinstance(event, contract.Refused) and self._ended is not None and not self._ended.done():
            self._ended.set_exception(EngineFault(event.code, event.message))

    def _on_end(self, reason: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(reason)

    def _lose(self, reason: str) -> None:
        fault = _crashed(f"({reason})")
        for mailbox in set(self._mailboxes.values()):
            mailbox.fail(fault)
        self._mailboxes.clear()
        # A first crash is usually over when the next core is up: requests wait. A series of them is not.
        self._set("loading", fault if self._crashes >= CRASHES_IN_A_ROW else None, fault.message)

    def _set(self, state: str, fault: EngineFault | None, message: str = "") -> None:
        self.state, self.fault = state, fault
        self._changed.set()
        self._on_state(state, message or (fault.message if fault is not None else ""))

    async def _until_changed(self) -> None:
        """Wait until the checkpoint that was refused has changed on disk (looked at, not notified of)."""
        before = self._fingerprint()
        while self._fingerprint() == before:  # noqa: ASYNC110
            await asyncio.sleep(self._recheck_s)
        self._set("loading", None)

    def _fingerprint(self) -> tuple[str, int, int]:
        try:
            model = self._find().model
            status = os.stat(model)
        except (Fault, OSError) as error:
            return str(error), 0, 0
        return model, status.st_mtime_ns, status.st_size


async def _start(config: CoreConfig, theirs: socket.socket) -> asyncio.subprocess.Process:
    arguments = ["--fd", str(theirs.fileno()), "--config", msgspec.json.encode(config).decode()]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "wicket.engines.core",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        pass_fds=(theirs.fileno(),),
        start_new_session=True,
    )


def _again(fault: Fault) -> Fault:
    """The same fault to raise anew: one exception raised twice would drag its old tracebacks along."""
    return type(fault)(fault.code, fault.message, status=fault.status, retry_after_ms=fault.retry_after_ms)


def _reason(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"ended with status {code}"


def _crashed(how: str) -> EngineFault:
    message = f"The engine's process failed {how}; a new one is being started. Send the request again."
    return EngineFault("engine_crashed", message, retry_after_ms=1000)
