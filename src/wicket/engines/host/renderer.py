"""Owns the process that renders chat templates: time is bounded by killing it, the next order restarts it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import Any

from wicket.engines import link
from wicket.engines.host.template import Compile, Compiled, Failed, Order, Outcome, Render, Rendered
from wicket.errors import CallerFault, EngineFault

RENDER_S = 5.0
START_S = 30.0
_KEPT_VARIABLES = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "LD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SYSTEMROOT",
)


class Renderer:
    """Renders one template; `has_tools` tells whether the template knows tools, after `start`."""

    def __init__(self, source: str, *, render_s: float = RENDER_S) -> None:
        self._source = source
        self.render_s = render_s
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self.has_tools = False

    @property
    def pid(self) -> int | None:
        """The rendering process, None while there is none."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start and compile. Raises `EngineFault` if the template can't be used."""
        async with self._lock:
            await self._ensure()

    async def render(self, variables: dict[str, Any]) -> str:
        """The prompt. Raises `CallerFault` if the template refuses the messages, `EngineFault` otherwise."""
        async with self._lock:
            await self._ensure()
            outcome = await self._ask(Render(variables), self.render_s)
        if isinstance(outcome, Rendered):
            return outcome.text
        if isinstance(outcome, Failed) and outcome.is_refusal:
            message = f"The model's chat template refuses these messages: {outcome.message}"
            raise CallerFault("invalid_messages", message, param="messages")
        raise _broken(outcome.message if isinstance(outcome, Failed) else "it answered out of turn")

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # communicate() also closes the pipes' transports, which wait() alone would leave to the collector.
        await process.communicate()

    async def _ensure(self) -> None:
        if self._process is not None:
            return
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "wicket.engines.host.template",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        outcome = await self._ask(Compile(self._source), START_S)
        if not isinstance(outcome, Compiled):
            await self.close()
            raise _broken(outcome.message if isinstance(outcome, Failed) else "it answered out of turn")
        self.has_tools = outcome.has_tools

    async def _ask(self, order: Order, limit_s: float) -> Outcome:
        """One order, one outcome; whatever interrupts it in between ends the process, never the pairing."""
        is_answered = False
        try:
            async with asyncio.timeout(limit_s):
                outcome = await self._exchange(order)
            is_answered = True
        except TimeoutError:
            raise _broken(f"it takes longer than {limit_s:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _broken("its process ended, as when it needs too much memory") from None
        finally:
            if not is_answered:
                await self.close()
        return outcome

    async def _exchange(self, order: Order) -> Outcome:
        assert self._process is not None and self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(link.pack(order))
        await self._process.stdin.drain()
        head = await self._process.stdout.readexactly(4)
        unpacker: link.Unpacker[Outcome] = link.Unpacker(Outcome)
        body = await self._process.stdout.readexactly(int.from_bytes(head, "big"))
        return unpacker.feed(head + body)[0]


def _broken(why: str) -> EngineFault:
    return EngineFault("template_failed", f"The model's chat template can't be used: {why}.")
