"""Cohere's version 2: recorded answers, its typed events, and conversations as it gets them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.path.replayed import FOLDER
from wicket.dialects import cohere
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import (
    Completion,
    Conversation,
    Finish,
    Format,
    Media,
    Part,
    Reasoning,
    Setting,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, ProviderRefusal, UpstreamBroken
from wicket.recordings.apis import place_of
from wicket.recordings.recording import Recording
from wicket.routing.deployment import Deployment
from wicket.wire.origin import Origin
from wicket.wire.sse import payload

RECORDED = [
    recording
    for file in FOLDER.files
    if file.startswith("cohere/")
    for recording in FOLDER.again(file)
    if (place := place_of(recording)) is not None and place.dialect == "cohere"
]
DEPLOYMENT = Deployment(id="c/m", provider="c", model="m", origin=Origin("https", "a.example", 443))
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
FIND = Tool(name="find", description="d", schema=SCHEMA, path="tools[0]")
LOOK = Tool(name="look", path="tools[1]")
ASK = Turn(role="user", parts=[Text(text="hello")], path="m0")


@pytest.mark.parametrize("recording", RECORDED, ids=lambda one: one.name)
def test_a_recorded_answer_is_read_whole_and_as_the_stream_that_it_would_be(recording: Recording) -> None:
    said = json.loads(recording.response.body)
    read = cohere.read_completion(recording.response.body)
    message, units = said["message"], said["usage"]["billed_units"]
    calls = [part for part in read.parts if isinstance(part, ToolCall)]
    assert [(one.id, one.name) for one in calls] == [
        (one["id"], one["function"]["name"]) for one in message.get("tool_calls") or ()
    ]
    texts = [item["text"] for item in message.get("content") or () if item["type"] == "text"]
    assert [part.text for part in read.parts if isinstance(part, Text)] == texts
    assert read.counts is not None and read.unread == []
    assert (read.counts.input_tokens, read.counts.output_tokens) == (
        units["input_tokens"], units["output_tokens"]
    )  # fmt: skip
    assert cohere.whole(recording.response.body, cohere.CONVERSATION).counts == read.counts
    assert meaning(gather(*as_events(said))) == meaning(read)


def as_events(said: dict[str, Any]) -> list[dict[str, Any]]:
    """The events that Cohere would have streamed, as its reference shows them."""
    message = said["message"]
    events: list[dict[str, Any]] = [{"type": "message-start", "id": said["id"], "delta": {}}]
    plans = cut(message.get("tool_plan") or "")
    events += [{"type": "tool-plan-delta", "delta": {"message": {"tool_plan": one}}} for one in plans]
    for index, item in enumerate(message.get("content") or ()):
        kind = item["type"]
        start = {"type": kind, kind: ""}
        events.append({"type": "content-start", "index": index, "delta": {"message": {"content": start}}})
        for piece in cut(item[kind]):
            delta = {"message": {"content": {kind: piece}}}
            events.append({"type": "content-delta", "index": index, "delta": delta})
        events.append({"type": "content-end", "index": index})
    for note in message.get("citations") or ():
        events.append({"type": "citation-start", "index": 0, "delta": {"message": {"citations": note}}})
        events.append({"type": "citation-end", "index": 0})
    for index, call in enumerate(message.get("tool_calls") or ()):
        head = {**call, "function": {**call["function"], "arguments": ""}}
        events.append({"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": head}}})
        for piece in cut(call["function"]["arguments"]):
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            events.append({"type": "tool-call-delta", "index": index, "delta": delta})
        events.append({"type": "tool-call-end", "index": index})
    end = {"finish_reason": said["finish_reason"], "usage": said["usage"]}
    return [*events, {"type": "message-end", "delta": end}]


def cut(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]


def gather(*events: dict[str, Any], size: int = 1 << 20) -> Completion:
    data = b"".join(f"event: {one.get('type')}\ndata: {json.dumps(one)}\n\n".encode() for one in events)
    splitter, reader, gathered = cohere.splitter(), cohere.stream_reader(), Gathered()
    for at in range(0, len(data), size):
        for frame in splitter.feed(data[at : at + size]):
            for delta in reader.feed(payload(frame)):
                gathered.add(delta)
    for delta in reader.finish():
        gathered.add(delta)
    return gathered.completion()


def meaning(answer: Completion) -> Any:
    parts = [
        (
            type(one).__name__,
            getattr(one, "text", None),
            getattr(one, "arguments", None),
            getattr(one, "id", None),
        )
        for one in answer.parts
    ]
    notes = [
        json.loads(bytes(one.annotations))
        for one in answer.parts
        if isinstance(one, Text) and one.annotations
    ]
    return parts, notes, answer.finish, answer.counts


THOUGHT = {
    "id": "c", "finish_reason": "COMPLETE",
    "message": {"content": [{"type": "thinking", "thinking": "Grübel, grübel."},
                            {"type": "text", "text": "Ja."}]},
    "usage": {"tokens": {"input_tokens": 9.0, "output_tokens": 4.0}, "cached_tokens": 3.0},
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 100])
def test_thinking_is_told_apart_wherever_the_bytes_are_cut(size: int) -> None:
    answer = gather(*as_events(THOUGHT), size=size)
    assert meaning(answer) == meaning(cohere.read_completion(json.dumps(THOUGHT).encode()))
    assert [type(part) for part in answer.parts] == [Thinking, Text]
    assert answer.counts is not None and (answer.counts.input_tokens, answer.counts.cached_tokens) == (9, 3)


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("COMPLETE", Finish.STOP),
        ("STOP_SEQUENCE", Finish.STOP_SEQUENCE),
        ("MAX_TOKENS", Finish.LENGTH),
        ("TOOL_CALL", Finish.TOOL_CALLS),
        ("ERROR_TOXIC", Finish.FILTERED),
        ("ERROR", None),
        ("TIMEOUT", None),
        ("SOMETHING_NEW", None),
    ],
)
def test_finish_reasons(word: str, finish: Finish | None) -> None:
    said = {**THOUGHT, "finish_reason": word}
    for read in (lambda: cohere.read_completion(json.dumps(said).encode()), lambda: gather(*as_events(said))):
        if finish is not None:
            assert read().finish is finish
        else:
            with pytest.raises(UpstreamBroken):
                read()


def test_a_stream_that_ends_early_or_tells_of_an_error_is_no_answer() -> None:
    with pytest.raises(UpstreamBroken):
        gather(*as_events(THOUGHT)[:-1])
    with pytest.raises(UpstreamBroken, match="it broke"):
        gather(as_events(THOUGHT)[0], {"type": "error", "message": "it broke"})


@pytest.mark.parametrize(
    ("status", "message", "code", "kind"),
    [
        (401, "invalid api token", "provider_auth_failed", ProviderFault),
        (404, "model 'x' not found", "model_not_found", ProviderFault),
        (429, "You are using a Trial key, which is limited to 1000 API calls / month.",
         "provider_quota_exhausted", ProviderFault),
        (429, "Please wait", "rate_limit_exceeded", ProviderBusy),
        (400, "too many tokens: the total exceeds the limit", "context_length_exceeded", ProviderFault),
        (422, "invalid role", "invalid_request", CallerFault),
        (498, "blocked", "content_filter", ProviderRefusal),
        (499, "request cancelled", "provider_unavailable", ProviderBusy),
        (503, "overloaded", "provider_unavailable", ProviderBusy),
    ],
)  # fmt: skip
def test_errors(status: int, message: str, code: str, kind: type[Fault]) -> None:
    found = cohere.judge(status, {}, json.dumps({"id": "i", "message": message}).encode())
    assert (found.code, type(found)) == (code, kind)


# Requests


def written(*turns: Turn, tools: Sequence[Tool] = (), **asked: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = {Setting(name): value for name, value in asked.items()}
    names = {setting: setting.value for setting in found}
    made = Conversation(
        origin="openai_chat", turns=list(turns or (ASK,)), tools=list(tools), settings=found, names=names
    )
    body = cohere.write_request(made, DEPLOYMENT, streamed=True)
    return json.loads(body.data), body.dropped


TEXTS = st.builds(Text, text=st.sampled_from(["", "a", "two words"]), path=st.just("here"))
IMAGES = st.just(Media(kind="image", media_type="image/png", data="aGk=", path="here"))
CALLS = st.builds(ToolCall, id=st.sampled_from(["c1", "c2"]), name=st.just("find"), path=st.just("here"))
RESULTS = st.builds(
    ToolResult, id=st.sampled_from(["c1", "c2"]), parts=st.lists(TEXTS | IMAGES, max_size=2).map(tuple)
)
THOUGHTS = st.builds(Thinking, origin=st.sampled_from(["cohere", "gemini"]), text=st.sampled_from(["", "t"]))
TURNS = st.one_of(
    st.builds(Turn, role=st.just("user"), parts=st.lists(TEXTS | IMAGES, max_size=3)),
    st.builds(Turn, role=st.just("system"), parts=st.lists(TEXTS, max_size=2)),
    st.builds(Turn, role=st.just("assistant"), parts=st.lists(TEXTS | CALLS | THOUGHTS, max_size=3)),
    st.builds(Turn, role=st.just("tool"), parts=st.lists(RESULTS, max_size=2)),
)


def check(message: dict[str, Any]) -> None:
    """A message has the form of its role in Cohere's reference."""
    allowed = {
        "user": {"role", "content"},
        "system": {"role", "content"},
        "tool": {"role", "content", "tool_call_id"},
        "assistant": {"role", "content", "tool_calls", "tool_plan"},
    }
    assert set(message) <= allowed[message["role"]] and len(message) > 1
    content = message.get("content")
    if isinstance(content, list):
        kinds = {"user": {"text", "image_url"}, "assistant": {"text", "thinking"}, "system": {"text"}}
        assert {item["type"] for item in content} <= kinds[message["role"]]
    if "tool_plan" in message:
        assert message["tool_calls"] and "thinking" not in str(content)
    for call in message.get("tool_calls", ()):
        assert isinstance(json.loads(call["function"]["arguments"]), dict)


@settings(max_examples=200, deadline=None)
@given(st.lists(TURNS, max_size=5))
def test_every_conversation_is_written_as_the_reference_has_it(turns: list[Turn]) -> None:
    try:
        body, _ = written(*turns, tools=[FIND])
    except CallerFault as fault:
        if "no message" not in fault.message:
            raise
        return
    for message in body["messages"]:
        check(message)


def test_settings_have_cohere_s_names() -> None:
    body, dropped = written(
        max_output_tokens=9, top_p=0.4, top_k=5, temperature=2.0, seed=1, frequency_penalty=-0.5, stop=("x",)
    )
    assert (body["max_tokens"], body["p"], body["k"], body["seed"]) == (9, 0.4, 5, 1)
    assert body["temperature"] == 1.0 and body["frequency_penalty"] == 0 and body["stop_sequences"] == ["x"]
    assert dropped == ("frequency_penalty", "temperature") and body["stream"] is True
    assert "p" not in written(top_p=1.0)[0]


def test_tools_and_choices() -> None:
    body, _ = written(tools=[FIND, LOOK], tool_choice=ToolChoice("named", ("look",)))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["look"] and body[
        "tool_choice"
    ] == "REQUIRED"
    body, _ = written(tools=[FIND], tool_choice=ToolChoice("none"))
    assert body["tool_choice"] == "NONE" and body["tools"][0]["function"]["parameters"] == json.loads(
        bytes(SCHEMA)
    )
    strict = Tool(name="s", schema=SCHEMA, is_strict=True, path="tools[0]")
    assert written(tools=[strict])[0]["strict_tools"] is True
    assert written(tools=[strict, LOOK])[1] == ("tools[0].strict",)
    for more in ({"parallel_tools": False}, {"format": Format(kind="json_object")}):
        with pytest.raises(CallerFault):
            written(tools=[FIND], **more)


def test_forms_and_thinking() -> None:
    body, _ = written(format=Format(kind="json_schema", schema=SCHEMA), reasoning=Reasoning(effort="low"))
    assert body["response_format"] == {"type": "json_object", "json_schema": json.loads(bytes(SCHEMA))}
    assert body["thinking"] == {"type": "enabled", "token_budget": 2048}
    assert written(reasoning=Reasoning(effort="none"))[0]["thinking"] == {"type": "disabled"}


def test_own_fields_of_cohere_s_go_on_as_they_are() -> None:
    extras = {"documents": msgspec.Raw(b'[{"data":{"t":"x"}}]'), "safety_mode": msgspec.Raw(b'"STRICT"')}
    made = Conversation(origin="openai_chat", turns=[ASK], extras=extras)
    body = json.loads(cohere.write_request(made, DEPLOYMENT, streamed=False).data)
    assert body["documents"] == [{"data": {"t": "x"}}] and body["safety_mode"] == "STRICT"


def test_a_document_s_file_is_refused_by_its_path() -> None:
    part: Part = Media(kind="document", media_type="application/pdf", data="aGk=", path="here")
    with pytest.raises(CallerFault) as caught:
        written(Turn(role="user", parts=[part]))
    assert caught.value.param == "here"
