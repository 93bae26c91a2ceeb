"""A batch for a provider to run: its lines admitted as requests are, and all of them held together.

Every line must be one that its key may send alone, and go to the same model of one provider and credential as
it is, since nobody of ours sees it again. Source: OpenAI's guide "Batch API" (one model for each input file).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from wicket.accounts.price import Price
from wicket.dialects.contract import Api
from wicket.errors import CallerFault, Fault
from wicket.gateway.admit import admit
from wicket.gateway.bound import Bound, Terms
from wicket.gateway.call import Arrival, Call
from wicket.gateway.gate import Gate
from wicket.gateway.hold import Hold, HoldLease
from wicket.gateway.planning import planned
from wicket.gateway.request import Prepared
from wicket.gateway.settle import markup_of
from wicket.routing.deployment import Deployment
from wicket.state.batches import Wrong, read_line
from wicket.state.batches_there import line_there
from wicket.state.inlined import files_named, may_name_files

if TYPE_CHECKING:
    from wicket.accounts.callers import Caller
    from wicket.gateway.drive import Drive

SPEAKERS = ("openai_chat", "openai_responses")  # dialects whose providers may have OpenAI's batches
_RESPONSES = "responses"
_UNTOLD = ("previous_response_id", "conversation", "background")  # what they name is not this request's


class Draft:
    """The lines so far, and what they may come to: `nanos` nano-USD and `tokens` at most."""

    def __init__(self, gate: Gate, api: Api, caller: Caller, endpoint: str) -> None:
        self.lines: list[bytes] = []
        self.nanos = self.tokens = 0
        self.call: Call | None = None  # the first line's
        self.home: Deployment | None = None
        self.price: Price | None = None
        self.markup_ppm = 0
        self._gate = gate
        self._api = api
        self._caller = caller
        self._endpoint = endpoint
        self._routes = gate.check_room()
        self._prepared: Prepared | None = None
        self._terms: Terms | None = None
        self._names: set[str] = set()

    def add(self, number: int, data: bytes) -> None:
        """The next line, counted from 1. Raises `CallerFault` that says its number."""
        try:
            self._add(data)
        except Wrong as wrong:
            raise _wrong_line(number, wrong.code, wrong.message) from None
        except Fault as fault:
            raise _wrong_line(number, fault.code, fault.message) from None

    def _add(self, data: bytes) -> None:
        custom_id, body = read_line(data, self._endpoint)
        if custom_id in self._names:
            raise Wrong(
                "duplicate_custom_id", f"There is a line with the custom_id {custom_id[:64]!r} already."
            )
        self._names.add(custom_id)
        call = self._admitted(body)
        order = planned(self._gate, call)
        if self.call is None:
            self._choose(call, order)
        elif call.model != self.call.model:
            raise Wrong(
                "mismatched_model", f"All lines of a batch ask one model; the first asks '{self.call.model}'."
            )
        elif not any(one is self.home for one in order):
            raise Wrong("no_deployment_left", "The deployment that the batch goes to can't answer this line.")
        assert self._prepared is not None and self._terms is not None
        sent = self._prepared.dialect.body(call.fields, self._prepared.deployment, self._api, streamed=False)
        self.lines.append(line_there(custom_id, self._endpoint, sent.data))
        bound = Bound(call, self._terms)
        output = bound.stated() if bound.output else bound.unsaid()
        self.nanos += bound.nanos(output)
        self.tokens += bound.tokens(output)

    def _admitted(self, body: bytes) -> Call:
        unix_ms = time.time_ns() // 1_000_000
        arrival = Arrival(self._api, {}, body, unix_ms << 21, self._gate.now_us(), unix_ms, is_streamed=False)
        call = admit(arrival, self._caller, self._routes)
        if call.preferences is not None:
            raise Wrong("unsupported", "A batch's requests have no routing of their own.")
        fields = call.fields
        if self._api.name == _RESPONSES:
            for name in _UNTOLD:
                if name in fields and bytes(fields[name]) not in (b"null", b"false"):
                    raise Wrong("unsupported", f"'{name}' is not taken in a batch at a provider.")
            fields = fields | {"store": msgspec.Raw(b"false")}
        if may_name_files(fields) and files_named(fields):
            raise Wrong(
                "unsupported",
                "Files that are kept here are not sent along with a batch: put them in as data.",
            )
        return msgspec.structs.replace(call, fields=fields)

    def _choose(self, call: Call, order: Sequence[Deployment]) -> None:
        for one in order:
            prepared = self._gate.heads.find(one, self._api, False)
            if _fits(one, prepared):
                self.call, self.home, self._prepared = call, one, prepared
                self.price, self.markup_ppm = prepared.price, markup_of(call, one)
                priced = [] if self.price is None else [(self.price, self.markup_ppm)]
                self._terms = Terms((one,), self._api, priced)
                return
        message = (
            f"No provider of '{call.model}' speaks OpenAI's dialect for {self._endpoint}, as its batches do."
        )
        raise Wrong("no_batches", message)


def _fits(one: Deployment, prepared: Prepared) -> bool:
    """Whether a deployment takes these requests as they are, at the place where its batches would be."""
    is_plain = not (one.engine or one.aws or one.google or one.path_template or prepared.gap)
    is_same = prepared.crossing is None and prepared.subject is None
    there = prepared.deployment
    is_there = there.base_path == one.base_path and there.headers == one.headers
    return one.dialect in SPEAKERS and is_plain and is_same and is_there


def _wrong_line(number: int, code: str, message: str) -> CallerFault:
    return CallerFault(code, f"Line {number}: {message}", param="input_file_id")


class Holding:
    """A whole batch where its hold is taken; it stands where a request's drive would."""

    def __init__(self, gate: Gate, draft: Draft) -> None:
        assert draft.call is not None
        self.call = msgspec.structs.replace(draft.call, started_us=gate.now_us())
        self.hold: Hold | None = None
        self.nanos, self.tokens = draft.nanos, draft.tokens
        self._gate = gate
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def take(self) -> Hold | None:
        """What is held for it; None where nothing limits its key. Raises the fault of a limit."""
        if not self.call.caller.meters:
            return None
        if not self._gate.metering.enter(cast("Drive", self), BatchHold):
            try:
                await self._done
            except asyncio.CancelledError:
                if self.hold is not None:
                    self.hold.settle(None)
                raise
        return self.hold

    def set_out(self) -> None:
        """It waited, and is held now."""
        if not self._done.done():
            self._done.set_result(None)

    def turn_away(self, fault: Fault) -> None:
        """It is not held."""
        if not self._done.done():
            self._done.set_exception(fault)


class BatchHold(Hold):
    """All lines of a batch or nothing: no line is made shorter."""

    def _reckon(self) -> None:
        whole = cast(Holding, self.drive)
        self.tokens = whole.tokens
        self.nanos = whole.nanos if self.account.money else 0

    def least(self, lease: HoldLease) -> int:
        """As much as it needs."""
        return self.need(lease)

    def shorten(self, nanos: int) -> None:
        """Nothing can be left out."""
