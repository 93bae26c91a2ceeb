"""One try of one deployment: reads the upstream's answer and tells the walk what it means.

It is the upstream's `Sink`. Bytes become whole frames here, each looked at only as far as needed for
output, finish reason, usage and errors; nothing is re-encoded, unless the caller speaks another dialect
(`crossing`): then frames become deltas and these the caller's frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from wicket.accounts.cost import cost_nanos
from wicket.accounts.kinds import with_unpriced
from wicket.accounts.price import Price
from wicket.accounts.record import NO_USAGE, Usage
from wicket.dialects.contract import Counts, Frame, Whole
from wicket.dialects.openai_chat import CHAT
from wicket.dialects.translation import Splitter
from wicket.errors import Fault, ProviderFault, UpstreamBroken
from wicket.gateway import observe
from wicket.gateway.counting import usage_of
from wicket.gateway.crossing import Translated
from wicket.gateway.events import Ended, Event, Failed, Finished, Heard, Opened, Refused, Spoke
from wicket.gateway.partial import can_be_continued, has_room, text_of
from wicket.gateway.walk_end import HEDGE_LOST
from wicket.wire import json
from wicket.wire.sse import FrameSplitter, FrameTooLong, payload

if TYPE_CHECKING:
    from wicket.gateway.call import Call
    from wicket.gateway.lanes import Place
    from wicket.gateway.request import Prepared
    from wicket.routing.vitals import Vitals
    from wicket.upstream.contract import Exchange

MAX_ERROR_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_HELD_BYTES = 32 * 1024 * 1024
MAX_TAKEN_BYTES = 1024 * 1024  # of an answer that is kept or continued: frames wrap few bytes in many
LEARN_MASK = 15  # one request in 16 teaches the bytes per token; a stream's frames stand for its tokens


class Attempt:
    """What came back from one deployment so far."""

    # Most of these never change in most attempts, hence defaults on the class: creating one stays cheap.
    exchange: Exchange | None = None
    first_token_us = -1
    ended_us = -1
    status = 0
    headers: Mapping[bytes, bytes] = MappingProxyType({})
    splitter: Splitter | None = None
    translated: Translated | None = None
    is_kept = False  # whether a translated stream is put together for a look at it afterwards
    keeps_frames = False  # whether the caller's frames are collected, or could be continued
    size = 0
    held_bytes = 0
    usage_frame = b""
    num_frames = 0  # frames with output, the estimate of last resort
    spoke = False
    num_finished = 0
    finished = False  # every choice is
    done = False
    is_marked = False  # the provider's own end mark goes to the caller
    counts: Counts | None = None
    model = ""
    body = b""  # the caller's, where it is not the provider's
    is_whole = False  # although a stream was asked for
    content_type = b""  # of an answer that goes out with a type of its own
    fault: Fault | None = None
    reason = ""
    dropped: tuple[str, ...] = ()
    taken: list[bytes] | None = None  # the frames that the caller got, where they are kept or continued
    num_taken = 0  # bytes of the answer that the caller got, counted where `taken` is kept
    kind = ""  # "hedge" or "continuation", see `events.Send`
    continued: Attempt | None = None  # whose broken answer it goes on with
    num_before = 0  # tokens of that, estimated
    answer_id = ""  # the id that it gave the answer
    place: Place | None = None  # in its provider's lane, where there is one
    vitals: Vitals | None = None  # of its deployment, while it runs there
    is_probe = False  # sent while its deployment was spared, to see whether it is well again
    has_rivals = False  # the plan has others
    has_others = False  # behind it in the plan
    read_frame: Callable[[bytes], Frame] | None = None  # for streams with a reader of their own
    _bill: tuple[Usage, int] | None = None

    def __init__(
        self,
        number: int,
        call: Call,
        prepared: Prepared,
        report: Callable[[Event], None],
        clock: Callable[[], int],
    ) -> None:
        self.number = number
        self.call = call
        self.prepared = prepared
        self.deployment = prepared.deployment
        if prepared.crossing is not None:
            model = prepared.deployment.model
            self.translated = Translated(prepared.crossing, call, model, is_kept=self.is_kept)
        if call.is_streamed and (call.collected is not None or call.route.continues):
            self.keeps_frames = True
        self.report = report
        self.clock = clock
        self.started_us = clock()
        self.parts: list[bytes] = []  # a whole answer or an error body
        self.out: list[bytes] = []  # frames not forwarded yet

    # upstream.contract.Sink

    def on_headers(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Decide how the body is read: frames, a whole answer, or an error's text."""
        self.status = status
        self.headers = found = dict(headers)
        if not 200 <= status < 300:
            fault = self.prepared.dialect.judge(status, found, b"")
            self.report(Refused(self.number, self.clock(), fault))
            return
        if self.call.is_streamed and found.get(b"content-type", b"").startswith(self.prepared.stream_type):
            self.splitter = FrameSplitter() if self.translated is None else self.translated.splitter()
            self.report(Opened(self.number, self.clock()))

    def on_data(self, data: bytes) -> None:
        """Body bytes: cut into frames, or kept until the end."""
        if self.done:
            return
        if self.splitter is not None:
            self._read_frames(data)
            return
        self.size += len(data)
        is_error = not 200 <= self.status < 300
        if self.size <= (MAX_ERROR_BYTES if is_error else MAX_ANSWER_BYTES):
            self.parts.append(data)
        elif not is_error:
            self._fail(too_large())

    def on_end(self) -> None:
        """The body is complete by HTTP's rules; the dialect has the last word."""
        if self.done:
            return
        if self.splitter is not None:
            self._end_stream()
            return
        data = b"".join(self.parts)
        if not 200 <= self.status < 300:
            self._fail(self.prepared.dialect.judge(self.status, self.headers, data))
            return
        try:
            whole = self.read_whole(data)
        except Fault as fault:
            self._fail(fault)
            return
        if self.call.is_streamed:
            if not self.may_be_whole():
                self._fail(not_streamed())
                return
            self.is_whole = True
        self.counts = whole.counts
        self.model = whole.model
        self.parts = [self.body or data]
        self._over()
        self.report(Ended(self.number, self.ended_us))

    def may_be_whole(self) -> bool:
        """Whether a whole answer will do for who asked for a stream."""
        return False

    def read_whole(self, data: bytes) -> Whole:
        """A complete answer. Raises the fault that it is or tells of."""
        if self.translated is None:
            return self.prepared.dialect.whole(data, self.call.api)
        if self.call.is_streamed:
            raise not_streamed()
        return self.translated.whole(data)

    def on_failure(self, fault: ProviderFault, *, reused: bool, headers_seen: bool) -> None:
        """The connection failed; an idle one that had gone stale is told apart."""
        if self.done:
            return
        is_stale = reused and not headers_seen and fault.code == "reset"
        if fault.code == "reset":
            fault.again = True
        if self.finished and headers_seen:  # everything that matters had come
            self._over()
            self.report(Ended(self.number, self.ended_us))
            return
        if headers_seen and not 200 <= self.status < 300:  # the status had said it, its text was only cut
            self._fail(self.prepared.dialect.judge(self.status, self.headers, b"".join(self.parts)))
            return
        self._fail(fault, is_stale=is_stale)

    # what the drive asks

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of the request and of the answer, as far as it was read, was left out in translation."""
        if self.translated is None:
            return self.dropped
        return self.dropped + tuple([f"response.{path}" for path in self.translated.unread])

    def not_sent(self, fault: Fault) -> Failed:
        """It can't be asked at all: what the walk is told."""
        self.fault = fault
        self.cancel(fault.code)
        return Failed(self.number, self.ended_us, fault)

    def cancel(self, reason: str) -> None:
        """Abandon it; the counts so far stay."""
        if not self.done:
            self.reason = reason
            self._over()
        if self.vitals is not None or self.place is not None:
            observe.over(self)
        if self.exchange is not None:
            self.exchange.cancel()

    def refuse(self, fault: Fault) -> None:
        """It can't go out."""
        if not self.done:
            self._fail(fault)

    def take(self) -> bytes:
        """The frames that wait to be forwarded, as one block of bytes."""
        if not self.out:
            return b""
        out = self.out
        if self.keeps_frames:
            self._keep(out)
        self.out = []
        self.held_bytes = 0
        out.append(b"")
        return b"\n\n".join(out)

    def _keep(self, frames: list[bytes]) -> None:
        """Frames that go to the caller now; no more of them than an example may have."""
        self.num_taken += self.held_bytes
        if self.taken is None:
            self.taken = []
        if self.num_taken <= MAX_TAKEN_BYTES:
            self.taken += frames

    def said(self) -> str | None:
        """The text that the caller has of this answer; None if it is none that could be continued."""
        call = self.call
        if call.api is not CHAT or self.finished or self.num_taken > MAX_TAKEN_BYTES:
            return None
        if not (can_be_continued(call.fields) and has_room(call.fields, self.num_before + self.num_frames)):
            return None
        text = text_of(self.taken or ())
        return text if text and text.strip() else None

    def bill(self) -> tuple[Usage, int]:
        """What it used and what that costs in nano-USD; computed once, when it is over."""
        if self._bill is None or not self.done:
            usage, price = self._usage(), self.prepared.price
            if usage.other is not None and price is not None:
                usage = with_unpriced(price, usage)
            self._bill = (usage, cost_of(price, usage))
        return self._bill

    def forget(self) -> None:
        """Settled: whatever still comes concerns nobody."""
        self.done = True
        if self.vitals is not None or self.place is not None:
            observe.over(self)
        self.report = _ignore

    def _usage(self) -> Usage:
        """Reported counts, or an estimate of what was produced, marked as such."""
        counts = self.counts
        if counts is not None:
            if not self.call.id & LEARN_MASK:
                self._learn(counts)
            return usage_of(counts)
        is_whole = self.reason == "" and self.fault is None and self.done
        was_at_work = self.reason == HEDGE_LOST and self.exchange is not None  # and not still in a queue
        if not (self.spoke or is_whole or was_at_work):
            return NO_USAGE
        name = self.deployment.id
        output = self.num_frames if self.splitter else self.prepared.rates.outputs.estimate(name, self.size)
        return Usage(
            self.prepared.rates.inputs.estimate(name, self.call.body_bytes), output, is_estimated=True
        )

    def _learn(self, counts: Counts) -> None:
        name = self.deployment.id
        self.prepared.rates.inputs.learn(name, self.call.body_bytes, counts.input_tokens)
        if self.splitter is None:
            self.prepared.rates.outputs.learn(name, self.size, counts.output_tokens)

    # reading

    def _read_frames(self, data: bytes) -> None:
        assert self.splitter is not None
        try:
            frames = self.splitter.feed(data)
            spoke, finished = self._look(frames) if self.translated is None else self._cross(frames)
        except FrameTooLong:
            self._fail(UpstreamBroken("too_large", "The provider sent a stream frame larger than the bound."))
            return
        except Fault as fault:
            self._tell(False, self.finished)
            self._fail(fault)
            return
        self._tell(spoke, finished)

    def _look(self, frames: list[bytes]) -> tuple[bool, bool]:
        read, spoke, finished = self.read_frame or self.prepared.dialect.frame, False, self.finished
        for frame in frames:
            data = payload(frame)
            if not data:
                continue
            facts = read(data)
            if facts.fault is not None:
                if facts.counts is not None:
                    self._note_counts(facts.counts)
                raise facts.fault
            if facts.model:
                self.model = facts.model
            if facts.counts is not None:
                self._note_counts(facts.counts)
            if facts.finished:
                finished = self._count_finish()
            if facts.is_usage:
                self.usage_frame = data
            if facts.is_done:
                self.done = True
                if facts.goes_out:
                    self.is_marked = True
                    self.out.append(frame)
                break
            if facts.is_usage:
                continue
            if facts.spoke:
                spoke = True
                self.num_frames += 1
            self.out.append(frame)
            self.held_bytes += len(frame)
        if self.held_bytes > MAX_HELD_BYTES:
            raise too_large()
        return spoke, finished

    def _cross(self, frames: list[bytes]) -> tuple[bool, bool]:
        """`_look` for a caller of another dialect."""
        assert self.translated is not None
        is_events, spoke = isinstance(self.splitter, FrameSplitter), False
        for frame in frames:
            data = payload(frame) if is_events else frame
            if data:
                spoke = self._take_over(*self.translated.read(data)) or spoke
            if self.done:
                break
        if self.held_bytes > MAX_HELD_BYTES:
            raise too_large()
        return spoke, self.num_finished > 0

    def _take_over(self, facts: Frame, written: bytes) -> bool:
        """Note what was said, keep the caller's frames for it; whether it was output. Raises its fault."""
        if written:
            self.out += written.removesuffix(b"\n\n").split(b"\n\n")
            self.held_bytes += len(written)
        if facts.model:
            self.model = facts.model
        if facts.counts is not None:
            self._note_counts(facts.counts)
        self.num_frames += facts.spoke
        self.num_finished += facts.finished
        if facts.fault is not None:
            raise facts.fault
        if facts.is_done and not self.num_finished:
            raise UpstreamBroken("cut", "The provider ended its stream without a finish reason.")
        self.done = self.done or facts.is_done
        return facts.spoke

    def _note_counts(self, counts: Counts) -> None:
        """The largest of each kind: some dialects tell the input first and the output at the end."""
        known = self.counts
        self.counts = counts if known is None else Counts(*map(max, astuple(known), astuple(counts)))

    def _count_finish(self) -> bool:
        """Whether every choice has its finish reason now: of several, some may still be speaking."""
        self.num_finished += 1
        raw = self.call.fields.get("n")
        wanted = json.decode(raw) if raw is not None else 1
        return not isinstance(wanted, int) or self.num_finished >= wanted

    def _tell(self, spoke: bool, finished: bool) -> None:
        """One event per read, however many frames it brought."""
        now = self.clock()
        newly_finished = finished and not self.finished
        self.finished = finished
        if not self.spoke and (spoke or finished or self.done):
            self.spoke = True
            self.first_token_us = now
            if self.has_rivals or self.is_probe:
                observe.spoke(self, now)
            self.report(Spoke(self.number, now))
            if newly_finished and not self.done:
                self.report(Finished(self.number, now))
        elif newly_finished and not self.done:
            self.report(Finished(self.number, now))
        elif self.spoke and not self.done:
            self.report(Heard(self.number, now))
        if self.done and self.ended_us < 0:
            self.ended_us = now
            self.report(Ended(self.number, now))

    def _end_stream(self) -> None:
        assert self.splitter is not None
        rest = self.splitter.finish()
        if self.translated is not None:
            self._end_crossing(rest)
        elif rest:
            self._read_frames(rest + b"\n\n")
        if self.done:
            return
        if self.num_finished:  # the body is whole, and a provider may not have given as many choices as asked
            self._over()
            self.report(Ended(self.number, self.ended_us))
        else:
            self._fail(UpstreamBroken("cut", "The provider's stream ended before its answer did."))

    def _end_crossing(self, rest: bytes) -> None:
        assert self.translated is not None
        try:
            spoke, finished = self._cross([rest]) if rest else (False, self.finished)
            if not self.done:
                spoke = self._take_over(*self.translated.rest()) or spoke
        except Fault as fault:
            self._tell(False, self.finished)
            self._fail(fault)
            return
        self._tell(spoke, finished or self.num_finished > 0)

    def _fail(self, fault: Fault, *, is_stale: bool = False) -> None:
        self.fault = fault
        self.reason = "stale_connection" if is_stale else fault.code
        self._over()
        if self.vitals is not None or self.place is not None:
            observe.over(self)
        if self.exchange is not None:
            self.exchange.cancel()
        may_continue = self.call.route.continues and self.said() is not None
        self.report(Failed(self.number, self.ended_us, fault, is_stale, may_continue))

    def _over(self) -> None:
        self.done = True
        if self.ended_us < 0:
            self.ended_us = self.clock()


def not_streamed() -> UpstreamBroken:
    """The fault of a whole answer to who asked for a stream."""
    return UpstreamBroken("malformed", "The provider answered whole although asked to stream.")


def too_large() -> UpstreamBroken:
    """The fault of an answer beyond the bounds."""
    return UpstreamBroken("too_large", "The provider's answer is larger than the gateway holds.")


def cost_of(price: Price | None, usage: Usage) -> int:
    """Nano-USD of one attempt; 0 for an unknown price and for counts beyond belief (the record has them)."""
    if price is None or usage is NO_USAGE:
        return 0
    try:
        return cost_nanos(price, usage)
    except Fault:
        return 0


def _ignore(_: Event) -> None:
    """What a settled attempt reports to."""
