"""What a cascade adds to a request: floors as headers, soft failures, and what the large model would cost."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.accounts.callers import Caller
from wicket.accounts.record import Record
from wicket.dialects.contract import Counts
from wicket.dialects.openai_chat import CHAT, EMBEDDINGS
from wicket.errors import BusyFault, CallerFault, Fault, ProviderBusy, ProviderFault
from wicket.gateway.attempt import Attempt
from wicket.gateway.call import Call
from wicket.gateway.cascade import (
    CHECK,
    MiniAttempt,
    SoftAttempt,
    confidence_header,
    floor_header,
    floor_line,
    floor_now,
    made_ready,
    note_cascade,
    said_in_frames,
    said_whole,
)
from wicket.gateway.events import Event, Failed
from wicket.gateway.request import Rates, RequestHeads
from wicket.gateway.settle import settle
from wicket.minis.confidence import NEVER
from wicket.minis.terms import CascadeTerms
from wicket.routing.deployment import Deployment, Route
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

BODY = b'{"model":"x","messages":[{"role":"user","content":"a table for two in rome"}]}'
MINI = Deployment(
    id="mini/t",
    provider="mini",
    model="t",
    origin=Origin("unix", "/s", 0),
    engine="mini:t",
    task="t",
    price_id="free",
    prices=(0, 0, None, None, 0),
)
LARGE = Deployment(
    id="p/large",
    provider="p",
    model="large",
    origin=Origin("http", "h", 80),
    price_id="row",
    prices=(3_000_000, 15_000_000, None, None, 7),
)
LOCAL = Deployment(
    id="compact/c", provider="compact", model="c", origin=Origin("unix", "/s", 0), engine="compact"
)
MIDDLE = Deployment(id="p/m", provider="p", model="m", origin=Origin("http", "h", 80))
ROUTE = Route(name="x", deployments=(MINI, MIDDLE, LARGE), policy="cascade", task="t")
RATES = Rates()
HEADS = RequestHeads(RATES)


def call(route: Route = ROUTE, api: object = CHAT, streamed: bool = False) -> Call:
    caller = Caller(key_id=1, name="a", digest=b"")
    return Call(1, api, caller, peek(BODY), len(BODY), "x", route, streamed, False, 0, 0)  # type: ignore[arg-type]


def attempt(asked: Call, deployment: Deployment, told: list[Event] | None = None) -> Attempt:
    kind = MiniAttempt if deployment.task else SoftAttempt if deployment.engine else Attempt
    heard = [] if told is None else told
    return kind(0, asked, HEADS.find(deployment, CHAT, asked.is_streamed), heard.append, lambda: 5)


def answered(asked: Call, deployment: Deployment, text: str, counts: Counts | None = None) -> Attempt:
    made = attempt(asked, deployment)
    usage = None
    if counts is not None:
        usage = {"prompt_tokens": counts.input_tokens, "completion_tokens": counts.output_tokens}
    body = {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": usage, "model": "m"}
    made.on_headers(200, [(b"content-type", b"application/json"), (b"x-wicket-confidence", b"0.98")])
    made.on_data(json.dumps(body).encode())
    made.on_end()
    return made


def noted(asked: Call, answer: Attempt | None, rates: Rates) -> Record:
    record = settle(asked, [answer] if answer else [], answer, 200, "ok", 9)
    note_cascade(record, asked, answer, rates)
    return record


@given(st.floats(0, 1))
def test_a_floor_in_a_header_is_the_floor_and_never_above_it(floor: float) -> None:
    line = floor_line(floor)
    written = float(line.removeprefix(b"x-wicket-floor: ").removesuffix(b"\r\n"))
    assert written <= floor and math.isclose(written, floor, abs_tol=2e-9)


def test_floors_are_for_chat_on_a_cascade_whose_terms_are_known() -> None:
    ready = made_ready({"x": CascadeTerms(0.9731)})
    assert floor_now(ready, call()) == 0.9731
    assert floor_header(ready, call()).startswith(b"x-wicket-floor: 0.9730999")
    assert floor_now(ready, call(api=EMBEDDINGS)) == NEVER and floor_now({}, call()) == NEVER
    assert floor_header({}, call()) == b"x-wicket-floor: 1.999999999\r\n"
    assert floor_header(ready, call(Route(name="mini/t", deployments=(MINI,)))) == b""


@pytest.mark.parametrize(
    ("said", "passed"),
    [(b"0.97", True), (b"1", True), (b"1.0", True), (b"2", True), (b"-0.1", False), (b"0.9\r\nx: y", False)],
)
def test_only_a_number_is_passed_on_as_confidence(said: bytes, passed: bool) -> None:
    headers = {b"x-wicket-confidence": said}
    if said == b"2":
        passed = False
    assert confidence_header(headers) == (b"x-wicket-confidence: %b\r\n" % said if passed else b"")


@pytest.mark.parametrize(
    "fault",
    [
        ProviderBusy("rate_limit_exceeded", "m", status=429, retry_after_ms=500),
        ProviderBusy("reset", "m"),
        BusyFault("overloaded", "m"),
        CallerFault("invalid_value", "temperature"),
    ],
)
def test_whatever_a_mini_says_goes_up_at_once(fault: Fault) -> None:
    told: list[Event] = []
    attempt(call(), MINI, told)._fail(fault)
    [event] = told
    assert isinstance(event, Failed) and event.fault.elsewhere and not event.fault.again


def test_a_context_that_is_too_small_is_the_minis_own_affair() -> None:
    told: list[Event] = []
    made = attempt(call(), MINI, told)
    made._fail(ProviderFault("context_length_exceeded", "m"))
    [event] = told
    assert isinstance(event, Failed) and event.fault.code == "not_confident"
    assert made.reason == "context_length_exceeded", "the record has what it was"
    alone = attempt(call(Route(name="mini/t", deployments=(MINI,))), MINI, told)
    alone._fail(ProviderFault("context_length_exceeded", "m"))
    assert isinstance(told[1], Failed) and told[1].fault.code == "context_length_exceeded"


@pytest.mark.parametrize("code", ["context_length_exceeded", "reset", "connect_failed", "invalid_value"])
def test_a_local_model_of_auto_only_ever_is_not_confident(code: str) -> None:
    told: list[Event] = []
    route = Route(name="auto", deployments=(LOCAL, LARGE), floor=0.8)
    made = attempt(call(route), LOCAL, told)
    made._fail(ProviderBusy(code, "m", retry_after_ms=500))
    [event] = told
    assert isinstance(event, Failed) and (event.fault.code, made.reason) == ("not_confident", code)
    assert event.fault.elsewhere and not event.fault.again


def test_the_large_models_answer_costs_what_it_costs() -> None:
    record = noted(call(), answered(call(), LARGE, "rome", Counts(100, 10)), Rates())
    assert record.task == "t" and record.large_cost_nanos == record.cost_nanos == 300_000 + 150_000 + 7


def test_the_minis_answer_is_priced_by_what_the_large_model_taught() -> None:
    rates = Rates()
    text = '{"city": "rome"}'
    for _ in range(5):
        noted(call(), answered(call(), LARGE, text, Counts(40, 8)), rates)
    answer = answered(call(), MINI, text, Counts(9, 9))
    record = noted(call(), answer, rates)
    assert record.cost_nanos == record.charge_nanos == 0
    assert record.large_cost_nanos == 40 * 3_000 + 8 * 15_000 + 7
    assert isinstance(answer, MiniAttempt) and answer.confidence == 0.98 and answer.text == text


def test_where_nothing_was_learned_four_bytes_are_a_token() -> None:
    record = noted(call(), answered(call(), MINI, "x" * 16, Counts(9, 9)), Rates())
    assert record.large_cost_nanos == round(len(BODY) / 4) * 3_000 + 4 * 15_000 + 7


def test_what_is_not_known_is_minus_one() -> None:
    assert noted(call(), None, Rates()).large_cost_nanos == -1
    unpriced = Route(name="x", deployments=(MINI, MIDDLE), policy="cascade", task="t")
    asked = call(unpriced)
    assert noted(asked, answered(asked, MIDDLE, "a", Counts(1, 1)), Rates()).large_cost_nanos == -1
    alone = Route(name="x", deployments=(MINI,), policy="cascade", task="t")
    assert noted(call(alone), answered(call(alone), MINI, "a", Counts(1, 1)), Rates()).large_cost_nanos == -1


def test_an_answer_from_the_middle_is_its_own_usage_at_the_large_models_price() -> None:
    record = noted(call(), answered(call(), MIDDLE, "a", Counts(100, 10)), Rates())
    assert record.large_cost_nanos == 300_000 + 150_000 + 7


def test_a_check_is_charged_to_nobody_and_teaches_all_the_same() -> None:
    rates = Rates()
    asked = call(api=CHECK)
    record = noted(asked, answered(asked, LARGE, "rome", Counts(100, 10)), rates)
    assert record.charge_nanos == 0 < record.cost_nanos and record.large_cost_nanos == -1
    assert rates.inputs.estimate("p/large", len(BODY)) == 100
    assert rates.texts.estimate("p/large", 4) == 10


def test_what_a_stream_said_is_read_from_its_frames() -> None:
    pieces = [{"choices": [{"delta": {"content": text}}]} for text in ("ro", "me ☃")]
    frames = b"".join(b"data: %b\n\n" % json.dumps(piece).encode() for piece in pieces)
    assert said_in_frames(b": hello\n\n" + frames + b"data: [DONE]\n\n") == "rome ☃"
    assert said_in_frames(b'data: {"choices":[]}\n\ndata: {\n\n') is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"choices":[]}', b'{"choices":[{"message":{"content":null}}]}', b'{"choices":[{}]}'],
)
def test_what_is_no_text_is_none(body: bytes) -> None:
    assert said_whole(body) is None
