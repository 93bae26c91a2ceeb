"""Limits, budgets and credits between the workers: the book of leases, on the loop, and who hears what of it.

What was spent is what the ledger has: read once at the start, then kept by its commits. A worker's lease gets
smaller by what its requests drew only once those are committed, so nothing is counted in neither place.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from wicket.accounts.callers import Caller
from wicket.accounts.lease_book import RECALL_MS, LeaseBook, Words, told
from wicket.accounts.lease_words import RECALLED, Note, Settled
from wicket.accounts.meters import FIXED, NANOS, REQUESTS, Meter, counts_for, credit_meter
from wicket.accounts.record import Record
from wicket.accounts.scopes import scopes_of
from wicket.accounts.stock import Moment, Stock
from wicket.accounts.windows import window_at
from wicket.store.limits_contract import LimitStore, Spent
from wicket.supervisor.messages import LeaseWords, Meters, ToWorker
from wicket.supervisor.treasury import Treasury

if TYPE_CHECKING:
    from wicket.supervisor.crew import Crew
    from wicket.supervisor.worker import Worker

ROUND_S = 1.0
_CHECK = "chat.check"
_MINUTE_MS = 60_000

Sums = dict[tuple[int, str, str, int], list[int]]  # key, model, deployment, minute → requests, tokens, nanos

_log = logging.getLogger("wicket.supervisor")


class Allowances:
    """One per supervisor; `crew` is set before the first worker starts.

    `redress` is called when other meters count for callers than before.
    """

    def __init__(self, treasury: Treasury, redress: Callable[[], None]) -> None:
        self.crew: Crew
        self.book = LeaseBook()
        self.meters: dict[str, Meter] = {}
        self._by_scope: dict[str, list[str]] = {}
        self._treasury = treasury
        self._redress = redress
        self._holders: dict[int, tuple[int, Worker]] = {}  # worker's index → its number in the book
        self._num_holders = 0
        self._scopes: dict[int, tuple[str, ...]] = {}  # key → what its requests count for, also once revoked
        self._warnings: dict[str, bool] = {}
        self._soft: set[str] = set()
        self._unsettled: list[tuple[int, Sequence[Settled]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.used_up: Callable[[Meter, int], None] = lambda meter, unix_ms: None  # hears of soft budgets
        treasury.subscribe(self._balance_is)

    # what there is

    def load(self, store: LimitStore, callers: Iterable[Caller]) -> None:
        """Read all limits and what was spent; blocks. Nothing is committed meanwhile."""
        for caller in callers:
            self.know(caller)
        found = store.meters()
        now = _now()
        read: dict[int, Sequence[Spent]] = {}
        for meter in found:
            self._keep(meter, now)
            since_ms = window_at(meter.window, meter.zone, now.unix_ms)[0]
            if meter.window in FIXED:
                if since_ms not in read:
                    read[since_ms] = store.spent(since_ms)
                self.book.count(meter.id, self.sum_of(meter, read[since_ms]), now.unix_ms, now)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commits are told on this loop from now on."""
        self._loop = loop

    def know(self, caller: Caller) -> None:
        """A key whose requests may be committed."""
        self._scopes[caller.key_id] = scopes_of(caller)

    def meters_of(self, caller: Caller) -> tuple[str, ...]:
        """The ids of what a caller's requests are counted against, nearest first."""
        credit = self._treasury.payer(caller)
        found = [id for scope in scopes_of(caller) for id in self._by_scope.get(scope, ()) if id != credit]
        return (*found, credit) if credit in self.meters else tuple(found)

    def put(self, meter: Meter, spent: int) -> None:
        """A limit or budget that is new or has another amount; `spent` counts if it is new."""
        now = _now()
        is_new = meter.id not in self.meters
        words = self._keep(meter, now)
        if is_new and meter.window in FIXED:
            self.book.count(meter.id, spent, now.unix_ms, now)
        self._tell(Meters(meters=[meter]))
        if is_new:
            self._redress()
        self._send(words)
        self._look_at_budgets()

    def remove(self, id: str) -> None:
        """A limit or budget is no more."""
        meter = self.meters.pop(id, None)
        if meter is None:
            return
        self._by_scope[meter.scope].remove(id)
        self._warnings.pop(id, None)
        self._soft.discard(id)
        self._send(self.book.remove(id))
        self._redress()
        self._tell(Meters(removed=[id]))

    def stock(self, id: str) -> tuple[Stock, Moment] | None:
        """How a meter stands now."""
        found = self.book.stock(id)
        return None if found is None else (found, _now())

    def sum_of(self, meter: Meter, spent: Iterable[Spent]) -> int:
        """What of that counts for a meter."""
        return sum(
            _counted(meter.unit, one.requests, one.tokens, one.charge_nanos)
            for one in spent
            if meter.scope in self._scopes.get(one.key_id, ())
            and counts_for(meter, one.model, one.deployment)
        )

    # workers

    def greet(self, worker: Worker) -> None:
        """A new worker hears of all meters before it hears of any caller."""
        self._num_holders += 1
        self._holders[worker.index] = (self._num_holders, worker)
        self.book.join(self._num_holders)
        worker.channel.send(self.message())

    def message(self) -> Meters:
        """All meters."""
        return Meters(meters=list(self.meters.values()), is_whole=True, warnings=dict(self._warnings))

    def hear(self, worker: Worker, notes: Sequence[Note]) -> None:
        """What a worker asks for and gives back."""
        held = self._holders.get(worker.index)
        if held is None or held[1] is not worker:
            return
        now = _now()
        words: Words = []
        for note in notes:
            words += self.book.hear(held[0], note, now)
        self._send(words)

    def committed(self, worker: Worker, settled: Sequence[Settled]) -> None:
        """What a worker's leases were drawn for is in the ledger; the balances that this made come behind."""
        held = self._holders.get(worker.index)
        if settled and held is not None and held[1] is worker:
            self._unsettled.append((held[0], settled))

    def _settle(self, now: Moment) -> None:
        unsettled, self._unsettled = self._unsettled, []
        words: Words = []
        for holder, settled in unsettled:
            for one in settled:
                words += self.book.settle(holder, one.meter, one.amount, now)
        self._send(words)

    async def watch(self) -> None:
        """For ever: the dead are noticed, their leases return, soft budgets are looked at."""
        while True:
            await asyncio.sleep(ROUND_S)
            self._bury()
            self._send(self.book.tick(_now()))
            self._look_at_budgets()

    def _bury(self) -> None:
        living = {worker.index: worker for worker in self.crew.workers}
        for index, (holder, worker) in tuple(self._holders.items()):
            if living.get(index) is not worker:
                del self._holders[index]
                self._send(self.book.lose(holder, _now()))

    # the ledger

    def hear_commit(self, batch: Sequence[Record]) -> None:
        """In the writer's thread, as the last of its listeners: what a batch comes to.

        So on the loop `_count` runs behind what follows from the same commit: confirmations and balances.
        """
        sums: Sums = {}
        for record in batch:
            if not record.key_id or record.api == _CHECK:
                continue
            deployment, usage = record.deployment, record.usage
            minute = (record.id >> 21) // _MINUTE_MS
            row = sums.setdefault(
                (record.key_id, record.model if deployment else "", deployment, minute), [0, 0, 0]
            )
            row[0] += 1
            row[1] += usage.input_tokens + usage.output_tokens
            row[2] += record.charge_nanos
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._count, sums)

    def _count(self, sums: Sums) -> None:
        now = _now()
        for (key_id, model, deployment, minute), row in sums.items():
            for scope in self._scopes.get(key_id, ()):
                for id in self._by_scope.get(scope, ()):
                    meter = self.meters[id]
                    if meter.window in FIXED and counts_for(meter, model, deployment):
                        self.book.count(id, _counted(meter.unit, *row), minute * _MINUTE_MS, now)
        self._settle(now)
        self._look_at_budgets()

    def _balance_is(self, scope: str, nanos: int) -> None:
        meter, now = credit_meter(scope), _now()
        is_new = meter.id not in self.meters
        if is_new:
            self.meters[meter.id] = meter
            self.book.put(meter, now)
            self._tell(Meters(meters=[meter]))
        self._send(self.book.set_balance(meter.id, nanos, now))
        if is_new:
            self._redress()

    def _look_at_budgets(self) -> None:
        """Soft budgets that are used up from now on, or not any more."""
        changed: dict[str, bool] = {}
        now = _now()
        for id in self._soft:
            if (stock := self.book.stock(id)) is not None:
                is_used_up = stock.level(now) <= 0
                if is_used_up != self._warnings.get(id, False):
                    changed[id] = self._warnings[id] = is_used_up
        for id, is_used_up in changed.items():
            if is_used_up:
                _log.warning("the budget %s of %s per %s is used up", id, *_named(self.meters[id]))
                self.used_up(self.meters[id], now.unix_ms)
        if changed:
            self._tell(Meters(warnings=changed))

    def _keep(self, meter: Meter, now: Moment) -> Words:
        if meter.id not in self.meters:
            self._by_scope.setdefault(meter.scope, []).append(meter.id)
        self.meters[meter.id] = meter
        if meter.is_soft:
            self._soft.add(meter.id)
        return self.book.put(meter, now)

    def _tell(self, message: ToWorker) -> None:
        if hasattr(self, "crew"):
            self.crew.tell(message)

    def _send(self, words: Words) -> None:
        if not words:
            return
        by_holder = told(words)
        for holder, worker in tuple(self._holders.values()):
            if holder in by_holder:
                worker.channel.send(LeaseWords(by_holder[holder]))
        if any(word.kind == RECALLED for _, word in words):
            late_s = RECALL_MS / 1_000 + 0.01
            asyncio.get_running_loop().call_later(late_s, self._late)

    def _late(self) -> None:
        self._send(self.book.tick(_now()))


def spent_now(store: LimitStore, meter: Meter, scopes: Mapping[int, Sequence[str]]) -> int:
    """What the ledger has for a meter in its window; blocks."""
    since_ms = window_at(meter.window, meter.zone, _now().unix_ms)[0]
    return sum(
        _counted(meter.unit, one.requests, one.tokens, one.charge_nanos)
        for one in store.spent(since_ms)
        if meter.scope in scopes.get(one.key_id, ()) and counts_for(meter, one.model, one.deployment)
    )


def _counted(unit: str, requests: int, tokens: int, nanos: int) -> int:
    return nanos if unit == NANOS else requests if unit == REQUESTS else tokens


def _named(meter: Meter) -> tuple[str, str]:
    return meter.scope, meter.window


def _now() -> Moment:
    return Moment(mono_ms=time.monotonic_ns() // 1_000_000, unix_ms=time.time_ns() // 1_000_000)
