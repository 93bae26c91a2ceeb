"""A worker's leases: what it may admit without asking anybody. Pure: decisions here, messages one layer out.

A request takes from all its meters or from none. While something waits for a meter, whoever comes later waits
behind it. More is asked for ahead of time, at a low-water mark that follows what is used.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from wicket.accounts.lease_words import DENIED, GRANTED, LAST, RECALLED, Note, Settled, Word
from wicket.accounts.meters import CONCURRENT, MINUTE, Meter

QUICK_MS = 100  # who asks again within it asks for twice as much
FIRST_STRIDE = 8  # requests' worth
MAX_STRIDE = 1 << 16
DRY_MS = 50  # after a denial nothing is asked for so long

T = TypeVar("T")


class Lease(Generic[T]):
    """One meter's, at one worker. `T` is what waits for it.

    `free` may be taken; below zero it is owed. `gone` is used up and not yet told, `drawn` what settled
    requests came to and no message has carried yet.
    """

    __slots__ = (
        "asked_ms", "denied", "denied_ms", "drawn", "dry_ms", "free", "gone", "granted",
        "is_asking", "is_asking_ahead", "is_bucket", "is_gauge",
        "is_stock", "is_used", "is_warning", "level",
        "low", "meter", "refund", "resets_ms", "stride", "told_ms", "used", "waiting",
    )  # fmt: skip

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.is_bucket = meter.window == MINUTE
        self.is_gauge = meter.unit == CONCURRENT
        self.is_stock = not (self.is_bucket or self.is_gauge)  # what is drawn is in the ledger
        self.free = 0
        self.gone = 0
        self.refund = 0
        self.drawn = 0
        self.granted = 0  # in the last grant
        self.low = 0
        self.stride = FIRST_STRIDE
        self.is_asking = False
        self.is_asking_ahead = False
        self.asked_ms = -QUICK_MS
        self.is_used = False  # it was asked for since the last report
        self.is_warning = False  # a soft budget is used up
        self.level = 0  # what was left in all when last told, less what was used here since
        self.used = 0
        self.resets_ms = 0
        self.told_ms = 0
        self.dry_ms = -1  # until when `denied` still tells how it stands
        self.denied: Word | None = None
        self.denied_ms = 0
        self.waiting: deque[T] = deque()

    def take(self, need: int) -> None:
        """A request is admitted; the caller has seen that there is enough."""
        self.free -= need
        self.used += need
        if self.is_bucket:
            self.gone += need

    def put(self, need: int, actual: int) -> None:
        """A request is over: what it drew instead of what was held."""
        self.used += actual - need
        if self.is_gauge:
            self.free += need
        elif self.is_bucket:
            if actual > need:
                self.gone += actual - need
                self.free -= actual - need
            else:
                self.refund += need - actual
        else:
            self.free += need - actual
            self.drawn += actual

    def is_low(self) -> bool:
        """Whether more should be asked for now."""
        return self.free < self.low and not (self.is_asking or self.is_asking_ahead)

    # what is said

    def ahead(self, need: int, now_ms: int) -> Note:
        """Ask for more before it is short."""
        self.is_asking_ahead = True
        self._step(now_ms)
        return self._note(want=need * self.stride)

    def ask(self, need: int, least: int, num_waiting: int, now_ms: int) -> Note:
        """Ask for what the first in the queue needs; what is left here goes back, to be granted in one."""
        self.is_asking = True
        self._step(now_ms)
        back = max(0, self.free)
        self.free -= back
        owed = max(0, -self.free)
        want = 0 if self.is_gauge else need * max(self.stride, num_waiting)
        return self._note(back=back, need=need + owed, least=least + owed, want=want)

    def give_back(self, *, is_answer: bool) -> Note:
        """What is not used goes back."""
        back = max(0, self.free)
        self.free -= back
        self.low = 0
        return self._note(back=back, is_answer=is_answer)

    def report(self) -> Note | None:
        """Once a second: an idle lease goes back, one in use tells what is gone; None if nothing is new."""
        is_used, self.is_used = self.is_used or self.used != 0, False
        if self.is_asking or self.is_asking_ahead:
            return None
        if is_used or self.gone or self.refund:
            return self._note()
        if self.free > 0:
            self.stride = FIRST_STRIDE
            return self.give_back(is_answer=False)
        return None

    def take_drawn(self) -> Settled | None:
        """What goes with the records that are sent now."""
        if not self.drawn:
            return None
        drawn, self.drawn = self.drawn, 0
        return Settled(self.meter.id, drawn)

    def hear(self, word: Word, now_ms: int) -> None:
        """What the supervisor says; a recall is answered with `give_back`."""
        self.level, self.told_ms, self.resets_ms = word.level, now_ms, word.resets_ms
        if word.kind == RECALLED:
            return
        if word.kind in (GRANTED, LAST):
            self.free += word.amount
            self.denied = None
            self.granted = word.amount
            self.low = self.free // 4 if word.kind == GRANTED and word.amount else 0
            if self.is_asking_ahead:  # it is answered at once, so before whatever was asked after it
                self.is_asking_ahead = False
            else:
                self.is_asking = False
        elif word.kind == DENIED:
            self.is_asking = False
            self.denied, self.denied_ms = word, now_ms
            self.dry_ms = now_ms + (min(DRY_MS, word.wait_ms) if word.wait_ms else DRY_MS)

    def remaining(self, now_ms: int) -> int:
        """About how much is left in all: as of the last word, and what was used here since."""
        amount = self.meter.amount
        left = self.level - self.used
        if self.is_bucket:
            left += max(0, now_ms - self.told_ms) * amount // 60_000
        return max(0, min(left, amount))

    def _step(self, now_ms: int) -> None:
        self.is_used = True
        is_quick = 0 <= now_ms - self.asked_ms < QUICK_MS
        self.stride = min(MAX_STRIDE, self.stride * 2) if is_quick else max(FIRST_STRIDE, self.stride // 2)
        self.asked_ms = now_ms

    def _note(
        self, *, back: int = 0, need: int = 0, least: int = 0, want: int = 0, is_answer: bool = False
    ) -> Note:
        gone, refund = self.gone, self.refund
        self.gone = self.refund = 0
        self.level -= self.used
        self.used = 0
        return Note(self.meter.id, back, gone, refund, need, least, want, is_answer)
