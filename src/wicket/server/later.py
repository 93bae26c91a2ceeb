"""A worker's part in what a provider makes in the background: to note it, to look, to say what came.

What is over is settled by the supervisor, exactly once (`supervisor.dues`), whoever sees it first: a stream's
end, a caller who asks for the answer, or a visit that the supervisor asks for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from wicket.accounts.late import Outcome
from wicket.dialects.contract import LaterDialect, Progress, module
from wicket.errors import Fault
from wicket.gateway.later import usage_in
from wicket.server.settling import settling
from wicket.state.kept import BATCH, KeptDue
from wicket.state.seal import Pin

if TYPE_CHECKING:
    from wicket.server.app_house import House

GONE = "answer_gone"  # the provider knows it no more, so nobody learns what it used
MAX_VISITS = 8  # at a time
_log = logging.getLogger("wicket.server")

Ask = Callable[[str, dict[str, Any], int], Awaitable[Any]]


class Later:
    """One worker's. `ask` asks the supervisor."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(MAX_VISITS)

    def add(self, due: KeptDue, done: Callable[[Fault | None], None]) -> None:
        """See `later_reply.Notes`."""
        self._spawn(self._add(due, done))

    def settle(self, due: KeptDue, progress: Progress) -> None:
        """See `later_reply.Notes`. If it can't be said now, the next visit finds it."""
        self._spawn(self._settle(due, outcome_of(progress)))

    def visit(self, house: House, due: KeptDue) -> None:
        """Look how far it is."""
        self._spawn(self._visit(house, due))

    async def _add(self, due: KeptDue, done: Callable[[Fault | None], None]) -> None:
        fault = None
        try:
            await self._ask("dues.add", {"due": msgspec.msgpack.encode(due)}, 0)
        except Fault as found:
            _log.error("an answer in the background was not noted: %s", found.message)
            fault = found
        done(fault)

    async def _settle(self, due: KeptDue, outcome: Outcome) -> None:
        try:
            await self._ask("dues.settle", settling(due.tenant, due.id, outcome), 0)
        except Fault as fault:
            _log.warning("what was made in the background is not settled yet: %s", fault.message)

    async def _visit(self, house: House, due: KeptDue) -> None:
        """Nothing is said of what can't be seen now: the supervisor asks again."""
        from wicket.server.kept_query import asked_there, home_of  # the first answers do without cold routes

        seal = house.seal
        if seal is None:
            return
        if due.kind == BATCH:
            await self._visit_batch(house, due)
            return
        pin = Pin(due.provider, due.credential, due.remote)
        async with self._places:
            try:
                home = home_of(house, pin, seal)
                found = await asked_there(house, home, "GET", ("responses", pin.id))
                progress = cast(LaterDialect, module(home.dialect)).progress(found)
            except Fault as fault:
                if fault.status == 404:
                    await self._settle(due, Outcome(GONE))
                return
        if progress.outcome:
            await self._settle(due, outcome_of(progress))

    async def _visit_batch(self, house: House, due: KeptDue) -> None:
        from wicket.server.batch_looks import visit_batch

        async with self._places:
            try:
                await visit_batch(house, due)
            except Fault as fault:
                if fault.status == 404:
                    await self._settle(due, Outcome(GONE))

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def outcome_of(progress: Progress) -> Outcome:
    """What is settled of something that is over."""
    return Outcome(progress.outcome, progress.is_paid, progress.model, usage_in(progress))
