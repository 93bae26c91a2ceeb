"""One request's hold: what it takes from which meters, and gives back exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wicket.accounts.leases import Lease
from wicket.accounts.meters import CONCURRENT, MINUTE, NANOS, REQUESTS, TOKENS, counts_for
from wicket.accounts.record import Record
from wicket.dialects.translation import Allowance
from wicket.errors import Fault
from wicket.gateway.bound import LEAST_TOKENS, Bound
from wicket.gateway.call import Call
from wicket.gateway.crossing import hearing
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields

if TYPE_CHECKING:
    from wicket.gateway.drive import Drive
    from wicket.gateway.metering import Metering

TOLD_MS = 5

HoldLease = Lease["Hold"]


class Account:
    """The leases of one set of meters, by what they count."""

    __slots__ = ("_told", "all", "counts", "has_models", "money", "ones", "soft", "tokens")

    def __init__(self, leases: Sequence[HoldLease]) -> None:
        hard = [lease for lease in leases if not lease.meter.is_soft]
        self.ones = [lease for lease in hard if lease.meter.unit in (REQUESTS, CONCURRENT)]
        self.tokens = [lease for lease in hard if lease.meter.unit == TOKENS]
        self.money = [lease for lease in hard if lease.meter.unit == NANOS]
        self.soft = [lease for lease in leases if lease.meter.is_soft]
        self.all = [*self.ones, *self.tokens, *self.money]
        self.counts = bool(self.tokens or self.money)  # whether a request's size matters
        self.has_models = any(lease.meter.model for lease in leases)
        self._told: dict[str, tuple[int, bytes]] = {}  # dialect → when, and the header lines

    def lines_for(self, call: Call, *, is_fresh: bool = False) -> bytes:
        """Header lines that tell of limits on requests and tokens; the same for calls of one moment.

        `is_fresh`: as it is now, for who has just been refused.
        """
        dialect, now_ms = call.api.dialect, call.started_us // 1_000
        told = self._told.get(dialect)
        if told is not None and not is_fresh and 0 <= now_ms - told[0] < TOLD_MS:
            return told[1]
        write = getattr(hearing(dialect), "allowance_lines", None)
        lines = b""
        if write is not None:
            requests = _tightest(self.ones, now_ms, call.unix_ms)
            lines = write(requests, _tightest(self.tokens, now_ms, call.unix_ms), call.unix_ms)
        self._told[dialect] = now_ms, lines
        return lines

    def of_models(self, call: Call) -> Account:
        """Those that count for a call: of limits on a model, those whose model may answer it."""
        names = [one.id for one in call.route.deployments]
        kept = [
            lease
            for lease in [*self.all, *self.soft]
            if lease.meter.model in names
            or counts_for(lease.meter, call.model, "")
            or counts_for(lease.meter, call.route.name, "")
        ]
        return Account(kept)


class Hold:
    """What is held for one request. `output` is each answer's limit; `cap` too, if the provider must hear."""

    # Most of these stay so in most requests: creating one is cheap.
    is_held = False
    is_shortened = False
    waits_for: HoldLease | None = None
    nanos = 0
    tokens = 0
    output = 0
    cap = 0

    def __init__(self, metering: Metering, drive: Drive, account: Account) -> None:
        self.metering = metering
        self.drive = drive
        self.account = account
        if account.counts:
            self._reckon()

    def _reckon(self) -> None:
        drive, money = self.drive, self.account.money
        terms = self.metering.terms(drive)
        bound = self.bound = Bound(drive.call, terms)
        is_paid = terms.is_paid and money
        if bound.output:
            self.output = output = bound.stated()
            if is_paid:
                self.nanos = bound.nanos(output)
        elif is_paid:
            available = money[0].level - money[0].used
            for lease in money:
                if lease.level - lease.used < available:
                    available = lease.level - lease.used
            self.output, self.nanos = output, _ = bound.unsaid_paid(available)
            if bound.num and output != terms.most and not drive.call.api.is_media:
                self.cap = output
        else:
            self.output = output = bound.unsaid()
        self.tokens = bound.input + output * bound.num

    # taking

    def need(self, lease: HoldLease) -> int:
        """What it takes from one of its meters. Of a limit on tokens never more than all of it."""
        unit = lease.meter.unit
        if unit == NANOS:
            return self.nanos
        return min(self.tokens, max(1, lease.meter.amount)) if unit == TOKENS else 1

    def least(self, lease: HoldLease) -> int:
        """What would do for a short answer."""
        if lease.meter.unit != NANOS:
            return self.need(lease)
        return self.bound.nanos(min(LEAST_TOKENS, self.output))

    def take(self, own: HoldLease | None) -> HoldLease | None:
        """Take from all meters, or say which is short. Its turn has come at `own`; elsewhere it queues."""
        account, nanos = self.account, self.nanos
        for lease in account.ones:
            if lease.free < 1 or (lease.waiting and lease is not own):
                return lease
        tokens = self.tokens
        for lease in account.tokens:
            free = lease.free
            if (free < tokens and free < self.need(lease)) or (lease.waiting and lease is not own):
                return lease
        if nanos:
            for lease in account.money:
                if lease.free < nanos or (lease.waiting and lease is not own):
                    return lease
            for lease in account.money:
                lease.take(nanos)
        for lease in account.ones:
            lease.take(1)
        for lease in account.tokens:
            lease.take(tokens if tokens < lease.meter.amount else self.need(lease))
        self.is_held = True
        return None

    def shorten(self, nanos: int) -> None:
        """All there is is less than was asked for: the answers get as long as that pays for."""
        output = self.bound.affordable(nanos, self.output)
        if output < self.output:
            self.output = self.cap = output
            self.is_shortened = True
            self.tokens = self.bound.tokens(output)
        self.nanos = min(self.bound.nanos(output), max(1, nanos))

    def go(self) -> None:
        """It waited, and is held now."""
        self.drive.set_out()

    def refuse(self, fault: Fault) -> None:
        """It is not held."""
        self.drive.turn_away(fault)

    # giving back

    def settle(self, record: Record | None) -> None:
        """The request is over: what it used is drawn, the rest is free again. None: nobody knows of it."""
        if not self.is_held:
            self.metering.leave(self)
            return
        self.is_held = False
        account = self.account
        charge = tokens = 0
        if record is not None:
            charge = record.charge_nanos
            tokens = record.usage.input_tokens + record.usage.output_tokens
        is_all, drawn = not account.has_models, self.metering.drawn
        if self.nanos or charge:
            for lease in account.money:
                if not lease.drawn:
                    drawn.append(lease)
                lease.put(self.nanos, charge if is_all or _counts(lease, record) else 0)
        for lease in account.ones:
            if lease.is_stock and not lease.drawn:
                drawn.append(lease)
            lease.put(1, 1 if is_all or _counts(lease, record) else 0)
        for lease in account.tokens:
            if lease.is_stock and not lease.drawn:
                drawn.append(lease)
            lease.put(self.need(lease), tokens if is_all or _counts(lease, record) else 0)
        if self.metering.waiting:
            self.metering.settled(account.all)

    def handed_over(self) -> list[tuple[HoldLease, int]]:
        """What goes on being held of money and counted limits, now that the answer is made elsewhere.

        A place among those at once is free again; a minute's limit has had what was held of it.
        """
        if not self.is_held:
            return []
        self.is_held = False
        account = self.account
        parts = [(lease, self.nanos) for lease in account.money if self.nanos]
        parts += [(lease, 1) for lease in account.ones if lease.is_stock]
        parts += [(lease, self.need(lease)) for lease in account.tokens if lease.is_stock]
        for lease in [*account.ones, *account.tokens]:
            if not lease.is_stock:
                lease.put(self.need(lease), 0 if lease.is_gauge else self.need(lease))
        self.metering.settled(account.ones)
        return parts

    # telling

    def fields_for(self, deployment: Deployment, fields: Fields) -> Fields:
        """The request's fields with the hold's limit, where this deployment would go beyond it."""
        call = self.drive.call
        most = deployment.max_output_tokens
        if not self.cap or (not self.bound.output and 0 < most <= self.cap):
            return fields
        limited = getattr(hearing(call.api.dialect), "limited", None)
        if limited is None:
            return fields
        changed: Fields = limited(fields, call.api, self.cap, deployment)
        return changed

    def lines(self, *, is_fresh: bool = False) -> bytes:
        """Header lines: limits and what is left of them, what was shortened, budgets that are used up."""
        account, call = self.account, self.drive.call
        lines = account.lines_for(call, is_fresh=is_fresh) if account.tokens or account.ones else b""
        if self.cap:
            lines += b"x-wicket-max-output-tokens: %d\r\n" % self.cap
        for lease in account.soft:
            if lease.is_warning:
                meter = lease.meter
                what = f"{meter.id}; {meter.scope}; per {meter.window}".encode("ascii", "replace")
                lines += b"x-wicket-budget-warning: %b\r\n" % what
        return lines


def _counts(lease: HoldLease, record: Record | None) -> bool:
    if not lease.meter.model or record is None:
        return True
    return counts_for(lease.meter, record.model if record.deployment else "", record.deployment)


def _tightest(leases: Sequence[HoldLease], now_ms: int, unix_ms: int) -> Allowance | None:
    """The limit of which the least is left; a limit on requests at once is none that one is told of."""
    found: tuple[int, HoldLease] | None = None
    for lease in leases:
        if not lease.is_gauge:
            left = lease.remaining(now_ms)
            if found is None or left < found[0]:
                found = left, lease
    if found is None:
        return None
    left, lease = found
    amount = lease.meter.amount
    if lease.meter.window == MINUTE:
        reset_ms = (amount - left) * 60_000 // max(1, amount)
    else:
        reset_ms = max(0, lease.resets_ms - unix_ms)
    return Allowance(amount, left, reset_ms)
