from typing import Any

import pytest

from tests.unit.engines.mini_runs import SLOTS, TEXT_SHAPE, card
from wicket.dialects.openai_errors import judge as judged_by_the_gateway
from wicket.engines.contract import Done, TokenLogprob
from wicket.engines.host import answer, judgement
from wicket.engines.host.floor import read_floor
from wicket.engines.host.judgement import Ask, NotConfident, Verdict
from wicket.engines.host.request import Limits
from wicket.errors import CallerFault, ProviderFault
from wicket.minis.card import MiniCard
from wicket.minis.confidence import confidence, evidence
from wicket.minis.familiarity import familiarity
from wicket.wire import json

USER = {"role": "user", "content": "a table for four"}
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}
LIMITS = Limits(context_tokens=100, vocab_size=300, max_logprobs=20)
STOP = Done(1, "stop", 5, 0, 3, TokenLogprob(2, -0.5))
SURE = [TokenLogprob(7, -0.1), TokenLogprob(8, -0.3)]
FOUR = '{"people":"4"}'


def ask(messages: Any = (USER,), made: MiniCard | None = None, is_cascade: bool = True, **fields: Any) -> Ask:
    body = json.encode({"model": "slots", "messages": messages, **fields})
    return judgement.read(body, made or card(), is_cascade=is_cascade)


def why(**fields: Any) -> str:
    with pytest.raises(NotConfident) as caught:
        ask(**fields)
    assert (caught.value.status, caught.value.code, caught.value.confidence) == (422, "not_confident", 0)
    return caught.value.message


def test_what_it_is_shown() -> None:
    assert ask().shown == "a table for four" and ask().ignored == ()
    parts = [{"type": "text", "text": "a table "}, {"type": "text", "text": "for four"}]
    assert ask([{"role": "user", "content": parts}]).shown == "a table for four"
    several = card(systems=("", "Slots."))
    assert ask([{"role": "system", "content": "Slots."}, USER], several).shown == "#1\na table for four"
    assert ask(temperature=0.7, top_p=0.5, n=1, tools=[], stream=True).ignored == ("temperature", "top_p")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"messages": [USER, {"role": "assistant", "content": "ok"}, USER]}, "one message"),
        ({"messages": [IMAGE]}, "messages[0].content[0]"),
        ({"messages": [{"role": "critic", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "system", "content": "Slots."}, USER]}, "system prompt"),
        ({"messages": [{"role": "user", "content": ""}]}, "one message"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "form: tools"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "form: tools"),
        ({"functions": [{"name": "f"}]}, "form: functions"),
        ({"n": 2}, "form: n"),
        ({"n": 100}, "form: n"),
        ({"logprobs": True}, "form: logprobs"),
        ({"logit_bias": {"5": 100}}, "form: logit_bias"),
        ({"ignore_eos": True}, "form: ignore_eos"),
        ({"modalities": ["text", "audio"]}, "form: modalities"),
        ({"temperature": 5}, "form: temperature"),
        ({"response_format": {"type": "grammar"}}, "form: response_format.type"),
    ],
)
def test_forms_go_up(fields: dict[str, Any], word: str) -> None:
    assert word in why(**fields)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"messages":[]}', b'{"messages":["a"]}'])
@pytest.mark.parametrize("is_cascade", [False, True])
def test_a_malformed_request_is_the_callers_mistake(body: bytes, is_cascade: bool) -> None:
    with pytest.raises(CallerFault) as caught:
        judgement.read(body, card(), is_cascade=is_cascade)
    assert caught.value.status == 400


def test_without_a_cascade_wrong_values_are_the_callers_mistake() -> None:
    with pytest.raises(CallerFault) as caught:
        ask(temperature=5, is_cascade=False)
    assert (caught.value.status, caught.value.param) == (400, "temperature")
    with pytest.raises(NotConfident, match="system prompt"):
        ask([{"role": "system", "content": "Slots."}, USER], is_cascade=False)


@pytest.mark.parametrize("header", ["", "0", "1", "2.0", "0.95", "0.1234567890123456", "5e-05"])
def test_floors(header: str) -> None:
    assert read_floor(header) == (float(header) if header else None)


@pytest.mark.parametrize("header", ["nan", "inf", "-1", "0,95", "high", "1e9", "0x1", " 0.5", "1" * 400, "٣"])
def test_what_is_no_floor(header: str) -> None:
    with pytest.raises(CallerFault) as caught:
        read_floor(header)
    assert (caught.value.status, caught.value.param) == (400, "x-wicket-floor")


def test_room() -> None:
    made = card(max_input_tokens=20, max_output_tokens=10)
    assert judgement.output_tokens(20, ask(), made, LIMITS) == 10
    assert judgement.output_tokens(20, ask(max_tokens=3), made, LIMITS) == 3
    assert judgement.output_tokens(20, ask(max_completion_tokens=30), made, LIMITS) == 10
    with pytest.raises(NotConfident, match="21 tokens"):
        judgement.output_tokens(21, ask(), made, LIMITS)
    with pytest.raises(NotConfident, match="do not fit"):
        judgement.output_tokens(91, ask(), card(max_output_tokens=10), LIMITS)


def test_confidence_is_the_cards_over_the_whole_answer() -> None:
    made = card()
    verdict = judgement.judge(made, ask(), '{"people": "4"}', SURE, STOP)
    seen = evidence([-0.1, -0.3, -0.5], familiarity(made.familiarity, "a table for four"))
    assert verdict == Verdict(FOUR, confidence(made.calibration, seen)) and 0.9 < verdict.confidence < 1


SCHEMA = {"type": "object", "properties": {"people": {"type": "string"}}, "required": ["people"]}


def shaped(schema: Any) -> dict[str, Any]:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
    }


@pytest.mark.parametrize(
    ("text", "fields", "word"),
    [
        ("", {}, "broken answer: empty"),
        ("four", {}, "broken answer: not_json"),
        ('{"guests":"4"}', {}, "broken answer: unknown_key"),
        ('{"people":4}', {}, "broken answer: wrong_type"),
        (FOUR, {"stop": ["4"]}, "cut: it holds a stop string"),
        (FOUR, shaped({"type": "object", "properties": {"people": {"type": "integer"}}}), "another shape"),
        (FOUR, shaped({"type": "object", "required": ["time"]}), "response_format: another shape"),
        (FOUR, shaped({"properties": {"people": {"pattern": "^4$"}}}), "'pattern'"),
        (FOUR, shaped(SCHEMA), ""),
        (FOUR, {"response_format": {"type": "json_object"}}, ""),
        (FOUR, {"response_format": {"type": "text"}, "stop": ["5"]}, ""),
        (f"```json\n{FOUR}\n```", shaped(SCHEMA), ""),
    ],
)
def test_what_speaks_against_an_answer(text: str, fields: dict[str, Any], word: str) -> None:
    verdict = judgement.judge(card(), ask(**fields), text, SURE, STOP)
    assert (verdict.why, verdict.confidence == 0) == (verdict.why, bool(word)) and word in verdict.why


def test_an_answer_that_is_cut_or_has_no_number_is_worth_nothing() -> None:
    cut = judgement.judge(card(), ask(), FOUR, SURE, Done(1, "length", 5, 0, 3))
    assert (cut.confidence, cut.why) == (0, "cut: no end within 3 tokens")
    odd = judgement.judge(card(), ask(), FOUR, [TokenLogprob(7, float("nan"))], STOP)
    assert (odd.confidence, odd.why) == (0, "broken answer: no probability")


def test_text_answers() -> None:
    made = card(answers=TEXT_SHAPE)
    plain = judgement.judge(made, ask(), " yes \n", SURE, STOP)
    assert (plain.content, plain.why) == ("yes", "")
    as_json = ask(response_format={"type": "json_object"})
    assert judgement.judge(made, as_json, "yes", SURE, STOP).why == "response_format: not JSON"
    assert judgement.judge(made, as_json, "[1]", SURE, STOP).why == "response_format: another shape"


@pytest.mark.parametrize(
    "doubt",
    [
        NotConfident("engine: context_length_exceeded"),
        NotConfident("long: 600 tokens, and it was trained with up to 400"),
        NotConfident("long: 90 tokens and an answer of 60 do not fit"),
        NotConfident("form: not one message of text by the user"),
        NotConfident("engine: engine_queue_full"),
    ],
    ids=lambda doubt: str(doubt)[34:50],
)
def test_the_gateway_reads_none_of_it_as_something_else(doubt: NotConfident) -> None:
    found = judged_by_the_gateway(doubt.status, {}, answer.error(doubt))
    assert (found.code, found.status, found.message) == ("not_confident", 422, doubt.message)
    assert not isinstance(found, ProviderFault) or found.elsewhere
    assert not found.again and SLOTS.kind == "json"
