"""What providers of OpenAI's family want otherwise than OpenAI, as their rows in the catalogue have it."""

import json
import re
from typing import Any

import msgspec
import pytest

from wicket.dialects.hub import Broken, Conversation, Setting, Tool, Used
from wicket.dialects.openai_chat import (
    CHAT,
    EMBEDDINGS,
    body,
    frame,
    read_completion,
    read_request,
    stream_reader,
    whole,
    write_request,
)
from wicket.dialects.openai_chat.messages_edit import nine_characters
from wicket.errors import CallerFault, Fault
from wicket.providers.catalogue import row_of
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin
from wicket.wire.quirks import Quirks

PLAIN = Deployment(id="p/m", provider="p", model="m", origin=Origin("http", "up", 80))
USER = {"role": "user", "content": "hi"}


def at(row: str, **deployment: Any) -> Deployment:
    """A deployment of a provider of the catalogue, "" for an address that no row knows."""
    known = row_of(row) if row else None
    told = {"quirks": known.quirks, "rename": known.rename, "provider": row} if known is not None else {}
    return msgspec.structs.replace(PLAIN, **told, **deployment)


def reads(**fields: Any) -> Conversation:
    return read_request(peek(json.dumps({"model": "x", "messages": [USER], **fields}).encode()))


def writes(conversation: Conversation, row: str = "", **deployment: Any) -> tuple[dict[str, Any], Any]:
    made = write_request(conversation, at(row, **deployment), streamed=False)
    return json.loads(made.data), list(made.dropped)


def passes(row: str, messages: str) -> bytes:
    """The messages as they go out to a provider of the caller's own dialect."""
    data = body(peek(b'{"messages":' + messages.encode() + b"}"), at(row), CHAT, streamed=False).data
    return bytes(peek(data)["messages"])


@pytest.mark.parametrize(
    ("deployment", "name"),
    [
        ({"row": "openai", "model": "o4-mini"}, "max_completion_tokens"),
        ({"row": "openai", "model": "gpt-4.1"}, "max_tokens"),
        ({"row": "github", "model": "openai/gpt-5"}, "max_completion_tokens"),
        ({"model": "gpt-5-mini"}, "max_completion_tokens"),
        ({"model": "openai/o3"}, "max_completion_tokens"),
        ({"model": "llama-3"}, "max_tokens"),
        ({"model": "gpt-5", "rename": {"max_completion_tokens": "max_tokens"}}, "max_tokens"),
    ],
)
def test_the_output_limit_is_spelled_as_it_is_wanted(deployment: dict[str, Any], name: str) -> None:
    assert writes(reads(max_tokens=5), **deployment)[0][name] == 5


EFFORT, BUDGET = {"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 4096}}
OFF = {"reasoning_effort": "none"}
HIDDEN = {"reasoning_effort": "high", "include_reasoning": False}


@pytest.mark.parametrize(
    ("row", "model", "asked", "expected"),
    [
        ("", "m", EFFORT, {"reasoning_effort": "low"}),
        ("", "m", BUDGET, {"reasoning_effort": "medium"}),
        ("fireworks", "m", EFFORT, {"reasoning_effort": "low"}),
        ("fireworks", "m", BUDGET, {"reasoning_effort": "medium"}),
        ("openrouter", "m", EFFORT, {"reasoning": {"effort": "low"}}),
        ("openrouter", "m", BUDGET, {"reasoning": {"max_tokens": 4096}}),
        ("zai", "m", EFFORT, {"thinking": {"type": "enabled"}}),
        ("moonshot", "m", OFF, {"thinking": {"type": "disabled"}}),
        ("deepseek", "m", BUDGET, {"thinking": {"type": "enabled"}}),
        ("qwen", "m", EFFORT, {"enable_thinking": True, "thinking_budget": 2048}),
        ("qwen", "m", BUDGET, {"enable_thinking": True, "thinking_budget": 4096}),
        ("qwen-cn", "m", OFF, {"enable_thinking": False}),
        ("groq", "qwen/qwen3-32b", EFFORT, {"reasoning_format": "parsed", "reasoning_effort": "default"}),
        ("groq", "qwen/qwen3-32b", OFF, {"reasoning_format": "parsed", "reasoning_effort": "none"}),
        ("groq", "openai/gpt-oss-20b", OFF, {"reasoning_effort": "low"}),
        ("groq", "openai/gpt-oss-20b", HIDDEN, {"reasoning_effort": "high", "include_reasoning": False}),
    ],
)
def test_thinking_is_asked_for_in_the_providers_words(
    row: str, model: str, asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    body, _ = writes(reads(**asked), row=row, model=model)
    words = {
        "reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget", "reasoning_format",
        "include_reasoning",
    }  # fmt: skip
    assert {name: value for name, value in body.items() if name in words} == expected


@pytest.mark.parametrize(
    ("row", "model", "asked"),
    [
        ("openai", "gpt-5-mini", {"temperature": 0.3}),
        ("openai", "o3", {"top_p": 0.5}),
        ("azure", "gpt-5", {"presence_penalty": 0.5}),
        ("openai", "o4-mini", {"frequency_penalty": 0.5}),
        ("openai", "gpt-5-nano", {"logit_bias": {"5": 1}}),
        ("openai", "gpt-5", {"logprobs": True}),
        ("xai", "grok-4", {"stop": ["a"]}),
        ("cerebras", "llama-3.3-70b", {"frequency_penalty": 1}),
        ("groq", "llama-3.3-70b-versatile", {"logprobs": True}),
        ("mistral", "mistral-large-latest", {"logit_bias": {"5": 1}}),
    ],
)
def test_settings_that_a_model_answers_with_an_error_are_refused_by_name(
    row: str, model: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(CallerFault) as caught:
        writes(reads(**asked), row=row, model=model)
    assert (caught.value.param, caught.value.status) == (next(iter(asked)), 400)


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-5-chat-latest", "gpt-5.2"])
def test_models_that_sample_are_told_how(model: str) -> None:
    body, dropped = writes(reads(temperature=0.3, top_p=0.5), row="openai", model=model)
    assert (body["temperature"], body["top_p"], dropped) == (0.3, 0.5, [])


def test_a_neutral_value_asks_for_nothing_that_a_model_refuses() -> None:
    conversation = reads()
    conversation.settings |= {Setting.TEMPERATURE: 1.0, Setting.TOP_P: 1.0}
    body, dropped = writes(conversation, row="openai", model="gpt-5")
    assert "temperature" not in body and "top_p" not in body and dropped == []


@pytest.mark.parametrize("name", ["a" * 65, "get.weather", "größe"])
def test_a_functions_name_that_does_not_fit_is_refused_by_its_path(name: str) -> None:
    conversation = Conversation(origin="gemini", turns=[], tools=[Tool(name=name, path="tools[0]")])
    with pytest.raises(CallerFault) as caught:
        writes(conversation, row="openai")
    assert caught.value.param == "tools[0].name"
    assert writes(conversation)[0]["tools"][0]["function"]["name"] == name  # whoever takes any name gets it


def test_ids_of_calls_are_nine_characters_where_they_must_be() -> None:
    ids = ["toolu_01A", "call_1", "abcDEF123"]
    calls = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ids]
    results = [{"role": "tool", "tool_call_id": each, "content": each} for each in reversed(ids)]
    conversation = reads(messages=[USER, {"role": "assistant", "tool_calls": calls}, *results])
    body, _ = writes(conversation, row="mistral")
    sent = [call["id"] for call in body["messages"][1]["tool_calls"]]
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", each) for each in sent) and len(set(sent)) == 3
    assert sent[2] == "abcDEF123"
    back = dict(zip(ids, sent, strict=True))
    assert [(each["tool_call_id"], each["content"]) for each in body["messages"][2:]] == [
        (back[each], each) for each in reversed(ids)
    ]
    assert writes(conversation, row="mistral")[0] == body


def test_an_answer_to_go_on_with_says_so_where_it_must() -> None:
    messages = [USER, {"role": "assistant", "content": "a", "prefix": True}]
    conversation = reads(messages=messages)
    assert conversation.unread == []
    assert writes(conversation, row="mistral")[0]["messages"] == messages
    assert "prefix" not in writes(conversation, row="openai", model="gpt-4.1")[0]["messages"][1]


def test_turns_alternate_where_they_must() -> None:
    messages = [
        USER,
        USER,
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "b"},
        USER,
    ]
    body, _ = writes(reads(messages=messages), row="perplexity")
    assert [each["role"] for each in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == "a\n\nb"


HISTORY = r"""[ {"role": "user", "content": "the words \"tool_call_id\": \"call_1\" stay"},
  {"role": "assistant", "content": null, "reasoning_details": [{"id": "kept"}], "tool_calls": [
    {"id" : "call_1", "type": "function",
     "function": {"name": "f", "arguments": "{\"id\": \"call_1\"}"}}]},
  {"role": "tool", "tool_call_id": "call_1", "content": "1.50"} ]"""


def test_in_passing_only_the_ids_of_calls_are_made_to_fit() -> None:
    sent = passes("mistral", HISTORY)
    new = nine_characters(["call_1"])["call_1"].encode()
    before = HISTORY.encode()
    assert json.loads(sent) and sent.count(new) == 2
    assert sent == before.replace(b'"id" : "call_1"', b'"id" : "%b"' % new).replace(
        b'"tool_call_id": "call_1"', b'"tool_call_id": "%b"' % new
    )


@pytest.mark.parametrize("row", ["mistral", "perplexity", "openai", ""])
def test_messages_without_need_pass_byte_for_byte(row: str) -> None:
    plain = '[ {"content":"a","role":"user" },{"role":"assistant","content":"1e5"}, {"role":"tool",'
    plain += '"tool_call_id":"aaaaBBBB9","content":"x"}]'
    assert passes(row, plain) == plain.encode()


@pytest.mark.parametrize("row", ["mistral", "perplexity"])
@pytest.mark.parametrize("messages", ["5", '["a"]', '[{"tool_call_id": 5}]', "[]"])
def test_messages_that_are_none_are_the_providers_affair(row: str, messages: str) -> None:
    assert passes(row, messages) == messages.encode()


def test_in_passing_turns_are_joined_where_they_must_alternate() -> None:
    messages = [
        {"role": "system", "content": "s"},
        USER,
        {"role": "user", "content": [{"type": "text", "text": "b"}]},
    ]
    sent = json.loads(passes("perplexity", json.dumps(messages)))
    assert sent == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "b"}]},
    ]
    named = [USER, {"role": "user", "content": "b", "name": "eve"}]
    assert json.loads(passes("perplexity", json.dumps(named))) == named


def test_other_apis_have_no_messages() -> None:
    sent = body(peek(b'{"input":"a"}'), at("mistral"), EMBEDDINGS, streamed=False)
    assert json.loads(sent.data) == {"model": "m", "input": "a"}


def test_ids_that_look_alike_stay_apart() -> None:
    many = [f"call_{number}" for number in range(20_000)]
    made = nine_characters(many)
    assert len(set(made.values())) == len(many)
    assert nine_characters(reversed(many)) == made


def test_a_row_with_an_unknown_quirk_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tool_ids": "ten"}, Quirks)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"tool_id": "nine"}, Quirks)


@pytest.mark.parametrize(
    ("code", "fault", "status"),
    [
        (1000, "provider_error", 502),
        (1002, "rate_limit_exceeded", 429),
        (1004, "provider_auth_failed", 502),
        (1008, "provider_quota_exhausted", 502),
        (1026, "content_filter", 400),
        (1039, "context_length_exceeded", 400),
        (2013, "invalid_request", 400),
        (4711, "provider_error", 502),
    ],
)
def test_minimax_tells_errors_inside_a_good_answer(code: int, fault: str, status: int) -> None:
    told = {"base_resp": {"status_code": code, "status_msg": "no"}, "choices": None}
    data = json.dumps(told).encode()
    for read in (lambda: whole(data, CHAT), lambda: read_completion(data)):
        with pytest.raises(Fault) as caught:
            read()
        assert (caught.value.code, caught.value.status) == (fault, status)
    told_frame = frame(data).fault
    assert told_frame is not None and told_frame.code == fault
    (broken,) = stream_reader().feed(data)
    assert isinstance(broken, Broken) and broken.fault.code == fault


def test_minimax_s_word_that_all_is_well_is_no_error() -> None:
    answer = {
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        "base_resp": {"status_code": 0, "status_msg": ""},
    }
    data = json.dumps(answer).encode()
    assert whole(data, CHAT).counts is not None
    assert read_completion(data).unread == []


def test_moonshot_reports_usage_inside_the_choice() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    data = json.dumps({"choices": [{"delta": {}, "finish_reason": "stop", "usage": usage}]}).encode()
    passed = frame(data)
    assert passed.finished and passed.counts is not None
    (used,) = [delta for delta in stream_reader().feed(data) if isinstance(delta, Used)]
    assert (passed.counts.input_tokens, passed.counts.output_tokens) == (7, 3)
    assert used.counts == passed.counts
