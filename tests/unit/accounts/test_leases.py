"""Leases over a book: workers, a ledger and messages under way, in any order that can come about.

The model is the slow truth beside it: what callers were really charged, and what the ledger has of it.
"""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from wicket.accounts.lease_book import EXPIRY_MS, LeaseBook, Words
from wicket.accounts.lease_words import LAST, RECALLED, Note, Settled, Word
from wicket.accounts.leases import Lease
from wicket.accounts.meters import CONCURRENT, DAY, MINUTE, NANOS, REQUESTS, TOKENS, Meter, credit_meter
from wicket.accounts.stock import MINUTE_MS, Moment

DAY_MS = 86_400_000
WORKERS = 3
OVERDRAFT = 5


class Request:
    """One that waits, or is under way with what it holds."""

    def __init__(self, need: int, least: int) -> None:
        self.need = need
        self.least = least


class Worker:
    """A worker's side of one meter, and the lines to and from the supervisor."""

    def __init__(self, holder: int, meter: Meter) -> None:
        self.holder = holder
        self.lease: Lease[Request] = Lease(meter)
        self.up: deque[Note | list[Settled]] = deque()
        self.down: deque[Word] = deque()
        self.running: list[Request] = []
        self.refused = 0

    def ask(self, request: Request, now_ms: int) -> None:
        if self.lease.free >= request.need and not self.lease.waiting:
            self.admit(request, now_ms)
            return
        self.lease.waiting.append(request)
        self.ask_for_more(now_ms)

    def ask_for_more(self, now_ms: int) -> None:
        lease = self.lease
        if lease.waiting and not lease.is_asking:
            head = lease.waiting[0]
            self.up.append(lease.ask(head.need, head.least, len(lease.waiting), now_ms))

    def admit(self, request: Request, now_ms: int) -> None:
        self.lease.take(request.need)
        self.running.append(request)
        if self.lease.is_low():
            self.up.append(self.lease.ahead(request.need, now_ms))

    def pump(self, now_ms: int) -> None:
        lease = self.lease
        while lease.waiting and lease.free >= lease.waiting[0].need:
            self.admit(lease.waiting.popleft(), now_ms)
        self.ask_for_more(now_ms)

    def hear(self, word: Word, now_ms: int) -> None:
        lease = self.lease
        lease.hear(word, now_ms)
        if word.kind == RECALLED:
            self.up.append(lease.give_back(is_answer=True))
            return
        if word.kind == LAST and lease.waiting:
            head = lease.waiting[0]
            head.need = min(head.need, max(1, lease.free))
        if lease.denied is word and lease.waiting:
            lease.waiting.popleft()
            self.refused += 1
        self.pump(now_ms)

    def settle(self, request: Request, actual: int, now_ms: int) -> None:
        self.running.remove(request)
        self.lease.put(request.need, actual)
        drawn = self.lease.take_drawn()
        if drawn is not None:
            self.up.append([drawn])
        self.pump(now_ms)


class Ledger(RuleBasedStateMachine):
    """Common to all meters: requests, messages, deaths and clocks."""

    meter = credit_meter("key:1")
    start = 0
    needs = st.integers(1, 60)

    def __init__(self) -> None:
        super().__init__()
        self.now = Moment(mono_ms=1_000_000, unix_ms=20_000 * DAY_MS + 1_000)
        self.book = LeaseBook(OVERDRAFT)
        self.workers: list[Worker] = []
        self.num_holders = 0
        self.uncommitted: deque[tuple[Worker, list[Settled]]] = deque()
        self.used = 0  # what callers used, known to the ledger or on its way there
        self.lost = 0  # what died with a worker, which nobody charges

    @initialize()
    def begin(self) -> None:
        self.book.put(self.meter, self.now)
        for _ in range(WORKERS):
            self.hire()

    def hire(self) -> None:
        self.num_holders += 1
        self.book.join(self.num_holders)
        self.workers.append(Worker(self.num_holders, self.meter))

    def send(self, words: Words) -> None:
        for holder, word in words:
            for worker in self.workers:
                if worker.holder == holder:
                    worker.down.append(word)

    @rule(which=st.integers(0, WORKERS - 1), need=needs, share=st.integers(1, 4))
    def come(self, which: int, need: int, share: int) -> None:
        self.workers[which].ask(Request(need, max(1, need // share)), self.now.mono_ms)

    @rule(which=st.integers(0, WORKERS - 1), place=st.integers(0, 9), percent=st.integers(0, 100))
    def end(self, which: int, place: int, percent: int) -> None:
        worker = self.workers[which]
        if worker.running:
            request = worker.running[place % len(worker.running)]
            actual = self.actual(request.need, percent)
            self.used += actual
            worker.settle(request, actual, self.now.mono_ms)

    def actual(self, need: int, percent: int) -> int:
        return need * percent // 100

    @rule(which=st.integers(0, WORKERS - 1))
    def carry_up(self, which: int) -> None:
        worker = self.workers[which]
        if worker.up:
            self.take(worker, worker.up.popleft())

    def take(self, worker: Worker, message: Note | list[Settled]) -> None:
        if isinstance(message, Note):
            self.send(self.book.hear(worker.holder, message, self.now))
        else:
            self.uncommitted.append((worker, message))

    @rule(which=st.integers(0, WORKERS - 1))
    def carry_down(self, which: int) -> None:
        worker = self.workers[which]
        if worker.down:
            worker.hear(worker.down.popleft(), self.now.mono_ms)

    @rule()
    def commit(self) -> None:
        if self.uncommitted:
            worker, settled = self.uncommitted.popleft()
            for one in settled:
                self.book_it(one.amount)
                self.send(self.book.settle(worker.holder, one.meter, one.amount, self.now))

    def book_it(self, amount: int) -> None:
        raise NotImplementedError

    @rule(which=st.integers(0, WORKERS - 1))
    def idle(self, which: int) -> None:
        note = self.workers[which].lease.report()
        if note is not None:
            self.workers[which].up.append(note)

    @rule(which=st.integers(0, WORKERS - 1), keeps=st.booleans())
    def crash(self, which: int, keeps: bool) -> None:
        """kill -9. What it had said is heard (`keeps`), or its last words are lost."""
        worker = self.workers.pop(which)
        for message in worker.up:
            if keeps:
                self.take(worker, message)
            elif not isinstance(message, Note):
                self.lost += sum(one.amount for one in message)
        self.send(self.book.lose(worker.holder, self.now))
        self.hire()

    @rule(ms=st.sampled_from([1, 20, 600, 1_000, 15_000]))
    def wait(self, ms: int) -> None:
        self.now = Moment(self.now.mono_ms + ms, self.now.unix_ms + ms)
        self.send(self.book.tick(self.now))

    @rule(ms=st.sampled_from([-90_000_000, -3_600_000, -5_000, 5_000]))
    def jump(self, ms: int) -> None:
        """Somebody sets the clock; the other one jumps as well, which it should never do."""
        self.now = Moment(max(0, self.now.mono_ms + min(ms, 0)), self.now.unix_ms + ms)
        self.send(self.book.tick(self.now))

    def settle_everything(self) -> None:
        """Requests end, messages arrive, all is committed, leases go back and expire."""
        for _ in range(200):
            for worker in self.workers:
                while worker.down:
                    worker.hear(worker.down.popleft(), self.now.mono_ms)
                for request in tuple(worker.running):
                    self.used += self.actual(request.need, 50)
                    worker.settle(request, self.actual(request.need, 50), self.now.mono_ms)
                while worker.up:
                    self.take(worker, worker.up.popleft())
            while self.uncommitted:
                self.commit()
            self.now = Moment(self.now.mono_ms + 700, self.now.unix_ms + 700)
            self.send(self.book.tick(self.now))
        for worker in self.workers:
            assert not worker.lease.waiting, "somebody waits for ever"
        for _ in range(3):
            for number in range(len(self.workers)):
                self.idle(number)
                while self.workers[number].up:
                    self.carry_up(number)
                while self.workers[number].down:
                    self.carry_down(number)
        self.now = Moment(self.now.mono_ms + EXPIRY_MS, self.now.unix_ms + EXPIRY_MS)
        self.send(self.book.tick(self.now))

    def teardown(self) -> None:
        if self.workers:
            self.settle_everything()
            self.finish()

    def finish(self) -> None:
        stock = self.book.stock(self.meter.id)
        assert stock is not None
        assert not any(stock.out.values()), "a lease for ever"


class Credit(Ledger):
    """A prepaid credit: what is charged never exceeds what was paid by more than the overdraft."""

    def __init__(self) -> None:
        super().__init__()
        self.paid = 0
        self.charged = 0

    @initialize(nanos=st.integers(0, 80))
    def begin(self, nanos: int = 0) -> None:
        super().begin()
        self.top_up(nanos)

    @rule(nanos=st.integers(1, 30))
    def top_up(self, nanos: int) -> None:
        self.paid += nanos
        self.tell()

    def book_it(self, amount: int) -> None:
        self.charged += amount
        self.tell()

    def tell(self) -> None:
        self.send(self.book.set_balance(self.meter.id, self.paid - self.charged, self.now))

    @invariant()
    def never_beyond_the_bound(self) -> None:
        """Everything held and used together: whatever the requests under way come to, it is within."""
        held = sum(request.need for worker in self.workers for request in worker.running)
        assert self.used - self.lost + held <= self.paid + OVERDRAFT

    def finish(self) -> None:
        super().finish()
        assert self.charged == self.used - self.lost
        stock = self.book.stock(self.meter.id)
        assert stock is not None and stock.free(self.now) == self.paid - self.charged


class DayBudget(Ledger):
    """A hard budget per day, in UTC."""

    meter = Meter("budget:1", "team:1", NANOS, 200, DAY)

    def __init__(self) -> None:
        super().__init__()
        self.in_day: dict[int, int] = {}

    def book_it(self, amount: int) -> None:
        self.book.count(self.meter.id, amount, self.now.unix_ms, self.now)

    def finish(self) -> None:
        super().finish()
        stock = self.book.stock(self.meter.id)
        assert stock is not None and stock.free(self.now) == self.meter.amount - stock.spent

    @invariant()
    def what_is_out_was_free(self) -> None:
        stock = self.book.stock(self.meter.id)
        if stock is not None:
            held = sum(request.need for worker in self.workers for request in worker.running)
            assert held <= self.meter.amount


class Places(Ledger):
    """Requests at once: exact."""

    meter = Meter("limit:1", "key:1", CONCURRENT, 5)
    needs = st.just(1)

    def actual(self, need: int, percent: int) -> int:
        return 0

    def book_it(self, amount: int) -> None:
        raise AssertionError("requests at once are never in the ledger")

    @invariant()
    def never_more_at_once(self) -> None:
        assert sum(len(worker.running) for worker in self.workers) <= self.meter.amount


class Bucket(Ledger):
    """Requests per minute: what is admitted is within a full bucket and what flowed in since."""

    meter = Meter("limit:1", "key:1", REQUESTS, 30, MINUTE)
    needs = st.just(1)

    def __init__(self) -> None:
        super().__init__()
        self.elapsed_ms = 0

    def actual(self, need: int, percent: int) -> int:
        return need

    def book_it(self, amount: int) -> None:
        raise AssertionError("a bucket is not in the ledger")

    @rule(ms=st.sampled_from([1, 20, 600, 1_000, 15_000]))
    def wait(self, ms: int) -> None:
        self.elapsed_ms += ms
        super().wait(ms)

    @rule(ms=st.sampled_from([-90_000_000, -3_600_000, -5_000]))
    def jump(self, ms: int) -> None:
        super().jump(ms)

    @invariant()
    def within_the_bucket(self) -> None:
        running = sum(len(worker.running) for worker in self.workers)
        flowed = self.elapsed_ms * self.meter.amount // MINUTE_MS
        assert self.used + running <= self.meter.amount + flowed

    def finish(self) -> None:
        super().finish()
        stock = self.book.stock(self.meter.id)
        assert stock is not None
        stock.free(self.now)  # the clock may have gone back since it was last looked at
        self.now = Moment(self.now.mono_ms + MINUTE_MS, self.now.unix_ms + MINUTE_MS)
        assert stock.free(self.now) == self.meter.amount


class TokenBucket(Bucket):
    """Tokens per minute: the bound is counted, and corrected at the end."""

    meter = Meter("limit:1", "key:1", TOKENS, 100, MINUTE)
    needs = st.integers(1, 60)

    def actual(self, need: int, percent: int) -> int:
        return need * percent // 100

    @invariant()
    def within_the_bucket(self) -> None:
        held = sum(request.need for worker in self.workers for request in worker.running)
        flowed = self.elapsed_ms * self.meter.amount // MINUTE_MS
        assert self.used + held <= self.meter.amount + flowed


STEPS = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestCredit = Credit.TestCase
TestDayBudget = DayBudget.TestCase
TestPlaces = Places.TestCase
TestBucket = Bucket.TestCase
TestTokenBucket = TokenBucket.TestCase
for case in (TestCredit, TestDayBudget, TestPlaces, TestBucket, TestTokenBucket):
    case.settings = STEPS
del case  # or it would be found as a test of its own
