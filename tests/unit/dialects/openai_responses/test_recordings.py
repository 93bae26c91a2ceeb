"""Recorded traffic of OpenAI, Azure and DeepSeek: read, written back, cut, and told to other callers."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.unit.dialects.openai_responses.speaking import (
    ASKED,
    deltas_of,
    deployment,
    events_of,
    gathered,
    payloads_of,
    streamed,
)
from wicket.dialects import openai_chat, openai_responses
from wicket.dialects.contract import Counts
from wicket.dialects.hub import Completion, Conversation, Foreign
from wicket.errors import CallerFault
from wicket.recordings.folder import Folder
from wicket.recordings.recording import Recording
from wicket.wire.fields import peek

CASSETTES = Path(__file__).parents[3] / "data" / "cassettes"
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
BOUND = {"defer_loading", "namespace", "phase", "context", "mode", "context_management"}


def is_ours(path: str) -> bool:
    """A recording about files begins with other routes."""
    return any(path.endswith(api.path) for api in openai_responses.APIS)


def recordings() -> Iterator[Recording]:
    for name in ("openai", "azure_openai", "deepseek"):
        folder = Folder(CASSETTES / name)
        for file in folder.files:
            if "responses" in file:
                yield from (one for one in folder.read(file) if one.method == "POST" and is_ours(one.path))


ALL = list(recordings())
CREATED = [one for one in ALL if one.path.endswith("/responses")]
ANSWERED = [one for one in CREATED if one.status == 200]
STREAMED = [one for one in ANSWERED if one.is_stream]
WHOLE = [one for one in ANSWERED if not one.is_stream]


def each(which: list[Recording]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recording", which, ids=lambda one: one.name)


def test_there_is_something_to_read() -> None:
    assert len(WHOLE) >= 15 and len(STREAMED) >= 4 and len(CREATED) > len(ANSWERED)


# Requests


def item(value: dict[str, Any]) -> dict[str, Any]:
    """An item without what means nothing: ids and states, and which of two spellings a text has."""
    found = {name: one for name, one in value.items() if one is not None}
    kind = found.setdefault("type", "message")
    if kind in ("message", "function_call", "function_call_output"):
        found.pop("id", None)
        found.pop("status", None)
    if kind == "message":
        found["role"] = found["role"].replace("developer", "system")
        if isinstance(found["content"], str):
            found["content"] = [{"type": "text", "text": found["content"]}]
        found["content"] = [
            {name: one for name, one in piece.items() if one != [] and name != "logprobs"}
            | ({"type": "text"} if "text" in piece else {})
            for piece in found["content"]
        ]
    return found


def meaning(body: dict[str, Any]) -> dict[str, Any]:
    """What a request asks for, its defaults left out."""
    said = {name: one for name, one in body.items() if one not in (None, [], {}, "")}
    items = said.pop("input", [])
    items = [{"role": "user", "content": items}] if isinstance(items, str) else items
    instructions = said.pop("instructions", None)
    first = [{"role": "system", "content": instructions}] if instructions else []
    said["input"] = [item(one) for one in [*first, *items] if one.get("content") != ""]
    for name in ("store", "include", "stream", "context_management", "prompt_cache_options"):
        said.pop(name, None)
    for name, usual in {"tool_choice": "auto", "truncation": "disabled"}.items():
        if said.get(name) == usual:
            del said[name]
    if said.get("text", {}).get("format") == {"type": "text"}:
        del said["text"]["format"]
    thinking = {
        name: one
        for name, one in said.pop("reasoning", {}).items()
        if one and name not in ("context", "mode")
    }
    return {**said, "reasoning": thinking, "text": said.get("text") or {}}


@each(CREATED)
def test_a_request_is_read_whole_and_written_back_with_its_meaning(recording: Recording) -> None:
    asked = json.loads(recording.request.body)
    conversation = openai_responses.read_request(peek(recording.request.body))
    assert {path.rpartition(".")[2] for path in conversation.unread} <= BOUND
    body = openai_responses.write_request(
        conversation, deployment(asked["model"]), streamed=recording.is_stream
    )
    assert meaning(json.loads(body.data)) == meaning(asked)


@each(CREATED)
def test_another_family_gets_it_or_says_which_part_it_can_not_have(recording: Recording) -> None:
    conversation = openai_responses.read_request(peek(recording.request.body))
    found = told(conversation)
    if isinstance(found, CallerFault):
        assert (found.param or "").startswith(("input[", "tools[", "previous_response_id", "background"))
    else:
        assert found["messages"]


def told(conversation: Conversation) -> dict[str, Any] | CallerFault:
    """A chat completion's body, or why there is none."""
    try:
        body = openai_chat.write_request(conversation, deployment(), streamed=False)
    except CallerFault as fault:
        return fault
    return dict(json.loads(body.data))


# Answers


def said(completion: Completion) -> Any:
    """What an answer says, but for what only Responses has, and the ids that are ours."""
    parts: list[Any] = []
    for part in completion.parts:
        if isinstance(part, Foreign):
            continue
        members = {name: getattr(part, name) for name in part.__struct_fields__ if name != "raw"}
        if members.get("annotations"):
            members["annotations"] = json.loads(bytes(members["annotations"]))
        members["signature"] = part.signature.rpartition(".")[2]
        parts.append((type(part).__name__, members))
    counts = completion.counts or Counts()
    counts = msgspec.structs.replace(counts, searches=0, tools=())  # counted by their items
    return parts, completion.finish, counts, completion.model


@each(WHOLE)
def test_a_whole_answer_is_read_and_written_again(recording: Recording) -> None:
    data = recording.response.body
    found = openai_responses.read_completion(data)
    assert found.parts and set(found.unread) <= {"content_filters", "moderation"}
    passed = openai_responses.whole(data, openai_responses.CONVERSATION)
    assert (passed.model, passed.counts) == (found.model, found.counts) and found.counts is not None
    again = openai_responses.write_completion(found, ASKED, 0.5)
    Response.model_validate(json.loads(again), strict=False)
    assert said(openai_responses.read_completion(again)) == said(found)
    event = msgspec.json.encode({"type": "response.completed", "response": msgspec.Raw(data)})
    deltas = deltas_of([event])
    assert said(gathered(deltas)) == said(found)
    assert said(gathered(deltas_of(payloads_of(streamed(deltas))))) == said(found)


def final(recording: Recording) -> bytes:
    """The whole answer in a stream's last event."""
    [event] = [one for one in events_of(recording.response.body) if one["type"] == "response.completed"]
    return json.dumps(event["response"]).encode()


@each(STREAMED)
def test_a_stream_says_the_same_wherever_it_is_cut_and_as_the_whole(recording: Recording) -> None:
    data = recording.response.body
    payloads = payloads_of(data)
    deltas = deltas_of(payloads)
    chance = random.Random(recording.name)
    for _ in range(3):
        assert payloads_of(data, [chance.randint(1, 60) for _ in range(len(data) // 30)]) == payloads
    found, whole = gathered(deltas), openai_responses.read_completion(final(recording))
    for one in (found, whole):
        for part in one.parts:  # OpenAI seals a thought anew in its last event
            part.signature = part.signature.partition(".")[0]
    assert said(found) == said(whole)
    frames = [openai_responses.frame(one) for one in payloads]
    assert any(frame.spoke for frame in frames) and [frame.finished for frame in frames].count(True) == 1
    last = next(frame for frame in frames if frame.finished)
    assert last.is_done and last.is_usage and (last.model, last.counts) == (found.model, found.counts)


@each(STREAMED)
def test_a_stream_is_written_again_in_the_sdk_s_own_types(recording: Recording) -> None:
    deltas = deltas_of(payloads_of(recording.response.body))
    data = streamed(deltas, cost_usd=0.25)
    events = events_of(data)
    for event in events:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["usage"]["cost"] == 0.25
    assert said(gathered(deltas_of(payloads_of(data)))) == said(gathered(deltas))
    whole = openai_responses.read_completion(json.dumps(events[-1]["response"]).encode())
    assert said(whole) == said(gathered(deltas))


@each([one for one in ALL if one.status >= 400])
def test_every_error_is_judged(recording: Recording) -> None:
    fault = openai_responses.judge(recording.status, {}, recording.response.body)
    assert fault.status == recording.status and fault.code
    assert json.loads(recording.response.body)["error"]["message"] == fault.message


@each([one for one in ALL if one not in CREATED and one.status == 200])
def test_what_is_no_conversation_passes(recording: Recording) -> None:
    [api] = [one for one in openai_responses.APIS if recording.path.endswith(one.path)]
    whole = openai_responses.whole(recording.response.body, api)
    assert whole.counts is not None
    assert (whole.counts.input_tokens > 0) is (api == openai_responses.COMPACT)


def test_sealed_thoughts_come_back_from_a_chat_caller() -> None:
    """What OpenAI sealed travels in `reasoning_details` and goes back as it came."""
    num_sealed = 0
    for recording in WHOLE:
        found = openai_responses.read_completion(recording.response.body)
        message = openai_chat.write_message(found.parts)
        request = {"model": "m", "messages": [{"role": "user", "content": "q"}, message]}
        history = openai_chat.read_request(peek(msgspec.json.encode(request)))
        body = openai_responses.write_request(history, deployment("gpt-5"), streamed=False)
        items = json.loads(body.data)["input"]
        sent = {(one["id"], one["encrypted_content"]) for one in items if one.get("type") == "reasoning"}
        output = json.loads(recording.response.body)["output"]
        known = {(one["id"], one["encrypted_content"]) for one in output if one.get("encrypted_content")
                 and one["type"] == "reasoning"}  # fmt: skip
        assert sent == known
        num_sealed += len(known)
    assert num_sealed >= 3
