"""Checks: some of what a cascade's mini has answered is asked of the large model too, behind the answer.

A check is a request like any other, with an id and a record of its own (api "chat.check"), that no caller
waits for and none pays. Whether the two answers agree is told to the supervisor, which watches the mini.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import msgspec

from wicket.accounts.record import Record
from wicket.errors import CallerFault, Fault
from wicket.gateway.call import Call, Collected
from wicket.gateway.cascade import CHECK, Cascade, MiniAttempt
from wicket.gateway.drive import Drive
from wicket.gateway.openai_form import FORM, request_body, text_of
from wicket.minis.answers import agree
from wicket.minis.watch import next_check
from wicket.routing.deployment import Route
from wicket.wire.fields import peek

if TYPE_CHECKING:
    from wicket.gateway.gate import Gate

MAX_IN_FLIGHT = 8  # of one worker; a check that finds no room is left out and counted
_STREAMING = ("stream", "stream_options")
_MAX_ROUTES = 4_096


class Verdict(msgspec.Struct, frozen=True):
    """How one check came out; `agreed` is None when the large model gave no answer."""

    route: str
    run: str
    request_id: int
    agreed: bool | None
    confidence: float
    cost_nanos: int


class CheckReply:
    """The caller's side of a check: nobody. It holds what the mini had said."""

    __slots__ = ("cascade", "checked", "confidence", "said")

    def __init__(self, cascade: Cascade, checked: Call, said: str, confidence: float) -> None:
        self.cascade = cascade
        self.checked = checked
        self.said = said
        self.confidence = confidence

    def whole(self, status: int, headers: bytes, body: bytes, content_type: bytes = b"") -> None:
        """See `drive.Reply`; the answer is read where the check is settled."""

    def begin(self, headers: bytes, content_type: bytes = b"") -> None:
        """See `drive.Reply`."""

    def write(self, data: bytes) -> None:
        """See `drive.Reply`."""

    def finish(self) -> None:
        """See `drive.Reply`."""

    def refuse(self, fault: Fault, headers: bytes) -> None:
        """See `drive.Reply`."""

    def fail_in_band(self, fault: Fault) -> None:
        """See `drive.Reply`."""


class Checks:
    """A worker's checks; `report` hears of each. Where the request is collected, so is the check's answer."""

    def __init__(self, gate: Gate, report: Callable[[Verdict], None]) -> None:
        self.in_flight = 0
        self.num_dropped = 0
        self._gate = gate
        self._report = report
        self._credits: dict[str, float] = {}
        self._rests: dict[int, tuple[Route, Route]] = {}

    def settled(self, drive: Drive, record: Record) -> None:
        """A cascade's request is over: judge it if it was a check, check it if its turn has come."""
        if drive.call.api is CHECK:
            self.in_flight -= 1
            self._judge(drive, record, cast(CheckReply, drive.reply))
        elif record.outcome == "ok" and isinstance(drive.answer, MiniAttempt):
            cascade = self._gate.cascades.get(drive.call.route.name)
            if cascade is not None and self._is_due(drive.call, cascade):
                self._start(drive.call, drive.answer, cascade)

    def _is_due(self, call: Call, cascade: Cascade) -> bool:
        """Evenly spaced; where each worker begins is scattered by the first request's id."""
        name = call.route.name
        credit = self._credits.get(name)
        if credit is None:
            credit = call.id * 0x9E3779B1 % (1 << 32) / (1 << 32)
        self._credits[name], is_due = next_check(credit, cascade.terms.check_share)
        return is_due

    def _start(self, call: Call, answer: MiniAttempt, cascade: Cascade) -> None:
        gate, rest = self._gate, self._rest(call.route)
        if not rest.deployments:
            return
        if self.in_flight >= MAX_IN_FLIGHT or gate.is_draining or not gate.ledger_is_open:
            self.num_dropped += 1
            return
        unix_ms = time.time_ns() // 1_000_000
        try:
            call = _in_openai_form(call)
        except CallerFault:  # the mini was told it, so this is rare: a part that only some models are told
            self.num_dropped += 1
            return
        fields = {name: value for name, value in call.fields.items() if name not in _STREAMING}
        asked = msgspec.structs.replace(
            call,
            id=gate.ids.next(unix_ms),
            api=CHECK,
            fields=fields,
            model=rest.name,
            route=rest,
            is_streamed=False,
            wants_usage=False,
            started_us=gate.now_us(),
            unix_ms=unix_ms,
            trace=b"",
        )
        try:
            drive = Drive(gate, asked, CheckReply(cascade, call, answer.text, answer.confidence))
        except Fault:  # the request's own limits leave nobody who could check
            self.num_dropped += 1
            return
        self.in_flight += 1
        drive.start()

    def _rest(self, route: Route) -> Route:
        """The route without its mini; the same one each time, so that what is prepared for it is found."""
        found = self._rests.get(id(route))
        if found is None:  # the entry keeps the route alive, so its id stays its own
            if len(self._rests) >= _MAX_ROUTES:
                self._rests.clear()
            others = tuple(one for one in route.deployments if not one.task)
            rest = msgspec.structs.replace(
                route, deployments=others, policy="ordered", hedge=None, continues=False
            )
            found = self._rests[id(route)] = (route, rest)
        return found[1]

    def _judge(self, drive: Drive, record: Record, reply: CheckReply) -> None:
        answer, terms = drive.answer, reply.cascade.terms
        said = None
        if record.outcome == "ok" and answer is not None:
            said = text_of(answer)
        agreed = None if record.outcome != "ok" else said is not None and agree(terms.shape, reply.said, said)
        name, number = reply.checked.route.name, reply.checked.id
        self._report(Verdict(name, terms.run, number, agreed, reply.confidence, record.cost_nanos))


def _in_openai_form(call: Call) -> Call:
    """The call as the API `CHECK` has it. Raises `CallerFault` for what can't be said so."""
    if call.api.dialect == FORM:
        return call
    body, kept = request_body(call), call.collected
    collected = None if kept is None else Collected(kept.task, body if kept.task else b"")
    return msgspec.structs.replace(call, fields=peek(body), collected=collected)
