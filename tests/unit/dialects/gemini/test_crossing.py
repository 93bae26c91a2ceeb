"""Gemini's recorded answers through the hands of OpenAI's callers, and back as the next request's history."""

import json
from typing import Any

from tests.unit.dialects.gemini.speaking import ASKED, deltas_of, deployment, gathered, payloads_of
from tests.unit.dialects.gemini.test_recordings import ANSWERED
from wicket.dialects import gemini, openai_chat
from wicket.dialects.hub import Completion, Delta, ToolCall
from wicket.recordings.recording import Recording
from wicket.wire.fields import peek

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def deltas(recording: Recording) -> list[Delta]:
    body = recording.response.body
    return deltas_of(payloads_of(body) if recording.is_stream else [json.dumps(json.loads(body)).encode()])


def called(completion: Completion) -> list[ToolCall]:
    return [part for part in completion.parts if isinstance(part, ToolCall)]


def message_of(stream: bytes) -> dict[str, Any]:
    """The assistant's message as a client puts it together: tool calls by index, their arguments joined."""
    calls: dict[int, dict[str, Any]] = {}
    for data in payloads_of(stream):
        if data == b"[DONE]":
            continue
        for choice in json.loads(data)["choices"]:
            for piece in choice["delta"].get("tool_calls", []):
                call = calls.setdefault(
                    piece.pop("index"), {"function": {"arguments": ""}, "type": "function"}
                )
                function = piece.pop("function", {})
                call["function"]["arguments"] += function.pop("arguments", "")
                call["function"].update(function)
                call.update(piece)
    return {"role": "assistant", "tool_calls": list(calls.values())}


def asked_next(message: dict[str, Any]) -> dict[str, Any]:
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "done"}
        for call in reversed(message["tool_calls"])
    ]
    messages = [{"role": "user", "content": "q"}, message, *results]
    request = json.dumps({"model": "m", "messages": messages, "tools": [TOOL]}).encode()
    body = gemini.write_request(openai_chat.read_request(peek(request)), deployment(), streamed=False)
    assert body.dropped == ()
    return dict(json.loads(body.data))


def check(made: dict[str, Any], calls: list[ToolCall]) -> None:
    _, model, results = made["contents"]
    sent = [(part["functionCall"], part.get("thoughtSignature", "")) for part in model["parts"]]
    assert [one["args"] for one, _ in sent] == [json.loads(call.arguments) for call in calls]
    assert [(one["id"], one["name"]) for one, _ in sent] == [(call.id, call.name) for call in calls]
    if any(call.signature for call in calls):
        assert [seal for _, seal in sent] == [call.signature for call in calls]
    else:
        assert sent[0][1], "what no model signed has the documented stand-in"
    assert [part["functionResponse"]["id"] for part in results["parts"]] == [call.id for call in calls]


def test_signed_calls_come_back_from_openais_callers_whole_and_streamed() -> None:
    num_signed = 0
    for recording in ANSWERED:
        read = deltas(recording)
        found = gathered(read)
        calls = called(found)
        if not calls:
            continue
        num_signed += any(call.signature for call in calls)
        whole = json.loads(openai_chat.write_completion(found, ASKED, None))
        check(asked_next(whole["choices"][0]["message"]), calls)
        writer = openai_chat.stream_writer(ASKED)
        stream = b"".join([writer.write(delta) for delta in read]) + writer.finish(None)
        check(asked_next(message_of(stream)), calls)
    assert num_signed >= 1
