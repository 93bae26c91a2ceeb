"""What one meter has: what is free, what is leased to whom, how it refills. Pure; the supervisor's truth.

| meter | what is free |
|---|---|
| credit | the ledger's balance - leases |
| budget, limit per day or month | its amount - what the ledger has in this window - leases |
| limit per minute | a bucket: refills evenly, and with the leases never holds more than its amount |
| concurrent | its amount - leases |

A lease counts in full until its worker has given it back or its requests are committed.
"""

from __future__ import annotations

import msgspec

from wicket.accounts.meters import CONCURRENT, FIXED, MINUTE, Meter
from wicket.accounts.windows import FOR_EVER, Window, window_at

MINUTE_MS = 60_000


class Moment(msgspec.Struct, frozen=True):
    """Now: `mono_ms` for durations, `unix_ms` for the calendar. Either may jump back; nothing breaks."""

    mono_ms: int
    unix_ms: int


class Stock:
    """One meter's. `out` is what each holder has, `spent` what the ledger has in the window."""

    def __init__(self, meter: Meter, now: Moment) -> None:
        self.meter = meter
        self.out: dict[int, int] = {}
        self.balance = 0
        self.spent = 0
        self.window: Window = window_at(meter.window, meter.zone, now.unix_ms)
        self._left = meter.amount  # a bucket's
        self._rest = 0  # of the last refill, in units x ms
        self._filled_ms = now.mono_ms

    @property
    def num_out(self) -> int:
        """What all holders have together."""
        return sum(self.out.values())

    def change(self, meter: Meter, now: Moment) -> None:
        """Another amount for the same meter; leases and what was spent stay."""
        self.free(now)
        self._left += meter.amount - self.meter.amount
        self.meter = meter
        self._trim()

    def free(self, now: Moment) -> int:
        """What can be leased now; below zero after a charge beyond its hold, or a smaller amount."""
        meter = self.meter
        if meter.is_credit:
            return self.balance - self.num_out
        if meter.window == MINUTE:
            self._refill(now.mono_ms)
            return self._left
        if meter.window in FIXED:
            self._roll(now.unix_ms)
            return meter.amount - self.spent - self.num_out
        return meter.amount - self.num_out

    def level(self, now: Moment) -> int:
        """What is left in all, leases included."""
        return self.free(now) + self.num_out

    def full(self, now: Moment) -> int:
        """What could be free if every lease came back, at most: more than that nobody need wait for."""
        return self.level(now) if self.meter.is_credit or self.meter.window in FIXED else self.meter.amount

    def wait_ms(self, need: int, now: Moment) -> int:
        """How long until so much is free if nobody gives anything back; 0: time alone does not bring it."""
        meter = self.meter
        if meter.window == MINUTE:
            short = min(need, meter.amount) - self.free(now)
            return max(1, -(-(short * MINUTE_MS - self._rest) // max(1, meter.amount)))
        if meter.window in FIXED and self.window[1] < FOR_EVER:
            return max(1, self.window[1] - now.unix_ms)
        return 0

    def resets_ms(self, now: Moment) -> int:
        """When it is as it was at the beginning if nothing more is used (Unix ms); 0: never."""
        if self.meter.window == MINUTE:
            missing = max(0, self.meter.amount - self.free(now) - self.num_out)
            return now.unix_ms + missing * MINUTE_MS // max(1, self.meter.amount)
        return self.window[1] if self.meter.window in FIXED and self.window[1] < FOR_EVER else 0

    def give(self, holder: int, amount: int) -> None:
        """A lease for `holder`."""
        self.out[holder] = self.out.get(holder, 0) + amount
        if self.meter.window == MINUTE:
            self._left -= amount

    def take_back(self, holder: int, back: int, gone: int, refund: int) -> None:
        """What a holder gives back, has used up for good, and had counted too much before (a bucket's)."""
        have = self.out.get(holder)
        if have is None:
            return  # a holder that had died for us
        back = min(back, max(0, have))
        self.out[holder] = have - back - gone
        if self.meter.window == MINUTE:
            self._left += back + refund
            self._trim()

    def settle(self, holder: int, amount: int) -> None:
        """Requests of `holder` that drew `amount` are in the ledger, which counts them from now on."""
        if holder in self.out:
            self.out[holder] -= amount

    def count(self, amount: int, started_ms: int, now: Moment) -> None:
        """The ledger has a request more. One that began in an earlier window counts there."""
        self._roll(now.unix_ms)
        if started_ms >= self.window[0]:
            self.spent += amount

    def drop(self, holder: int) -> None:
        """A holder is gone, and with it what it had. A bucket just refills."""
        self.out.pop(holder, None)

    def _refill(self, mono_ms: int) -> None:
        elapsed = mono_ms - self._filled_ms
        self._filled_ms = mono_ms
        if elapsed <= 0:
            return  # the clock went back: begin to count anew
        amount = self.meter.amount
        more, self._rest = divmod(self._rest + min(elapsed, MINUTE_MS) * amount, MINUTE_MS)
        self._left += more
        self._trim()

    def _trim(self) -> None:
        room = self.meter.amount - self.num_out
        if self._left >= room:
            self._left, self._rest = room, 0

    def _roll(self, unix_ms: int) -> None:
        """Into the window of now. A clock that went back a little stays in the later one."""
        begin, end = self.window
        if begin <= unix_ms < end:
            return
        is_behind = begin - (end - begin) <= unix_ms < begin
        if is_behind:
            return
        self.window = window_at(self.meter.window, self.meter.zone, unix_ms)
        if unix_ms >= end:
            self.spent = 0


def is_returned_at_once(meter: Meter) -> bool:
    """Whether a dead worker's share is free with its death: its requests died with it."""
    return meter.unit == CONCURRENT
