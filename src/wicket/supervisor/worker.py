"""One worker as the supervisor sees it: its process, its channel, what it last said."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from wicket.supervisor.channel import Channel, attach
from wicket.supervisor.children import Child, Children
from wicket.supervisor.messages import Drain, Load, Ready, ToSupervisor

_decoder = msgspec.msgpack.Decoder(ToSupervisor)
IDLE = Load(in_flight=0, connections=0)


MAX_SILENT_TICKS = 30


class Pulse:
    """Notices that a worker hangs: one that once spoke every second and now says nothing.

    Ticks are counted, not time, so that a machine or a supervisor that slept blames nobody.
    """

    def __init__(self) -> None:
        self._silent_ticks: int | None = None

    def beat(self) -> None:
        """It said how it does."""
        self._silent_ticks = 0

    def tick(self) -> bool:
        """A second has passed; whether it has been silent for too long now."""
        if self._silent_ticks is None:
            return False
        self._silent_ticks += 1
        return self._silent_ticks >= MAX_SILENT_TICKS


class WorkerCommand(msgspec.Struct, frozen=True):
    """How a worker is started. `module` is run with `python -m`."""

    listener: socket.socket
    home: Path
    environ: Mapping[str, str]
    module: str = "wicket.server.process"

    def arguments(self, index: int, control_fd: int) -> list[str]:
        """The command line; both file descriptors are inherited."""
        listen_fd = self.listener.fileno()
        return [
            *(sys.executable, "-P", "-m", self.module),  # -P: a file of the current folder shadows nothing
            *("--listen-fd", str(listen_fd), "--control-fd", str(control_fd)),
            *("--index", str(index), "--home", str(self.home)),
        ]


class Worker:
    """A started worker. `index` is unique among the living (it is part of request ids)."""

    def __init__(self, index: int, child: Child) -> None:
        loop = asyncio.get_running_loop()
        self.index = index
        self.child = child
        self.channel: Channel = Channel(_decoder, self._on_message, self._on_lost)
        self.ready: asyncio.Future[None] = loop.create_future()
        self.load = IDLE
        self.pulse = Pulse()
        self.is_leaving = False
        self._silent: asyncio.Future[None] = loop.create_future()
        self._hear: Callable[[Worker, ToSupervisor], None] = lambda worker, message: None

    @property
    def state(self) -> str:
        """ "starting", "ready", "draining" or "ended"."""
        if self.child.ended.done():
            return "ended"
        if self.is_leaving:
            return "draining"
        return "ready" if self.ready.done() else "starting"

    async def listen(self, control: socket.socket, hear: Callable[[Worker, ToSupervisor], None]) -> None:
        """Begin to hear what it says on our end of its socket pair."""
        self._hear = hear
        await attach(self.channel, control)

    async def ended(self) -> int:
        """Its exit code, once it has ended and everything it had said has been heard."""
        code = await asyncio.shield(self.child.ended)
        await asyncio.wait([self._silent], timeout=5.0)
        self.channel.close()
        return code

    def drain(self, deadline_ms: int) -> None:
        """Ask it to finish and go."""
        self.is_leaving = True
        self.channel.send(Drain(deadline_ms=deadline_ms))

    def _on_message(self, message: ToSupervisor) -> None:
        if isinstance(message, Ready):
            if not self.ready.done():
                self.ready.set_result(None)
        elif isinstance(message, Load):
            self.load = message
            self.pulse.beat()
        self._hear(self, message)

    def _on_lost(self) -> None:
        self._silent.set_result(None)


def start_worker(children: Children, command: WorkerCommand, index: int) -> tuple[Worker, socket.socket]:
    """Start worker `index`; returns it with our end of its control channel, yet to be listened to.

    Raises `OSError` when no process can be started.
    """
    ours, theirs = socket.socketpair()
    try:
        child = children.start(
            command.arguments(index, theirs.fileno()),
            environ=command.environ,
            pass_fds=(command.listener.fileno(), theirs.fileno()),
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return Worker(index, child), ours
