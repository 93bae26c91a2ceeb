"""Where requests are held against their meters: admitted from this worker's leases, or kept waiting for more.

    enter   → taken from all meters at once, and the request goes on in the same turn
            → or it waits, without a Task, for the supervisor's word: then it goes on, or is refused
    settle  → what was held beyond what was used is free again, exactly once however the request ends

A request without meters never comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from wicket.accounts.lease_words import DENIED, LAST, RECALLED, Note, Settled, Word
from wicket.accounts.leases import Lease
from wicket.accounts.meters import NANOS, Meter
from wicket.errors import Fault, OperatorFault
from wicket.gateway.bound import Terms
from wicket.gateway.hold import Account, Hold
from wicket.gateway.refusals import refusal

if TYPE_CHECKING:
    from wicket.gateway.drive import Drive

WAIT_US = 2_000_000  # for a word of the supervisor

_MAX_ACCOUNTS = 16_384
_MAX_TERMS = 4_096
HoldLease = Lease[Hold]


class Metering:
    """One worker's. `tell` sends notes to the supervisor; times are the path's monotonic microseconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.tell: Callable[[Sequence[Note]], None] = lambda notes: None
        self.meters: dict[str, Meter] = {}
        self.leases: dict[str, HoldLease] = {}  # of the meters that some request has come to
        self.waiting: set[HoldLease] = set()  # that somebody waits for, or did
        self.is_closed = False
        self._accounts: dict[tuple[str, ...], Account] = {}
        self.drawn: list[HoldLease] = []  # whose `drawn` no message has carried yet
        self._terms: dict[tuple[int, int, str, str], Terms] = {}

    # requests

    def enter(self, drive: Drive, kind: type[Hold] = Hold) -> bool:
        """Hold the request of `drive`: whether it goes on now. Else `drive` hears later, or has been refused.

        Raises `CallerFault` for a field that bounds its answer and is wrong.
        """
        meters = drive.call.caller.meters
        account = self._accounts.get(meters)
        if account is None:
            account = self._open(meters)
        if account.has_models:
            account = account.of_models(drive.call)
        hold = kind(self, drive, account)
        short = hold.take(None)
        if short is None:
            drive.hold = hold
            for lease in account.all:
                if lease.free < lease.low and lease.is_low():
                    self.tell((lease.ahead(hold.need(lease), self.clock() // 1_000),))
            return True
        drive.hold = hold
        self._wait(hold, short)
        return False

    def terms(self, drive: Drive) -> Terms:
        """What is known of a request's plan; remembered where it is its route's own."""
        call, plan = drive.call, drive.plan
        if plan is not call.route.deployments:
            return self._make_terms(drive)
        key = (id(plan), call.route.markup_ppm, call.api.dialect, call.api.name)
        found = self._terms.get(key)
        if found is None:  # the entry keeps the plan alive, so its id stays its own
            if len(self._terms) >= _MAX_TERMS:
                self._terms.clear()
            found = self._terms[key] = self._make_terms(drive)
        return found

    def _make_terms(self, drive: Drive) -> Terms:
        call, heads, route = drive.call, drive.gate.heads, drive.call.route
        prices = []
        for one in drive.plan:
            price = heads.find(one, call.api, call.is_streamed).price
            if price is not None:
                prices.append((price, route.markup_of(one) if route.parts else route.markup_ppm))
        return Terms(drive.plan, call.api, prices)

    def forget_terms(self) -> None:
        """Another configuration."""
        self._terms.clear()

    def settled(self, leases: Iterable[HoldLease]) -> None:
        """Some of these have more that is free than before."""
        for lease in leases:
            if lease.waiting:
                self._pump(lease)

    def leave(self, hold: Hold) -> None:
        """A request that waited is over."""
        if hold.waits_for is not None:
            hold.waits_for.waiting.remove(hold)
            hold.waits_for = None

    def _wait(self, hold: Hold, lease: HoldLease) -> None:
        now_ms = self.clock() // 1_000
        if self.is_closed:
            hold.refuse(_unanswered("The server is stopping: ask again."))
            return
        denied = lease.denied
        if denied is not None and now_ms < lease.dry_ms and _is_hopeless(lease, hold, denied):
            hold.refuse(refusal(lease.meter, denied, hold.need(lease), now_ms - lease.denied_ms))
            return
        hold.waits_for = lease
        lease.waiting.append(hold)
        self.waiting.add(lease)
        if not lease.is_asking:
            self._ask(lease, now_ms)

    def _ask(self, lease: HoldLease, now_ms: int) -> None:
        hold = lease.waiting[0]
        self.tell((lease.ask(hold.need(lease), hold.least(lease), len(lease.waiting), now_ms),))

    def _pump(self, lease: HoldLease) -> None:
        """Let go who waits for `lease`, as far as there is enough now; ask for the next."""
        while lease.waiting:
            hold = lease.waiting[0]
            short = hold.take(lease)
            if short is lease:
                break
            lease.waiting.popleft()
            hold.waits_for = None
            if short is None:
                hold.go()
            else:
                self._wait(hold, short)
        if lease.waiting and not lease.is_asking:
            self._ask(lease, self.clock() // 1_000)

    # what the supervisor says

    def set_meters(self, meters: Iterable[Meter], removed: Iterable[str] = (), *, is_whole: bool) -> None:
        """Meters that are new, changed or no more. Who waits for one that is no more goes on."""
        known = {meter.id: meter for meter in meters}
        gone = [id for id in self.meters if id not in known] if is_whole else list(removed)
        self.meters |= known
        for id, meter in known.items():
            changed = self.leases.get(id)
            if changed is not None:
                changed.meter = meter
                changed.denied = None
        self._accounts.clear()
        for id in gone:
            self.meters.pop(id, None)
            lease = self.leases.pop(id, None)
            if lease is not None:
                lease.free = 1 << 62  # who has it in hand finds enough
                self._pump(lease)

    def warn(self, id: str, *, is_warning: bool) -> None:
        """A soft budget is used up, or is not any more."""
        if id in self.meters:
            self._lease(id).is_warning = is_warning

    def _lease(self, id: str) -> HoldLease:
        lease = self.leases.get(id)
        if lease is None:
            lease = self.leases[id] = Lease(self.meters[id])
        return lease

    def hear(self, words: Iterable[Word]) -> None:
        """The supervisor's words."""
        now_ms = self.clock() // 1_000
        for word in words:
            lease = self.leases.get(word.meter)
            if lease is None:
                continue
            lease.hear(word, now_ms)
            if word.kind == RECALLED:
                self.tell((lease.give_back(is_answer=True),))
                continue
            if word.kind == DENIED:
                self._deny(lease, word)
            elif word.kind == LAST and lease.waiting:
                lease.waiting[0].shorten(lease.free)
            self._pump(lease)

    def _deny(self, lease: HoldLease, word: Word) -> None:
        """Refuse those at the head of the queue whose turn would come to nothing."""
        while lease.waiting and _is_hopeless(lease, lease.waiting[0], word):
            hold = lease.waiting.popleft()
            hold.waits_for = None
            hold.refuse(refusal(lease.meter, word, hold.need(lease), 0))

    # time

    def tick(self, now_us: int) -> None:
        """The wheel turns: who has waited too long hears so."""
        if not self.waiting:
            return
        for lease in tuple(self.waiting):
            if not lease.waiting:
                self.waiting.discard(lease)
            for hold in [one for one in lease.waiting if one.drive.call.started_us + WAIT_US <= now_us]:
                self.leave(hold)
                hold.refuse(_unanswered("Whether this request is within its limits is not known in time."))

    def round(self) -> None:
        """Once a second: what is idle goes back."""
        notes = [note for lease in self.leases.values() if (note := lease.report()) is not None]
        if notes:
            self.tell(notes)

    def take_drawn(self) -> list[Settled]:
        """What goes with the records that are sent now: the records of all of it are among them or before."""
        if not self.drawn:
            return []
        leases, self.drawn = self.drawn, []
        return [one for lease in leases if (one := lease.take_drawn()) is not None]

    def redraw(self, settled: Iterable[Settled]) -> None:
        """What was to go with records that went another way goes with the next ones."""
        for one in settled:
            lease = self.leases.get(one.meter)
            if lease is not None:
                if not lease.drawn:
                    self.drawn.append(lease)
                lease.drawn += one.amount

    def close(self) -> None:
        """The supervisor is gone: nothing more is known of any limit."""
        self.is_closed = True
        for lease in tuple(self.leases.values()):
            lease.free = min(lease.free, 0)
            for hold in tuple(lease.waiting):
                self.leave(hold)
                hold.refuse(_unanswered("The server is stopping: ask again."))

    def hand_back(self) -> None:
        """The worker ends: everything that is left goes back."""
        notes = [lease.give_back(is_answer=False) for lease in self.leases.values() if lease.free > 0]
        if notes:
            self.tell(notes)

    def _open(self, meters: tuple[str, ...]) -> Account:
        if len(self._accounts) >= _MAX_ACCOUNTS:
            self._accounts.clear()
        found = [self._lease(id) for id in meters if id in self.meters]
        account = self._accounts[meters] = Account(found)
        return account


def _is_hopeless(lease: HoldLease, hold: Hold, word: Word) -> bool:
    """Whether a denial tells of this request too: as the supervisor would decide (`accounts.lease_book`)."""
    owed = max(0, -lease.free)
    need = hold.need(lease) + owed
    if need - owed <= lease.free or need <= word.free:
        return False
    return lease.meter.unit != NANOS or need <= word.level or hold.least(lease) + owed > word.free


def _unanswered(message: str) -> Fault:
    return OperatorFault("limits_unavailable", message, retry_after_ms=1_000)
