"""What every request of one worker shares, and the coarse wheel that moves time along."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from wicket.accounts.callers import CallerTable
from wicket.accounts.example import Example
from wicket.accounts.record import Record
from wicket.accounts.request_ids import RequestIds
from wicket.errors import BusyFault, OperatorFault
from wicket.gateway.cascade import Cascade
from wicket.gateway.hedges import HedgeBudget
from wicket.gateway.lanes import Lanes
from wicket.gateway.metering import Metering
from wicket.gateway.pledges import Pledges
from wicket.gateway.request import Rates, RequestHeads
from wicket.gateway.resolve import Routes
from wicket.gateway.rules import RuleBook
from wicket.gateway.tokens import Tokens
from wicket.routing.health import HealthTable
from wicket.routing.vitals import Turn
from wicket.upstream.contract import Exchange, Pool

if TYPE_CHECKING:
    from wicket.gateway.checks import Checks
    from wicket.gateway.drive import Drive

TICK_S = 0.05
LINGER_US = 5_000_000
WEIGH_EVERY = 4  # turns of the wheel


class Gate:
    """One worker's request path: its configuration, keys, connections, and what is under way."""

    def __init__(
        self,
        pool: Pool,
        worker: int,
        record: Callable[[Record], None],
        keep: Callable[[Example | str], None] = lambda example: None,
    ) -> None:
        self.pool = pool
        self.ids = RequestIds(worker)
        self.record = record
        self.keep = keep  # gets an example, or why there is none
        self.callers = CallerTable()
        self.routes: Routes | None = None
        self.rates = Rates()
        self.heads = RequestHeads(self.rates)
        self.rules = RuleBook()
        self.unready: frozenset[str] = frozenset()
        self.health = HealthTable(worker, self._turned)
        self.lanes = Lanes()
        self.tokens = Tokens(pool, self.now_us, self.unix_s)
        self.health.has_room_at = self.lanes.has_room
        self.metering = Metering(self.now_us)
        self.pledges = Pledges(self.metering)
        self.tell_turn: Callable[[Turn], None] = lambda turn: None
        self.cascades: Mapping[str, Cascade] = {}
        self.checks: Checks | None = None
        self.hedges = HedgeBudget()
        self.active: set[Drive] = set()
        self.max_active = 1_000
        self.max_held_bytes = 256 * 1024 * 1024
        self.held_bytes = 0  # of large bodies that are being read or answered, and of answers being gathered
        self._answer_bytes = 0
        self._num_turns = 0
        self.ledger_is_open = True
        self.is_draining = False
        self._lingering: list[tuple[int, Exchange]] = []
        self._timer: asyncio.TimerHandle | None = None

    @staticmethod
    def now_us() -> int:
        """The path's clock: monotonic microseconds."""
        return time.monotonic_ns() // 1_000

    @staticmethod
    def unix_s() -> int:
        """The time of day, for signatures."""
        return int(time.time())

    def configure(self, routes: Routes, max_active: int, max_held_bytes: int = 256 * 1024 * 1024) -> None:
        """Swap the configuration whole; requests under way keep the one they began with."""
        self.routes = routes
        self.heads = RequestHeads(self.rates)
        self.rules = RuleBook()
        self.metering.forget_terms()
        self.max_active = max_active
        self.max_held_bytes = max_held_bytes

    def check_room(self) -> Routes:
        """The routes in force. Raises `BusyFault` or `OperatorFault` when nothing more can be taken."""
        if len(self.active) >= self.max_active or self.held_bytes > self.max_held_bytes:
            raise overloaded()
        if not self.ledger_is_open:
            message = (
                "Requests can't be recorded (is the disk full?), so none are taken; the operator must act."
            )
            raise OperatorFault("ledger_unavailable", message, retry_after_ms=5_000)
        if self.routes is None:
            raise OperatorFault("starting", "The gateway is starting.", retry_after_ms=1_000)
        return self.routes

    def reserve(self, num_bytes: int) -> bool:
        """Count the bytes of a large body before they are there; False if they are too many."""
        if self.held_bytes + num_bytes > self.max_held_bytes:
            return False
        self.held_bytes += num_bytes
        return True

    def release(self, num_bytes: int) -> None:
        """The bytes of a body are not needed any more."""
        self.held_bytes -= num_bytes

    def linger(self, exchange: Exchange) -> None:
        """An answer that is complete for us, whose connection may still end properly and be reused."""
        self._lingering.append((self.now_us() + LINGER_US, exchange))

    def _turned(self, turn: Turn) -> None:
        self.tell_turn(turn)

    # the wheel

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the wheel: one timer for all limits of all requests."""
        self._timer = loop.call_later(TICK_S, self._turn, loop)

    def stop(self) -> None:
        """Stop the wheel."""
        if self._timer is not None:
            self._timer.cancel()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(TICK_S, self._turn, loop)
        now = self.now_us()
        for drive in [drive for drive in self.active if drive.walk.due_us <= now]:
            drive.tick(now)
        self.metering.tick(now)
        self.pledges.tick(now)
        self._num_turns += 1
        if not self._num_turns % WEIGH_EVERY:
            self._weigh()
        while self._lingering and self._lingering[0][0] <= now:
            self._lingering.pop(0)[1].cancel()

    def _weigh(self) -> None:
        """What answers hold that are not passed on yet; looked at now and then instead of at every read."""
        held = sum([each.size + each.held_bytes for drive in self.active for each in drive.attempts])
        self.held_bytes += held - self._answer_bytes
        self._answer_bytes = held


def overloaded() -> BusyFault:
    """More is under way, or held in memory, than the configuration allows."""
    message = "The gateway has as many requests under way as it takes; come back shortly."
    return BusyFault("overloaded", message, status=503, retry_after_ms=1_000)
