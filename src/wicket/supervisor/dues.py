"""What providers work on after the request was answered: looked at now and then, settled exactly once.

    added      → committed in `kept.db`, before the caller has the id
    looked at  → a worker is asked to look, more and more rarely; callers who ask look as well
    settled    → the request's record goes to the ledger; behind its commit the due is gone

The record has the number of the request, by which the ledger knows it: whatever dies in between, and whoever
settles twice, there is one record. Nothing but the due itself is kept of all this; a start looks at them all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.accounts.late import Outcome, ended
from wicket.accounts.price import Price
from wicket.accounts.record import Record
from wicket.errors import Fault, StoreFault, UpstreamBroken
from wicket.state.kept import KeptDue
from wicket.supervisor.messages import Released, Visit
from wicket.supervisor.verb import now_ms

if TYPE_CHECKING:
    from wicket.supervisor.books import Books
    from wicket.supervisor.crew import Crew
    from wicket.supervisor.keeper import Keeper

ROUND_S = 1.0
FIRST_S, MOST_S = 5.0, 60.0  # between two looks; OpenAI may let go of an answer 10 minutes after its end
MAX_VISITS = 16  # begun in one round
MAX_AGE_MS = 3 * 86_400_000  # nobody will see its end after that
LOST = "never_seen"  # the outcome of what was not seen to end by then
_PAGE = 1_000
_log = logging.getLogger("wicket.dues")


class Dues:
    """One per server. `watch` goes on for ever."""

    def __init__(self, keeper: Keeper, books: Books, crew: Crew) -> None:
        self._keeper = keeper
        self._books = books
        self._crew = crew
        self._looks: dict[int, tuple[float, float]] = {}  # request → when it is looked at next, the pause
        self._settling: dict[int, asyncio.Future[int]] = {}  # request → its charge, once that is committed
        self._turn = 0
        self._is_loaded = False
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._looks)

    async def add(self, due: KeptDue) -> None:
        """Committed when this returns. Raises `StoreFault`."""
        if await self._keeper.do(lambda store: store.add_due(due)):
            self._looks[due.record_id] = (time.monotonic() + FIRST_S, FIRST_S)

    async def settle(self, tenant: str, id: str, outcome: Outcome, *, waits: bool) -> int | None:
        """It is over: what its caller is charged, nano-USD; None if there is no such due any more.

        `waits`: not before that is committed.
        """
        due = await self.find(tenant, id)
        if due is None:
            return None
        record = _record(due, outcome)
        committed = self._settling.get(due.record_id)
        if committed is None:
            if await asyncio.to_thread(self._books.store.record, due.record_id) is not None:
                await self._end(due)  # a server that died in between had settled it
                return None
            committed = self._settling.get(due.record_id) or self._offer(due, record)
        return await asyncio.shield(committed) if waits else record.charge_nanos

    async def has(self, tenant: str, id: str) -> bool:
        """Whether this is not settled yet."""
        return await self.find(tenant, id) is not None

    async def pending(self, record_id: int) -> Record | None:
        """The record of a request whose answer is under way, as far as it is known."""
        if (self._is_loaded and record_id not in self._looks) or not self._keeper.has_store:
            return None
        due = await self._keeper.do(lambda store: store.due_of(record_id))
        return msgspec.msgpack.decode(due.record, type=Record) if due is not None else None

    async def watch(self) -> None:
        """For ever: look at what is under way."""
        await self._load()
        while True:
            await asyncio.sleep(ROUND_S)
            try:
                await self._look()
            except Fault as fault:
                _log.error("what providers work on is not looked at: %s", fault.message)

    async def find(self, tenant: str, id: str) -> KeptDue | None:
        """What is due of that id, if anything is."""
        if not self._keeper.has_store:
            return None
        return await self._keeper.do(lambda store: store.due(tenant, id))

    async def _load(self) -> None:
        after = -1
        while self._keeper.has_store:
            try:
                found = await self._keeper.do(lambda store, after=after: store.dues(after, _PAGE))  # type: ignore[misc]
            except Fault as fault:
                _log.error("what providers work on can't be read: %s", fault.message)
                await asyncio.sleep(MOST_S)
                continue
            for due in found:
                self._looks.setdefault(due.record_id, (time.monotonic(), FIRST_S))
                after = due.record_id
            if len(found) < _PAGE:
                break
        self._is_loaded = True

    async def _look(self) -> None:
        now_s = time.monotonic()
        late = sorted([(at_s, number) for number, (at_s, _) in self._looks.items() if at_s <= now_s])
        workers = [worker for worker in self._crew.workers if worker.state == "ready"]
        for _, number in late[:MAX_VISITS] if workers else ():
            due = await self._keeper.do(lambda store, number=number: store.due_of(number))  # type: ignore[misc]
            if due is None:
                self._looks.pop(number, None)
                continue
            pause_s = min(MOST_S, 2 * self._looks[number][1])
            self._looks[number] = (now_s + pause_s, pause_s)
            if now_ms() - due.created_ms > MAX_AGE_MS:
                await self.settle(due.tenant, due.id, Outcome(LOST), waits=False)
                continue
            self._turn += 1
            workers[self._turn % len(workers)].channel.send(Visit(due))

    def _offer(self, due: KeptDue, record: Record) -> asyncio.Future[int]:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._settling[due.record_id] = done

        def confirm() -> None:
            done.set_result(record.charge_nanos)
            self._crew.tell(Released([due.record_id]))
            self._spawn(self._end(due))

        self._books.offer([record], confirm)
        return done

    async def _end(self, due: KeptDue) -> None:
        try:
            await self._keeper.do(lambda store: store.end_due(due.record_id))
            self._looks.pop(due.record_id, None)
        except (StoreFault, RuntimeError) as error:  # the disk, or the server's end: the next look ends it
            _log.warning("what is settled is looked at once more: %s", error)
        finally:
            self._settling.pop(due.record_id, None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _record(due: KeptDue, outcome: Outcome) -> Record:
    """The record that this comes to; counts that can't be billed are told in the outcome."""
    record = msgspec.msgpack.decode(due.record, type=Record)
    price = msgspec.msgpack.decode(due.price, type=Price) if due.price else None
    try:
        return ended(record, price, due.markup_ppm, outcome, now_ms())
    except UpstreamBroken as fault:
        return ended(record, None, 0, Outcome(fault.code), now_ms())
