"""All meters and who has a lease of what. Pure: notes of workers in, words to workers out, time passed in.

    a note that asks   → granted while something is free; else everybody else's unused lease is recalled,
                         and when all have answered (or are late) it is granted, granted in part, or denied
    a note that gives  → whoever waits first is served first

Nothing is denied while an unused lease lies with another worker that answers. A worker that asks has given
back what it had, so two that are short never hold each other up. A dead worker's lease returns after
`EXPIRY_MS`: until then what it had said last is on its way to the ledger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from wicket.accounts.lease_words import DENIED, GRANTED, LAST, RECALLED, TOLD, Note, Word
from wicket.accounts.meters import NANOS, Meter
from wicket.accounts.stock import Moment, Stock, is_returned_at_once

EXPIRY_MS = 10_000
RECALL_MS = 500  # a worker that does not answer a recall by then is passed over
OVERDRAFT_NANOS = 10_000_000  # a cent: how far the last request may take a credit below zero

Words = list[tuple[int, Word]]  # holder and what it is told


class Asking:
    """A worker that waits for an answer. `is_final`: everybody else has been asked to give back."""

    __slots__ = ("holder", "is_final", "note")

    def __init__(self, holder: int, note: Note) -> None:
        self.holder = holder
        self.note = note
        self.is_final = False


class Page:
    """One meter's page of the book."""

    __slots__ = ("asked_for", "deadline_ms", "queue", "recalled", "stock")

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self.queue: deque[Asking] = deque()
        self.asked_for: list[Asking] = []  # who waited when the recall went out
        self.recalled: set[int] = set()  # who has not answered it yet
        self.deadline_ms = 0


class LeaseBook:
    """The supervisor's. Holders are numbers that are never used twice."""

    def __init__(self, overdraft_nanos: int = OVERDRAFT_NANOS) -> None:
        self._overdraft_nanos = overdraft_nanos
        self.pages: dict[str, Page] = {}
        self._living: set[int] = set()
        self._dead: dict[int, int] = {}  # holder → in how many ms its leases return
        self._ticked_ms = 0
        self._busy: set[str] = set()  # meters that somebody waits for

    # what there is

    def put(self, meter: Meter, now: Moment) -> Words:
        """A meter that is new, or has another amount."""
        page = self.pages.get(meter.id)
        if page is None:
            self.pages[meter.id] = Page(Stock(meter, now))
            return []
        if (page.stock.meter.window, page.stock.meter.zone) != (meter.window, meter.zone):
            raise ValueError("A meter's window never changes: it is another meter then.")
        page.stock.change(meter, now)
        return self._serve(page, now)

    def remove(self, meter: str) -> Words:
        """A meter that is no more; who waits for it is let through by the worker, which hears of it too."""
        self.pages.pop(meter, None)
        return []

    def stock(self, meter: str) -> Stock | None:
        """One meter's stock, to be read."""
        page = self.pages.get(meter)
        return page.stock if page is not None else None

    def set_balance(self, meter: str, nanos: int, now: Moment) -> Words:
        """The ledger's word on a credit."""
        page = self.pages.get(meter)
        if page is None:
            return []
        has_more = nanos > page.stock.balance
        page.stock.balance = nanos
        return self._serve(page, now) if has_more else []

    def count(self, meter: str, amount: int, started_ms: int, now: Moment) -> None:
        """The ledger has a request more that counts here."""
        page = self.pages.get(meter)
        if page is not None:
            page.stock.count(amount, started_ms, now)

    # who is there

    def join(self, holder: int) -> None:
        """A new worker."""
        self._living.add(holder)

    def lose(self, holder: int, now: Moment) -> Words:
        """A worker is dead; nobody waits for its answers."""
        self._living.discard(holder)
        if not self._dead:
            self._ticked_ms = now.mono_ms
        self._dead[holder] = EXPIRY_MS + max(0, now.mono_ms - self._ticked_ms)
        words: Words = []
        for page in self.pages.values():
            page.queue = deque(one for one in page.queue if one.holder != holder)
            if is_returned_at_once(page.stock.meter):
                page.stock.drop(holder)
            self._answered(page, holder)
            words += self._serve(page, now)
        return words

    # what is said

    def hear(self, holder: int, note: Note, now: Moment) -> Words:
        """A worker's note."""
        page = self.pages.get(note.meter)
        if page is None or holder not in self._living:
            return []
        stock = page.stock
        stock.take_back(holder, note.back, note.gone, note.refund)
        if note.is_answer:
            self._answered(page, holder)
        if note.need:
            page.queue.append(Asking(holder, note))
        words = self._serve(page, now)
        if note.want and not note.need:
            ahead = min(note.want, self._share(stock.free(now)))
            if ahead > 0 and not page.queue:
                stock.give(holder, ahead)
            else:
                ahead = 0
            words.append((holder, self._word(page, GRANTED, now, ahead)))
        elif not (note.need or note.is_answer):
            words.append((holder, self._word(page, TOLD, now)))
        return words

    def settle(self, holder: int, meter: str, amount: int, now: Moment) -> Words:
        """Requests of `holder` that drew `amount` are committed, and the ledger has said so before."""
        page = self.pages.get(meter)
        if page is None:
            return []
        page.stock.settle(holder, amount)
        return self._serve(page, now)

    def tick(self, now: Moment) -> Words:
        """Now and then: leases of the dead return, who is late with an answer is passed over."""
        words: Words = []
        elapsed = max(0, now.mono_ms - self._ticked_ms)  # counted, so that a clock may go back
        self._ticked_ms = now.mono_ms
        for holder in self._dead:
            self._dead[holder] -= elapsed
        expired = [holder for holder, left_ms in self._dead.items() if left_ms <= 0]
        for holder in expired:
            del self._dead[holder]
            for page in self.pages.values():
                page.stock.drop(holder)
        for meter in tuple(self._busy):
            busy = self.pages.get(meter)
            if busy is None:
                self._busy.discard(meter)
                continue
            busy.deadline_ms = min(busy.deadline_ms, now.mono_ms + RECALL_MS)
            if busy.recalled and busy.deadline_ms <= now.mono_ms:
                busy.recalled.clear()
                _close_round(busy)
            words += self._serve(busy, now)
        return words

    # how it is decided

    def _answered(self, page: Page, holder: int) -> None:
        if holder in page.recalled:
            page.recalled.discard(holder)
            if not page.recalled:
                _close_round(page)

    def _serve(self, page: Page, now: Moment) -> Words:
        words: Words = []
        while page.queue:
            asking = page.queue[0]
            note, free = asking.note, page.stock.free(now)
            if free < note.need and not asking.is_final:
                if not page.recalled:
                    words += self._recall(page, now)
                if page.recalled:
                    break
                asking.is_final = True  # nobody else has anything
            page.queue.popleft()
            words.append((asking.holder, self._decide(page, asking.holder, note, now)))
        (self._busy.add if page.queue else self._busy.discard)(page.stock.meter.id)
        return words

    def _recall(self, page: Page, now: Moment) -> Words:
        asking = {one.holder for one in page.queue}
        have = [holder for holder, amount in page.stock.out.items() if amount > 0 and holder in self._living]
        page.asked_for = list(page.queue)
        page.recalled = {holder for holder in have if holder not in asking}
        page.deadline_ms = now.mono_ms + RECALL_MS
        return [(holder, self._word(page, RECALLED, now)) for holder in page.recalled]

    def _decide(self, page: Page, holder: int, note: Note, now: Moment) -> Word:
        stock = page.stock
        free = stock.free(now)
        if free >= note.need:
            more = 0 if page.queue else min(note.want, self._share(free - note.need))
            amount = note.need + more
            stock.give(holder, amount)
            return self._word(page, GRANTED, now, amount)
        if stock.meter.unit == NANOS and note.need > stock.level(now):
            amount = _last(stock, note, free, self._overdraft_nanos)
            if amount:
                stock.give(holder, amount)
                return self._word(page, LAST, now, amount)
        return self._word(page, DENIED, now, wait_ms=stock.wait_ms(note.need, now))

    def _share(self, free: int) -> int:
        """How much one worker may have beyond what it needs: halves, so that others find something too."""
        return max(0, free) // (2 * max(1, len(self._living)))

    def _word(self, page: Page, kind: int, now: Moment, amount: int = 0, wait_ms: int = 0) -> Word:
        stock = page.stock
        return Word(
            meter=stock.meter.id,
            kind=kind,
            amount=amount,
            level=stock.level(now),
            free=stock.free(now),
            wait_ms=wait_ms,
            resets_ms=stock.resets_ms(now),
        )


def _last(stock: Stock, note: Note, free: int, overdraft_nanos: int) -> int:
    """What a request gets that the whole rest does not pay for: the rest, if that does for a short answer.

    A credit whose rest is less than that, and of which nobody else has anything, is overdrawn by so much at
    most: or some would never be empty.
    """
    if note.least <= free:
        return max(0, free)
    is_alone = free > 0 and not any(stock.out.values())
    if stock.meter.is_credit and is_alone and note.least <= free + overdraft_nanos:
        return note.least
    return 0


def _close_round(page: Page) -> None:
    """All have answered those who waited then; who came since may find something elsewhere again."""
    for asking in page.asked_for:
        asking.is_final = True
    page.asked_for = []


def told(words: Iterable[tuple[int, Word]]) -> dict[int, list[Word]]:
    """The words by holder, in their order."""
    found: dict[int, list[Word]] = {}
    for holder, word in words:
        found.setdefault(holder, []).append(word)
    return found
