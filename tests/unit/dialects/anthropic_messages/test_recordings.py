"""What Anthropic really was asked and answered: read without loss, written again with the same meaning."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.anthropic_messages.support import (
    ASKED,
    Recording,
    deltas,
    deployment,
    gathered,
    meaning,
    payloads,
    recordings,
)
from wicket.dialects import anthropic_messages as dialect
from wicket.dialects.anthropic_messages.turns import PLACEHOLDER
from wicket.errors import CallerFault, Fault, ProviderFault
from wicket.wire.fields import peek

ALL = recordings()
MESSAGES = [each for each in ALL if each.path == "/messages"]
WHOLE = [each for each in MESSAGES if each.status == 200 and not each.is_stream]
STREAMS = [each for each in MESSAGES if each.is_stream]


def by_name(found: list[Recording]) -> Any:
    return pytest.mark.parametrize("recording", found, ids=lambda each: each.name)


def test_there_is_enough_to_read() -> None:
    assert len(WHOLE) >= 25 and len(STREAMS) >= 5 and any(each.status >= 400 for each in ALL)


@by_name(MESSAGES)
def test_a_request_is_read_and_written_with_the_same_meaning(recording: Recording) -> None:
    conversation = dialect.read_request(peek(msgspec.json.encode(recording.request)))
    assert conversation.extras == {}
    assert {path.rpartition(".")[2] for path in conversation.unread} <= {"defer_loading"}
    place = deployment(recording.request["model"])
    if any(block_type == "tool_addition" for block_type in system_kinds(recording.request)):
        with pytest.raises(CallerFault, match="instructions are text alone"):
            dialect.write_request(conversation, place, streamed=False)
        return
    if recording.status == 400:
        return  # an effort that the model does not know: we ask for the nearest
    body = dialect.write_request(conversation, place, streamed=False)
    assert set(body.dropped) <= set(conversation.unread)
    assert plain(json.loads(body.data)) == plain(recording.request)


def system_kinds(request: dict[str, Any]) -> list[str]:
    contents = [each["content"] for each in request["messages"] if each["role"] == "system"]
    return [block["type"] for content in contents if isinstance(content, list) for block in content]


def plain(request: dict[str, Any]) -> dict[str, Any]:
    """A request in one spelling: blocks for strings, defaults left out, roles joined, results first."""
    done: dict[str, Any] = json.loads(json.dumps(request))
    done.pop("stream", None)
    mark = done.pop("cache_control", None)
    system = blocks(done.pop("system", []))
    messages: list[dict[str, Any]] = []
    for message in done["messages"]:
        content = [block for block in blocks(message["content"]) if block.get("text", "x").strip()]
        if message["role"] == "system":
            system += content
            continue
        for block in content:
            if block["type"] == "tool_result":
                block["content"] = blocks(block["content"])
                block["is_error"] = block.get("is_error", False)
        if messages and messages[-1]["role"] == message["role"]:
            messages[-1]["content"] += content
        else:
            messages.append({"role": message["role"], "content": content})
    for message in messages:
        message["content"].sort(key=lambda block: block["type"] != "tool_result")
    if messages[0]["content"] == [{"type": "text", "text": PLACEHOLDER}]:
        del messages[0]
    if mark:
        messages[-1]["content"][-1]["cache_control"] = mark
    if done.get("tool_choice") == {"type": "auto"}:
        del done["tool_choice"]
    return {**{name: value for name, value in done.items() if value}, "system": system, "messages": messages}


def blocks(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


@by_name(WHOLE)
def test_an_answer_is_read_whole_and_written_again(recording: Recording) -> None:
    found = dialect.read_completion(recording.answer)
    assert set(found.unread) <= {"container", "context_management"}
    assert found.counts is not None
    assert dialect.whole(recording.answer, dialect.APIS[0]).counts == found.counts
    again = dialect.read_completion(dialect.write_completion(found, ASKED, None))
    assert meaning(again) == meaning(found)
    written = json.loads(dialect.write_completion(found, ASKED, None))
    said = json.loads(recording.answer)
    assert written["content"] == [
        without_nulls(block) for block in said["content"] if block.get("text") != ""
    ]
    assert written["stop_reason"] == said["stop_reason"]
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        assert written["usage"][name] == sum(each[name] for each in passes(said["usage"]))


def passes(usage: dict[str, Any]) -> list[dict[str, Any]]:
    return [usage, *(each for each in usage.get("iterations") or () if each["type"] == "compaction")]


def without_nulls(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "tool_use":
        return {name: value for name, value in block.items() if name != "caller"}
    return {name: value for name, value in block.items() if value is not None or block["type"] != "text"}


@by_name(STREAMS)
def test_a_stream_says_the_same_wherever_it_is_cut(recording: Recording) -> None:
    found = deltas(recording.answer)
    chance = random.Random(recording.name)
    for _ in range(20):
        cuts = [chance.randrange(len(recording.answer)) for _ in range(chance.randrange(1, 40))]
        assert deltas(recording.answer, cuts) == found
    every = range(0, len(recording.answer), 1 if len(recording.answer) < 20_000 else 7)
    assert deltas(recording.answer, every) == found


@by_name(STREAMS)
def test_a_stream_is_the_answer_that_it_builds(recording: Recording) -> None:
    found = gathered(deltas(recording.answer))
    assert meaning(found) == meaning(dialect.read_completion(built(recording.answer)))


def built(stream: bytes) -> bytes:
    """The message behind a stream's events, put together the plain way that the documentation tells."""
    message: dict[str, Any] = {}
    inputs: dict[int, str] = {}
    for data in payloads(stream):
        event = json.loads(data)
        index, delta = event.get("index", -1), event.get("delta", {})
        if event["type"] == "message_start":
            message = event["message"]
        elif event["type"] == "content_block_start":
            message["content"].append(event["content_block"])
        elif event["type"] == "content_block_delta":
            block = message["content"][index]
            match delta["type"]:
                case "text_delta":
                    block["text"] += delta["text"]
                case "thinking_delta":
                    block["thinking"] += delta["thinking"]
                case "signature_delta":
                    block["signature"] = delta["signature"]
                case "citations_delta":
                    block["citations"] = [*(block.get("citations") or []), delta["citation"]]
                case "compaction_delta":
                    block["content"] = delta["content"]
                case "input_json_delta":
                    inputs[index] = inputs.get(index, "") + delta["partial_json"]
        elif event["type"] == "message_delta":
            message |= delta
            message["usage"] |= event["usage"]
    for index, text in inputs.items():
        message["content"][index]["input"] = json.loads(text or "{}")
    return json.dumps(message).encode()


@by_name(STREAMS)
def test_a_stream_is_written_as_it_was_read(recording: Recording) -> None:
    found = deltas(recording.answer)
    writer = dialect.stream_writer(ASKED)
    written = b"".join([writer.write(delta) for delta in found]) + writer.finish(None)
    assert meaning(gathered(deltas(written))) == meaning(gathered(found))
    check_order(written)


def check_order(stream: bytes) -> None:
    """Anthropic's order of events: blocks contiguous, one at a time."""
    events = [json.loads(data) for data in payloads(stream)]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    number, is_open = 0, False
    for event in events[1:-2]:
        assert event["index"] == number
        match event["type"]:
            case "content_block_start":
                assert not is_open
                is_open = True
            case "content_block_delta":
                assert is_open
            case "content_block_stop":
                assert is_open
                number, is_open = number + 1, False
            case other:
                raise AssertionError(other)
    assert not is_open


@by_name(STREAMS)
def test_the_frames_of_a_passing_stream_tell_its_facts(recording: Recording) -> None:
    frames = [dialect.frame(data) for data in payloads(recording.answer)]
    assert frames[-1].is_done and sum(frame.finished for frame in frames) == 1
    assert any(frame.spoke for frame in frames) and any(frame.model for frame in frames)
    assert not any(frame.fault for frame in frames)
    last = [frame.counts for frame in frames if frame.counts][-1]
    assert last.input_tokens and last.output_tokens


@by_name([each for each in ALL if each.status >= 400])
def test_a_recorded_error_is_judged(recording: Recording) -> None:
    fault = dialect.judge(recording.status, {}, recording.answer)
    expected = {404: ("model_not_found", ProviderFault), 400: ("invalid_request", CallerFault)}
    code, kind = expected[recording.status]
    assert fault.code == code and type(fault) is kind and fault.status == recording.status
    message = json.loads(recording.answer)["error"]["message"]
    assert fault.message == message


def test_counting_is_read() -> None:
    counted = [each for each in ALL if each.path.endswith("count_tokens") and each.status == 200]
    assert counted
    for recording in counted:
        assert dialect.whole(recording.answer, dialect.APIS[1]).counts is not None


@by_name(STREAMS)
def test_a_stream_that_is_cut_is_never_a_stop(recording: Recording) -> None:
    stop = recording.answer.index(b"event: message_delta")
    for end in (0, 40, stop // 2, stop):
        assert isinstance(outcome(recording.answer[:end]), Fault)


def outcome(stream: bytes) -> Any:
    try:
        return gathered(deltas(stream))
    except Fault as fault:
        return fault
