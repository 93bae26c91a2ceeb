"""What callers of Cohere's chat ask for, and what they are answered."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from wicket.dialects import cohere
from wicket.dialects.contract import Counts
from wicket.dialects.hub import (
    AnnotationDelta,
    Began,
    Completion,
    Conversation,
    Finish,
    Foreign,
    Format,
    Media,
    Part,
    PartBegan,
    PartEnded,
    Reasoning,
    Refusal,
    Setting,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from wicket.dialects.translation import Asked
from wicket.errors import CallerFault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

ASKED = Asked(id="req_1", created_s=5, model="asked", fields={})
FIND = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
HELLO = [{"role": "user", "content": "hello"}]


def read(**fields: Any) -> Conversation:
    return cohere.read_request(peek(json.dumps({"model": "m", "messages": HELLO, **fields}).encode()))


SETTINGS: list[tuple[str, Any, Setting, Any]] = [
    ("max_tokens", 5, Setting.MAX_OUTPUT_TOKENS, 5),
    ("stop_sequences", ["a", "b"], Setting.STOP, ("a", "b")),
    ("temperature", 0.3, Setting.TEMPERATURE, 0.3),
    ("p", 0.5, Setting.TOP_P, 0.5),
    ("k", 4, Setting.TOP_K, 4),
    ("seed", 7, Setting.SEED, 7),
    ("frequency_penalty", 0.5, Setting.FREQUENCY_PENALTY, 0.5),
    ("presence_penalty", 0.5, Setting.PRESENCE_PENALTY, 0.5),
    ("tool_choice", "REQUIRED", Setting.TOOL_CHOICE, ToolChoice("required")),
    ("tool_choice", "NONE", Setting.TOOL_CHOICE, ToolChoice("none")),
    ("response_format", {"type": "json_object"}, Setting.FORMAT, Format(kind="json_object")),
    (
        "thinking",
        {"type": "enabled", "token_budget": 9},
        Setting.REASONING,
        Reasoning(is_on=True, budget_tokens=9, is_shown=True),
    ),
    ("thinking", {"type": "disabled"}, Setting.REASONING, Reasoning(is_on=False)),
    ("safety_mode", "STRICT", Setting.OWN, {"safety_mode": msgspec.Raw(b'"STRICT"')}),
    ("safety_mode", "OFF", Setting.OWN_HINTS, {"safety_mode": msgspec.Raw(b'"OFF"')}),
    ("logprobs", True, Setting.OWN, {"logprobs": msgspec.Raw(b"true")}),
    ("priority", 3, Setting.OWN_HINTS, {"priority": msgspec.Raw(b"3")}),
    (
        "citation_options",
        {"mode": "OFF"},
        Setting.OWN_HINTS,
        {"citation_options": msgspec.Raw(b'{"mode": "OFF"}')},
    ),
]


@pytest.mark.parametrize(("name", "value", "setting", "wanted"), SETTINGS)
def test_settings(name: str, value: Any, setting: Setting, wanted: Any) -> None:
    found = read(tools=[FIND], **{name: value})
    assert found.settings == {setting: wanted} and found.names == {setting: name}
    assert found.extras == {} and found.unread == []


NEUTRAL = {"k": 0, "frequency_penalty": 0, "presence_penalty": 0, "logprobs": False, "stop_sequences": []}


def test_what_asks_for_nothing_is_nothing_and_what_is_unknown_goes_on() -> None:
    found = read(**NEUTRAL, response_format={"type": "text"}, seed=None, brand_new=[1.0], wicket={})
    assert found.settings == {} and found.unread == []
    assert {name: bytes(raw) for name, raw in found.extras.items()} == {"brand_new": b"[1.0]"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "chatbot", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages[0].content[0].image_url.url",
    ),
    ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]},
        "messages[0].tool_calls[0].function",
    ),
    ({"max_tokens": 0}, "max_tokens"),
    ({"p": "high"}, "p"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_object", "json_schema": 1}}, "response_format.json_schema"),
    ({"thinking": {"type": "maybe"}}, "thinking.type"),
    ({"thinking": {"type": "enabled", "token_budget": 0}}, "thinking.token_budget"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"documents": [{"id": "a"}]}, "documents[0].data"),
    ({"strict_tools": "yes"}, "strict_tools"),
]


@pytest.mark.parametrize(("fields", "path"), WRONG)
def test_what_is_wrong_is_named(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(CallerFault) as caught:
        read(**fields)
    assert caught.value.param == path and path in caught.value.message


def test_a_conversation_with_tools() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a":1}'}}
    document = {"type": "document", "document": {"id": "d", "data": {"text": "rain", "title": "Sky"}}}
    other = {"type": "document", "document": {"data": {"degrees": 5}}}
    found = read(
        tools=[FIND, {"type": "search", "x": 1}],
        strict_tools=True,
        messages=[
            {"role": "system", "content": "Be brief."},
            *HELLO,
            {"role": "assistant", "tool_plan": "I look.", "tool_calls": [call, {**call, "id": "c2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": [document, other]},
            {"role": "tool", "tool_call_id": "c2", "content": "sun"},
            {"role": "assistant", "content": "Rain.", "citations": [{"start": 0}], "odd": 1},
        ],
    )
    system, _, asked, results, said = found.turns
    assert system.role == "system" and [type(one) for one in asked.parts] == [Thinking, ToolCall, ToolCall]
    first, second = results.parts
    assert isinstance(first, ToolResult) and isinstance(second, ToolResult) and results.role == "tool"
    assert [part.text for part in first.parts if isinstance(part, Text)] == ["Sky\nrain", '{"degrees": 5}']
    assert (first.id, second.id) == ("c1", "c2")
    assert isinstance(said.parts[0], Text) and said.parts[0].annotations is not None
    assert [(tool.kind, tool.is_strict) for tool in found.tools] == [("function", True), ("search", None)]
    assert found.unread == ["messages[3].content[0].document.id", "messages[5].odd"]


def test_documents_stand_before_what_the_user_said_last() -> None:
    documents = ["plain", {"data": {"text": "a", "title": "b"}}, {"id": "x", "data": {"snippet": "c"}}]
    found = read(messages=[*HELLO, {"role": "assistant", "content": "x"}, *HELLO], documents=documents)
    last = found.turns[-1].parts
    assert [(one.name, one.text) for one in last if isinstance(one, Media)] == [
        ("", "plain"),
        ("b", "a"),
        ("", '{"snippet": "c"}'),
    ]
    assert isinstance(last[-1], Text) and len(found.turns[0].parts) == 1
    assert found.unread == ["documents[2].id"]


PARTS: list[tuple[Part, dict[str, Any]]] = [
    (Text(text="a"), {"content": [{"type": "text", "text": "a"}]}),
    (Refusal(text="no"), {"content": [{"type": "text", "text": "no"}]}),
    (
        Thinking(origin="anthropic_messages", text="hm", signature="s:1"),
        {"content": [{"type": "thinking", "thinking": "hm", "signature": "anthropic_messages:s:s:1"}]},
    ),
    (
        Thinking(origin="anthropic_messages", is_redacted=True, signature="x"),
        {"content": [{"type": "thinking", "thinking": "", "signature": "anthropic_messages:r:x"}]},
    ),
    (
        ToolCall(origin="gemini", id="c", name="f", arguments='{"a":1}', signature="g"),
        {
            "tool_calls": [
                {
                    "id": "c",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":1}'},
                    "signature": "gemini:s:g",
                }
            ]
        },
    ),
    (
        Media(kind="image", media_type="image/png", data="AA=="),
        {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
    ),
    (Foreign(kind="search", raw=msgspec.Raw(b'{"a":1}')), {"content": [], "foreign_parts": [{"a": 1}]}),
    (
        Text(text="a", annotations=msgspec.Raw(b'[{"url":"u"}]')),
        {"content": [{"type": "text", "text": "a", "annotations": [{"url": "u"}]}]},
    ),
]


@pytest.mark.parametrize(("part", "wanted"), PARTS)
def test_parts_of_an_answer(part: Part, wanted: dict[str, Any]) -> None:
    counts = Counts(10, 20, 4)
    made = Completion(origin="x", parts=[part], finish=Finish.STOP, counts=counts)
    answer = json.loads(cohere.write_completion(made, ASKED, 0.5))
    assert answer["message"] == {"role": "assistant", **wanted}
    assert (answer["id"], answer["finish_reason"]) == ("req_1", "COMPLETE")
    tokens = {"input_tokens": 10, "output_tokens": 20}
    usage = {"billed_units": tokens, "tokens": tokens, "cached_tokens": 4, "cost": 0.5}
    assert answer["usage"] == usage


def test_searches_are_told_as_cohere_bills_them() -> None:
    counts = Counts(10, 20, searches=2)
    made = Completion(origin="x", parts=[Text(text="a")], finish=Finish.STOP, counts=counts)
    written = cohere.write_completion(made, ASKED, None)
    assert json.loads(written)["usage"]["billed_units"]["search_units"] == 2
    assert cohere.read_completion(written).counts == counts


@pytest.mark.parametrize(("part", "wanted"), PARTS)
def test_what_a_caller_sends_back_is_read_as_it_was(part: Part, wanted: dict[str, Any]) -> None:
    found = read(messages=[*HELLO, {"role": "assistant", **wanted}])
    if isinstance(part, Foreign):
        assert found.unread == ["messages[1].foreign_parts"]
        return
    (back,) = found.turns[1].parts
    names = ("text", "origin", "signature", "is_redacted", "id", "name", "arguments", "data")
    for name in names:
        if getattr(part, name, ""):
            assert getattr(back, name) == getattr(part, name)


def test_a_stream_with_what_only_others_understand() -> None:
    writer = cohere.stream_writer(ASKED)
    deltas = [
        Began("x", "m"),
        PartBegan(0, Text(text="")),
        TextDelta(0, "a"),
        AnnotationDelta(0, msgspec.Raw(b'{"url":"u"}')),
        PartEnded(0),
        PartBegan(1, Foreign(kind="search", raw=msgspec.Raw(b'{"b":1}'))),
        PartEnded(1),
        PartBegan(2, Media(kind="image", media_type="image/png", data="AA==")),
        PartEnded(2),
        PartBegan(3, Text(text="")),
        PartEnded(3),
        PartBegan(4, ToolCall(id="c", name="f")),
        PartEnded(4),
        Stopped(Finish.PAUSED),
    ]
    data = b"".join([writer.write(delta) for delta in deltas]) + writer.finish(None)
    assert data.endswith(b"data: [DONE]\n\n")
    events = [json.loads(line[6:]) for line in data.decode().split("\n") if line.startswith("data: {")]
    assert [(event["type"], event.get("index")) for event in events] == [
        ("message-start", None),
        ("content-start", 0),
        ("content-delta", 0),
        ("content-delta", 0),
        ("content-end", 0),
        ("content-start", 1),
        ("content-end", 1),
        ("tool-call-start", 0),
        ("tool-call-delta", 0),
        ("tool-call-end", 0),
        ("message-end", None),
    ]
    assert events[3]["delta"]["message"]["content"] == {"text": "", "annotations": [{"url": "u"}]}
    assert events[8]["delta"]["message"]["tool_calls"]["function"]["arguments"] == "{}"
    assert events[-1]["delta"] == {"finish_reason": "MAX_TOKENS", "message": {"foreign_parts": [{"b": 1}]}}


def test_an_error_in_a_stream_is_no_stop() -> None:
    frame = cohere.fault_frame(UpstreamBroken("cut", "It ended."), "req_1")
    event = json.loads(frame.split(b"data: ")[1])
    assert event["delta"] == {"finish_reason": "ERROR", "error": "It ended."}
    assert cohere.frame(frame.split(b"data: ")[1].strip()).fault is not None


def test_other_families_seals_do_not_reach_cohere() -> None:
    item = {"type": "thinking", "thinking": "hm"}
    seal = {"signature": "anthropic_messages:s:x"}
    own = {"type": "thinking", "thinking": "a", "signature": "no seal of ours"}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        *HELLO,
        {
            "role": "assistant",
            "content": [{**item, **seal}, {**item, "thinking": "", **seal}, own],
            "tool_calls": [{**call, **seal}],
        },
    ]
    deployment = Deployment(id="c/m", provider="c", model="m", origin=Origin("https", "a.example", 443))
    fields = peek(json.dumps({"model": "x", "messages": messages}).encode())
    body = cohere.body(fields, deployment, cohere.APIS[0], streamed=False)
    sent = json.loads(body.data)["messages"]
    assert sent == [*HELLO, {"role": "assistant", "content": [item, own], "tool_calls": [call]}]
    assert body.dropped == (
        "messages[1].content[0].signature",
        "messages[1].content[1].signature",
        "messages[1].tool_calls[0].signature",
    )
    plain = peek(json.dumps({"model": "x", "messages": HELLO, "new": [1.0]}).encode())
    assert b'"new":[1.0]' in cohere.body(plain, deployment, cohere.APIS[0], streamed=False).data
