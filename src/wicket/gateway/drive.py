"""Carries out what the walk decides: the only place where the walk meets sockets.

    admit → plan → drive(walk ↔ attempts) → reply → settle

One `Drive` per request; everything happens in callbacks, so that a request costs no Task and no Future.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from wicket.accounts.cost import format_usd
from wicket.accounts.record import Record
from wicket.accounts.request_ids import format_id
from wicket.dialects.contract import Body
from wicket.dialects.hub import Conversation
from wicket.dialects.translation import Ending
from wicket.errors import CallerFault, Fault
from wicket.gateway import observe
from wicket.gateway.attempt import Attempt
from wicket.gateway.call import Call
from wicket.gateway.cascade import (
    MiniAttempt,
    SoftAttempt,
    confidence_header,
    floor_header,
    floor_line,
    note_cascade,
)
from wicket.gateway.collect import example_of
from wicket.gateway.continuation import ContinuedAttempt, mark_continued
from wicket.gateway.counting import counts_of
from wicket.gateway.crossing import asked_of, hearing, without
from wicket.gateway.dropped import dropped_line
from wicket.gateway.events import (
    Begin,
    Cancel,
    ClientGone,
    Commit,
    Event,
    Fail,
    Finish,
    Forward,
    Join,
    KeepAlive,
    Planned,
    Send,
    Settle,
    Ticked,
)
from wicket.gateway.expected import note_costs
from wicket.gateway.gate import Gate
from wicket.gateway.hold import Hold
from wicket.gateway.media import MediaAttempt
from wicket.gateway.planning import planned
from wicket.gateway.request import Prepared, request_bytes, signature_lines
from wicket.gateway.settle import charge_of, settle
from wicket.gateway.subjects import SubjectAttempt
from wicket.gateway.walk import step
from wicket.gateway.walk_state import NEVER, State, Walk
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields

_log = logging.getLogger("wicket.gateway")
UPSTREAM_IDS = (b"x-request-id", b"request-id", b"x-amzn-requestid")  # whose is told; Anthropic's, AWS's


class Reply(Protocol):
    """The caller's side of one request. Writing to a caller who left does nothing."""

    def whole(self, status: int, headers: bytes, body: bytes, content_type: bytes = b"") -> None:
        """A complete answer, JSON unless it has a type; `headers` are header lines, each ended by CRLF."""
        ...

    def begin(self, headers: bytes, content_type: bytes = b"") -> None:
        """Status 200 and headers of an event stream, sent together with the first `write`.

        With a type the answer is bytes, which know no error: a failure then breaks the connection off.
        """
        ...

    def write(self, data: bytes) -> None:
        """Part of a stream."""
        ...

    def finish(self) -> None:
        """The stream's end."""
        ...

    def refuse(self, fault: Fault, headers: bytes) -> None:
        """An error answer in the caller's dialect."""
        ...

    def fail_in_band(self, fault: Fault) -> None:
        """An error frame in the caller's dialect, then the end, after a stream has begun."""
        ...


class Drive:
    """One request on its way. `gate` and `reply` are lent; `settle` gives the record away exactly once."""

    __slots__ = (
        "answer",
        "attempts",
        "begun",
        "call",
        "conversation",
        "gate",
        "hold",
        "is_paused",
        "plan",
        "reply",
        "status",
        "walk",
    )

    def __init__(self, gate: Gate, call: Call, reply: Reply) -> None:
        """Plan it. Raises `CallerFault` when the request's limits leave nobody to ask."""
        self.gate = gate
        self.call = call
        self.reply = reply
        route = call.route
        self.plan: Sequence[Deployment] = route.deployments
        if len(self.plan) > 1 or call.preferences is not None or route.limits is not None:
            self.plan = planned(gate, call)
        if route.hedge is not None:
            gate.hedges.earn(route)
        self.walk = Walk(gate.rules.find(call, self.plan, gate.health))
        self.attempts: list[Attempt] = []
        self.conversation: Conversation | None = None  # what the caller said, once somebody must be told
        self.answer: Attempt | None = None
        self.hold: Hold | None = None  # what it takes of its caller's meters, None without any
        self.begun = False  # the caller has seen a status line
        self.is_paused = False
        self.status = 0

    def start(self) -> None:
        """Send the first attempt, once the request is within its caller's limits."""
        self.gate.active.add(self)
        if not self.call.caller.meters or self._is_held():
            self.set_out()

    def set_out(self) -> None:
        """It is within its limits."""
        self.feed(Planned(self.gate.now_us()))

    def turn_away(self, fault: Fault) -> None:
        """It is beyond a limit: nobody is asked, and there is nothing to record."""
        lines = self.hold.lines(is_fresh=True) if self.hold is not None else b""
        self._stop()
        self.reply.refuse(fault, self._id_header() + lines)

    def _stop(self) -> None:
        """It ends before anything was done."""
        self.hold = None
        self.gate.active.discard(self)
        self.walk.state = State.OVER
        self.walk.due_us = NEVER

    def _is_held(self) -> bool:
        try:
            return self.gate.metering.enter(self)
        except Fault as fault:
            self.turn_away(fault)
        except Exception:
            self._collapse()
        return False

    def feed(self, event: Event) -> None:
        """Let the walk decide about an event, and do it."""
        try:
            for action in step(self.walk, event):
                PERFORM[type(action)](self, action)
        except Exception:
            self._collapse()

    def tick(self, now_us: int) -> None:
        """A limit may have passed."""
        rules = self.walk.rules
        if not (rules.hedge_us or rules.continues):
            self.feed(Ticked(now_us))
            return
        may_hedge = rules.hedge_us > 0 and self.gate.hedges.may(self.call.route)
        answer = self.answer
        may_continue = bool(rules.continues) and answer is not None and answer.said() is not None
        self.feed(Ticked(now_us, may_hedge, may_continue))

    def client_gone(self) -> None:
        """The caller left: nobody is asked any further, what was produced is accounted."""
        if self.hold is not None and self.hold.waits_for is not None:  # nothing has begun
            self.gate.metering.leave(self.hold)
            self._stop()
        else:
            self.feed(ClientGone(self.gate.now_us()))

    def pause(self) -> None:
        """The caller reads slowly: stop reading from whoever answers."""
        self.is_paused = True
        if self.answer is not None and self.answer.exchange is not None:
            self.answer.exchange.pause()

    def resume(self) -> None:
        """The caller reads again."""
        self.is_paused = False
        if self.answer is not None and self.answer.exchange is not None:
            self.answer.exchange.resume()

    def _collapse(self) -> None:
        """A mistake of our own: the log has it, the caller hears of it and the record is written."""
        _log.exception("%s failed inside", format_id(self.call.id))
        if self not in self.gate.active:
            return
        self.walk.state = State.OVER
        self.walk.due_us = NEVER
        for attempt in self.attempts:
            attempt.cancel("internal_error")
        fault = Fault("internal_error", f"Something failed inside ({format_id(self.call.id)}).")
        try:
            self._fail(Fail(fault))
        finally:
            self._settle(Settle(fault.code))

    # actions

    def _send(self, action: Send) -> None:
        call, gate, deployment = self.call, self.gate, self.plan[action.candidate]
        prepared = gate.heads.find(deployment, call.api, call.is_streamed)
        fields, extra = call.fields, b""
        if action.kind == "continuation":
            assert self.answer is not None
            follower = ContinuedAttempt(action.attempt, call, prepared, self.feed, gate.now_us)
            fields = follower.go_on_from(self.answer)
            attempt: Attempt = follower
        elif deployment.task:
            attempt = MiniAttempt(action.attempt, call, prepared, self.feed, gate.now_us)
            extra = floor_header(gate.cascades, call)
        elif call.route.floor and deployment.engine and action.candidate + 1 < len(self.plan):
            attempt = SoftAttempt(action.attempt, call, prepared, self.feed, gate.now_us)
            extra = floor_line(call.route.floor)
        elif prepared.subject is not None:
            attempt = SubjectAttempt(action.attempt, call, prepared, self.feed, gate.now_us)
        elif call.api.is_media:
            attempt = MediaAttempt(action.attempt, call, prepared, self.feed, gate.now_us)
        else:
            attempt = Attempt(action.attempt, call, prepared, self.feed, gate.now_us)
        if action.kind:
            attempt.kind = action.kind
            if action.kind == "hedge":
                gate.hedges.spend(call.route)
        self.attempts.append(attempt)
        if self.hold is not None and self.hold.cap:
            fields = self.hold.fields_for(prepared.deployment, fields)
        try:
            body = self._body(prepared, fields)
        except CallerFault as fault:
            fault.elsewhere = True  # another deployment may well be able to say it
            asyncio.get_running_loop().call_soon(self.feed, attempt.not_sent(fault))  # not inside this step
            return
        if len(self.plan) > 1:
            attempt.has_rivals = True
            attempt.has_others = action.candidate + 1 < len(self.plan)
        if gate.lanes.by_provider and deployment.provider in gate.lanes.by_provider:
            gate.lanes.enter(attempt, partial(self._ask_late, attempt, prepared, action, body))
        else:
            self._ask(attempt, prepared, action, body, extra)

    def _ask(
        self, attempt: Attempt, prepared: Prepared, action: Send, body: Body, extra: bytes = b""
    ) -> None:
        call, gate, deployment = self.call, self.gate, attempt.deployment
        if deployment.google is not None:
            token = gate.tokens.line(deployment.google)
            if not token:
                late = partial(self._ask_late, attempt, prepared, action, body)
                gate.tokens.wait(deployment.google, attempt, late)
                return
            extra += token
        observe.sent(attempt, gate.health)
        wished = call.preferences
        attempt.dropped = body.dropped if wished is None else wished.dropped + body.dropped
        if deployment.aws is not None:
            extra += signature_lines(prepared, body, gate.unix_s())
        attempt.exchange = gate.pool.send(
            deployment.origin,
            request_bytes(prepared, call, body, extra),
            attempt,
            connect_ms=call.route.timeouts.connect_ms,
            fresh=action.is_fresh,
        )

    def _ask_late(self, attempt: Attempt, prepared: Prepared, action: Send, body: Body) -> None:
        """A provider's lane has room now; this may be in the middle of another request's turn."""
        try:
            self._ask(attempt, prepared, action, body)
        except Exception:
            self._collapse()

    def _body(self, prepared: Prepared, fields: Fields) -> Body:
        """What this deployment gets. Raises `CallerFault` for what it can't be told."""
        call, deployment = self.call, prepared.deployment
        crossing = prepared.crossing
        if crossing is None:
            if prepared.gap:
                raise CallerFault("unsupported_by_provider", prepared.gap, param="model")
            if prepared.subject is not None:
                return prepared.subject.body(fields, deployment)
            return prepared.dialect.body(fields, deployment, call.api, streamed=call.is_streamed)
        conversation = self.conversation
        if conversation is None or fields is not call.fields:
            conversation = crossing.heard.read_request(fields)
        if fields is call.fields:
            self.conversation = conversation
        conversation, removed = without(conversation, deployment.remove)
        body = crossing.spoken.write_request(conversation, deployment, streamed=call.is_streamed)
        return Body(body.data, body.dropped + removed) if removed else body

    def _cancel(self, action: Cancel) -> None:
        self.attempts[action.attempt].cancel(action.reason)

    def _begin(self, _: Begin) -> None:
        self.begun = True
        self.status = 200
        self.reply.begin(self._id_header())

    def _keep_alive(self, _: KeepAlive) -> None:
        voice = hearing(self.call.api.dialect)
        if voice is not None:
            self.reply.write(voice.KEEP_ALIVE)

    def _commit(self, action: Commit) -> None:
        self.answer = attempt = self.attempts[action.attempt]
        if not self.call.is_streamed or attempt.is_whole:
            self.status = attempt.status
            headers, body = self._headers(attempt, with_cost=True), attempt.parts[0]
            if attempt.translated is not None:
                body = attempt.translated.body(self._cost_usd(attempt))
            if attempt.content_type:
                self.reply.whole(attempt.status, headers, body, attempt.content_type)
            else:
                self.reply.whole(attempt.status, headers, body)
            return
        if not self.begun:
            self.begun = True
            self.status = 200
            headers = self._headers(attempt, with_cost=False)
            if attempt.content_type:
                self.reply.begin(headers, attempt.content_type)
            else:
                self.reply.begin(headers)
        if self.is_paused and attempt.exchange is not None:
            attempt.exchange.pause()
        data = attempt.take()
        if data:
            self.reply.write(data)

    def _join(self, action: Join) -> None:
        self.answer = attempt = self.attempts[action.attempt]
        if self.is_paused and attempt.exchange is not None:
            attempt.exchange.pause()
        self.reply.write(b": continued by %b\n\n" % attempt.deployment.id.encode() + attempt.take())

    def _forward(self, action: Forward) -> None:
        data = self.attempts[action.attempt].take()
        if data:
            self.reply.write(data)

    def _finish(self, action: Finish) -> None:
        attempt = self.attempts[action.attempt]
        if not self.call.is_streamed or attempt.is_whole:
            return
        last = self._last_frames(attempt)
        if last:
            self.reply.write(last)
        self.reply.finish()
        if attempt.exchange is not None:
            self.gate.linger(attempt.exchange)

    def _fail(self, action: Fail) -> None:
        fault = action.fault
        if self.begun:
            self.reply.fail_in_band(fault)
            return
        self.status = fault.status
        lines = self._id_header()
        last = self.attempts[-1] if self.attempts else None
        lines += b"x-wicket-deployment: %b\r\n" % (last.deployment.id.encode() if last else b"")
        self.reply.refuse(fault, lines + (_upstream_id(last.headers) if last else b""))

    def _settle(self, action: Settle) -> None:
        self.gate.active.discard(self)
        record = None
        try:
            record = self._record(action)
        finally:  # behind the record, so that what was drawn is never told before it
            hold, self.hold = self.hold, None  # which ends the cycle between the two
            if hold is not None:
                hold.settle(record)

    def _record(self, action: Settle) -> Record:
        gate = self.gate
        status = self.status or 499  # nobody was there to see one
        record = settle(self.call, self.attempts, self.answer, status, action.outcome, gate.now_us())
        if self.call.collected is not None and action.outcome == "ok":
            self._collect()  # before its record: who sees that may speak of this
        task = self.call.route.task
        note_costs(record, self.call, self.answer, gate.rates)
        if task:
            note_cascade(record, self.call, self.answer, gate.rates)
        gate.record(record)
        for attempt in self.attempts:  # ends the cycle between drive and attempts, so no collector is needed
            attempt.forget()
        if task and gate.checks is not None:
            gate.checks.settled(self, record)
        return record

    def _collect(self) -> None:
        """Give the example away; whatever is wrong with it, the record is written."""
        try:
            self.gate.keep(example_of(self.call, self.answer))
        except Exception as error:  # no trace: the frames of one hold what was said
            _log.error("%s was not collected: %s", format_id(self.call.id), type(error).__name__)

    # what the caller reads beside the answer

    def _id_header(self) -> bytes:
        return b"x-request-id: req_%016x\r\n" % self.call.id

    def _headers(self, attempt: Attempt, *, with_cost: bool) -> bytes:
        lines = b"x-request-id: req_%016x\r\n%b" % (self.call.id, attempt.prepared.name_header)
        headers = attempt.headers
        lines += _upstream_id(headers)
        left_out = attempt.left_out
        if left_out:
            lines += dropped_line(left_out)
        elif b"x-wicket-dropped" in headers:
            lines += b"x-wicket-dropped: %b\r\n" % headers[b"x-wicket-dropped"]
        if attempt.deployment.engine:
            lines += confidence_header(headers)
        if self.hold is not None:
            lines += self.hold.lines()
        if with_cost and attempt.prepared.price is not None:
            lines += b"x-wicket-cost-usd: %b\r\n" % format_usd(charge_of(self.call, attempt)).encode()
        return lines

    def _cost_usd(self, attempt: Attempt) -> float | None:
        return None if attempt.prepared.price is None else charge_of(self.call, attempt) / 1e9

    def _last_frames(self, attempt: Attempt) -> bytes:
        """What the caller's dialect has behind an answer: usage with our cost in it, an end mark."""
        if self.call.api.is_media:  # these end as their provider ends them
            return b""
        voice = hearing(self.call.api.dialect)
        if not (self.call.wants_usage or attempt.is_marked or attempt.translated is not None):
            mark: bytes | None = getattr(voice, "END_MARK", None)
            if mark is not None:
                return mark
        usage, cost_usd = attempt.bill()[0], self._cost_usd(attempt)
        counts = counts_of(usage)
        if attempt.translated is not None:
            frames: bytes = attempt.translated.last_frames(counts if usage.is_estimated else None, cost_usd)
            return mark_continued(frames, attempt) if attempt.continued is not None else frames
        write = getattr(voice, "last_frames", None)
        if write is None:
            return b""
        ending = Ending(
            model=attempt.model or attempt.deployment.model,
            usage_frame=attempt.usage_frame,
            counts=counts,
            is_estimated=usage.is_estimated,
            cost_usd=cost_usd,
            is_marked=attempt.is_marked,
        )
        frames = write(asked_of(self.call), ending)
        return mark_continued(frames, attempt) if attempt.continued is not None else frames


def _upstream_id(headers: Mapping[bytes, bytes]) -> bytes:
    """What the provider calls the request, where it says so: for asking it about one."""
    name = next((name for name in UPSTREAM_IDS if name in headers), b"")
    return b"x-wicket-upstream-request-id: %b\r\n" % headers[name] if name else b""


PERFORM: dict[type, Callable[[Drive, Any], None]] = {
    Send: Drive._send,
    Cancel: Drive._cancel,
    Begin: Drive._begin,
    KeepAlive: Drive._keep_alive,
    Commit: Drive._commit,
    Join: Drive._join,
    Forward: Drive._forward,
    Finish: Drive._finish,
    Fail: Drive._fail,
    Settle: Drive._settle,
}
