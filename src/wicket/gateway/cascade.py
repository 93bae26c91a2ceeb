"""What a cascade adds to the request path: a mini's attempt, its floor, what the large model would have cost.

`auto` shares the floor and the soft failures. Nothing here runs for any other route but one test of an
attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec

from wicket.accounts.record import Record, Usage
from wicket.config.deployments import price_of
from wicket.dialects.contract import Api
from wicket.dialects.openai_chat import CHAT
from wicket.errors import Fault
from wicket.gateway.attempt import Attempt, cost_of
from wicket.gateway.call import Call
from wicket.gateway.crossing import is_conversation
from wicket.gateway.events import Event, Failed, Refused
from wicket.gateway.openai_form import said_in_frames, said_whole, text_of
from wicket.gateway.request import Prepared, Rates
from wicket.minis.confidence import NEVER
from wicket.minis.terms import CascadeTerms

CHECK = Api("chat.check", CHAT.path, can_stream=False, dialect=CHAT.dialect)
_CONFIDENCE = re.compile(rb"[01](\.[0-9]{1,18})?")
_ROUNDING = 5e-10  # a floor is written with nine digits, and never above what it is


class Cascade(msgspec.Struct, frozen=True):
    """A route's terms as a worker needs them: `header` is the line that a request to the mini carries."""

    terms: CascadeTerms
    header: bytes


def made_ready(terms: Mapping[str, CascadeTerms]) -> dict[str, Cascade]:
    """The terms of all routes, by the route's name, prepared once for many requests."""
    return {name: Cascade(one, floor_line(one.floor)) for name, one in terms.items()}


@lru_cache(maxsize=1024)
def floor_line(floor: float) -> bytes:
    """The header that tells a mini, or the local model of `auto`, how sure it must be."""
    return b"x-wicket-floor: %.9f\r\n" % max(0.0, floor - _ROUNDING)


def floor_now(cascades: Mapping[str, Cascade], call: Call) -> float:
    """The floor of a call's route; above 1 while nothing is known, and for what no mini can do."""
    found = cascades.get(call.route.name)
    return found.terms.floor if found is not None and _may_be_a_minis(call.api) else NEVER


def _may_be_a_minis(api: Api) -> bool:
    return is_conversation(api) and api is not CHECK


def floor_header(cascades: Mapping[str, Cascade], call: Call) -> bytes:
    """The line for a request to a mini; empty where no cascade asks it."""
    if not call.route.task:
        return b""
    found = cascades.get(call.route.name)
    return found.header if found is not None else floor_line(NEVER)


def confidence_header(headers: Mapping[bytes, bytes]) -> bytes:
    """What a local model said of its answer, as a line for the caller."""
    said = headers.get(b"x-wicket-confidence", b"")
    return b"x-wicket-confidence: %b\r\n" % said if _CONFIDENCE.fullmatch(said) else b""


class SoftAttempt(Attempt):
    """An attempt whose failures are never waited for and never the caller's: the next one is asked.

    To the walk each is one of a model that is not confident, so the caller hears of the next one's failure;
    the record has its own code.
    """

    def __init__(
        self,
        number: int,
        call: Call,
        prepared: Prepared,
        report: Callable[[Event], None],
        clock: Callable[[], int],
    ) -> None:
        super().__init__(number, call, prepared, report, clock)
        self.report = self._soften
        self._tell_walk = report

    def _soften(self, event: Event) -> None:
        if isinstance(event, Failed | Refused):
            fault = event.fault
            fault.again, fault.elsewhere = False, True
            self._rename(fault)
        self._tell_walk(event)

    def _rename(self, fault: Fault) -> None:
        fault.code = "not_confident"

    def forget(self) -> None:
        """See `Attempt.forget`."""
        super().forget()
        self._tell_walk = _nobody


class MiniAttempt(SoftAttempt):
    """An attempt at a mini; what it said is kept until the request is settled, to be checked and counted."""

    is_kept = True

    def _rename(self, fault: Fault) -> None:
        if self.call.route.task and fault.code == "context_length_exceeded":
            fault.code = "not_confident"  # to the walk: the large model has a context of its own

    def take(self) -> bytes:
        """See `Attempt.take`."""
        data = super().take()
        self.parts.append(data)
        return data

    @property
    def confidence(self) -> float:
        """What it claimed; -1 if it said nothing."""
        said = self.headers.get(b"x-wicket-confidence", b"")
        return float(said) if _CONFIDENCE.fullmatch(said) else -1.0

    @property
    def text(self) -> str:
        """What it answered, as far as it came."""
        if self.translated is not None and self.translated.gathered is not None and self.call.is_streamed:
            return self.translated.gathered.text
        data = b"".join(self.parts)
        return (said_in_frames(data) if self.splitter is not None else said_whole(data)) or ""


def note_cascade(record: Record, call: Call, answer: Attempt | None, rates: Rates) -> None:
    """Put into a cascade's record its task and what its last deployment would have cost; learn its rates.

    A check is charged to nobody, and without the mini there would be none: it has no such cost.
    """
    large = call.route.deployments[-1]
    record.task = call.route.task
    record.large_cost_nanos = -1
    if call.api is CHECK:
        record.charge_nanos = 0
    if answer is None or large.task or large.prices is None:
        return
    if answer.deployment.id == large.id:
        _learn(answer, rates)
    if call.api is CHECK:
        return
    if answer.deployment.id == large.id:
        record.large_cost_nanos = answer.bill()[1]
        return
    usage = answer.bill()[0]
    if isinstance(answer, MiniAttempt):
        usage = Usage(
            rates.inputs.nearest(large.id, call.body_bytes),
            rates.texts.nearest(large.id, len(answer.text.encode(errors="replace"))),
            is_estimated=True,
        )
    record.large_cost_nanos = cost_of(price_of(large), usage)


def _learn(answer: Attempt, rates: Rates) -> None:
    """Every request teaches here, not one in sixteen: a large model that is rarely asked is soon known."""
    counts, name = answer.counts, answer.deployment.id
    if counts is None:
        return
    rates.inputs.learn(name, answer.call.body_bytes, counts.input_tokens)
    text = text_of(answer) if answer.splitter is None else None
    if text:
        rates.texts.learn(name, len(text.encode(errors="replace")), counts.output_tokens)


def _nobody(_: Event) -> None:
    """Who a settled attempt's events go to."""
