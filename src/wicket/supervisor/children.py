"""Child processes: started in a session of their own, reaped on SIGCHLD, ended for certain.

A session of its own keeps the terminal's Ctrl-C from reaching a child: only the supervisor hears it and
tells everybody to finish.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence


class Child:
    """One running process; `ended` resolves to its exit code (negative: the signal that killed it)."""

    def __init__(self, process: subprocess.Popen[bytes], ended: asyncio.Future[int]) -> None:
        self._process = process
        self.ended = ended
        self.pid = process.pid
        self.started_s = time.monotonic()

    @property
    def lived_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_s

    def send(self, number: signal.Signals) -> None:
        """Signal it; harmless when it has ended."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def reap(self) -> bool:
        """Whether it has ended; resolves `ended` then."""
        code = self._process.poll()
        if code is None:
            return False
        if not self.ended.done():
            self.ended.set_result(code)
        return True

    async def end(self, grace_s: float) -> int:
        """SIGTERM, and SIGKILL when it is still there after `grace_s` seconds; returns the exit code."""
        self.send(signal.SIGTERM)
        return await self.wait(grace_s)

    async def wait(self, grace_s: float) -> int:
        """Its exit code; SIGKILL when it is still there after `grace_s` seconds."""
        done, _ = await asyncio.wait([self.ended], timeout=grace_s)
        if not done:
            self.send(signal.SIGKILL)
        return await asyncio.shield(self.ended)


class Children:
    """All children of this process. Made inside a running event loop in the main thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._living: list[Child] = []
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def start(
        self, command: Sequence[str], *, environ: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> Child:
        """Start `command`. Raises `OSError` when that is impossible."""
        process = subprocess.Popen(  # noqa: S603  the command is ours, never a caller's
            command,
            env=dict(environ),
            pass_fds=tuple(pass_fds),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        child = Child(process, self._loop.create_future())
        self._living.append(child)
        return child

    def close(self) -> None:
        """Stop listening for SIGCHLD; whoever is left is killed."""
        self._loop.remove_signal_handler(signal.SIGCHLD)
        for child in self._living:
            child.send(signal.SIGKILL)

    def _reap(self) -> None:
        self._living = [child for child in self._living if not child.reap()]
