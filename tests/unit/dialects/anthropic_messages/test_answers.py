"""Whole answers: stop reasons, usage, parts of this family and of others."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.anthropic_messages.support import ASKED, deployment, meaning, read
from wicket.dialects import anthropic_messages as dialect
from wicket.dialects.anthropic_messages.request_writing import ANSWER_TOOL
from wicket.dialects.contract import Counts
from wicket.dialects.hub import (
    Completion,
    Finish,
    Foreign,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from wicket.errors import Fault, UpstreamBroken
from wicket.wire.fields import peek

MESSAGES, COUNT = dialect.APIS
USAGE = {"input_tokens": 10, "output_tokens": 7}


def message(*content: Any, **fields: Any) -> bytes:
    found = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": list(content),
        "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE,
    }  # fmt: skip
    return json.dumps(found | fields).encode()


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP_SEQUENCE),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("pause_turn", Finish.PAUSED),
        ("compaction", Finish.PAUSED),
        ("refusal", Finish.FILTERED),
    ],
)
def test_stop_reasons_come_and_go(reason: str, finish: Finish) -> None:
    found = dialect.read_completion(message(stop_reason=reason, stop_sequence="END"))
    assert (found.finish, found.raw_finish, found.stop) == (finish, reason, "END")
    assert json.loads(dialect.write_completion(found, ASKED, None))["stop_reason"] == reason
    other = msgspec.structs.replace(found, origin="openai_chat", raw_finish="x")
    written = json.loads(dialect.write_completion(other, ASKED, None))
    assert dialect.read_completion(json.dumps(written).encode()).finish is finish
    assert written["stop_sequence"] == ("END" if finish is Finish.STOP_SEQUENCE else None)


@pytest.mark.parametrize("reason", [None, "new_reason", "error", ""])
def test_an_unknown_stop_reason_is_a_failure(reason: Any) -> None:
    data = message(stop_reason=reason)
    for look in (dialect.read_completion, lambda data: dialect.whole(data, MESSAGES)):
        with pytest.raises(UpstreamBroken) as caught:
            look(data)
        assert caught.value.code == "failed_finish"


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (USAGE, Counts(10, 7)),
        (
            {
                **USAGE,
                "cache_read_input_tokens": 100,
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
                "output_tokens_details": {"thinking_tokens": 5},
            },
            Counts(140, 7, 100, 30, 5, 20),
        ),
        (
            {
                **USAGE,
                "iterations": [
                    {"type": "message", "input_tokens": 10, "output_tokens": 7},
                    {"type": "compaction", "input_tokens": 1000, "output_tokens": 50},
                ],
            },
            Counts(1010, 57),
        ),
        ({"input_tokens": -1, "output_tokens": 7}, None),
        ({"input_tokens": 1 << 60, "output_tokens": 7}, None),
        ({}, None),
        (None, None),
    ],
)
def test_usage_in_our_sense(usage: Any, counts: Counts | None) -> None:
    data = message(usage=usage)
    assert dialect.whole(data, MESSAGES).counts == counts
    found = dialect.read_completion(data)
    assert found.counts == counts
    assert dialect.read_completion(dialect.write_completion(found, ASKED, None)).counts == (
        counts or Counts()
    )


def test_usage_for_a_caller_excludes_the_cache_and_has_the_cost() -> None:
    completion = Completion(
        origin="openai_chat", parts=[], finish=Finish.STOP, counts=Counts(140, 7, 100, 30, 5, 20)
    )
    assert json.loads(dialect.write_completion(completion, ASKED, 0.5))["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 5},
        "cost": 0.5,
    }


def test_parts_are_read() -> None:
    found = dialect.read_completion(
        message(
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "x", "citations": [{"type": "char_location"}]},
            {
                "type": "tool_use",
                "id": "toolu_1",
                "name": "f",
                "input": {"a": 1.0},
                "caller": {"type": "direct"},
            },
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            stop_reason="tool_use",
        )
    )
    thought, sealed, words, call, foreign = found.parts
    assert isinstance(thought, Thinking) and (thought.text, thought.signature) == ("t", "s")
    assert isinstance(sealed, Thinking) and sealed.is_redacted and sealed.signature == "d"
    assert isinstance(words, Text) and words.annotations is not None
    assert isinstance(call, ToolCall) and call.arguments == '{"a": 1.0}'
    assert isinstance(foreign, Foreign) and foreign.kind == "server_tool_use"
    assert found.finish is Finish.TOOL_CALLS and found.unread == []


def test_what_has_no_place_is_named() -> None:
    call = {
        "type": "tool_use",
        "id": "a",
        "name": "f",
        "input": {},
        "caller": {"type": "code_execution_20260120"},
    }
    found = dialect.read_completion(
        message(
            call,
            {"type": "text", "text": "x", "new": 1},
            stop_reason="tool_use",
            container={"id": "c"},
            stop_details=None,
        )
    )
    assert found.unread == ["container", "content[0].caller", "content[1].new"]


def test_the_answer_tool_is_text_again() -> None:
    block = {"type": "tool_use", "id": "a", "name": ANSWER_TOOL, "input": {"a": 1}}
    found = dialect.read_completion(message(block, stop_reason="tool_use"))
    assert found.finish is Finish.STOP
    only = found.parts[0]
    assert isinstance(only, Text) and json.loads(only.text) == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"content":{}}',
        message("x"),
        message({}),
        message({"type": "text"}),
        message({"type": "tool_use", "id": "a", "name": "f", "input": "{}"}, stop_reason="tool_use"),
        message({"type": "tool_use", "id": 1, "name": "f", "input": {}}, stop_reason="tool_use"),
    ],
)
def test_what_is_no_answer_is_a_failure(data: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        dialect.read_completion(data)


def test_an_error_inside_a_200_is_a_failure() -> None:
    data = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    for look in (dialect.read_completion, lambda data: dialect.whole(data, MESSAGES)):
        with pytest.raises(Fault) as caught:
            look(data)
        assert caught.value.code == "provider_unavailable"


def test_counting_tokens_costs_nothing() -> None:
    assert dialect.whole(b'{"input_tokens": 5}', COUNT).counts == Counts()
    with pytest.raises(UpstreamBroken):
        dialect.whole(b'{"content": []}', COUNT)


def written(*parts: Part, finish: Finish = Finish.STOP) -> list[Any]:
    completion = Completion(origin="gemini", model="gemini-3", parts=list(parts), finish=finish)
    message = json.loads(dialect.write_completion(completion, ASKED, None))
    assert (message["id"], message["model"], message["type"], message["role"]) == (
        "msg_req_1",
        "gemini-3",
        "message",
        "assistant",
    )
    content: list[Any] = message["content"]
    return content


def test_parts_of_another_family_are_written() -> None:
    assert written(
        Text(text=""),
        Text(text="a", annotations=msgspec.Raw(b'[{"type":"url_citation"}]')),
        Refusal(text="no"),
        Foreign(kind="x", raw=msgspec.Raw(b"{}")),
        Media(kind="image", media_type="image/png", data="AAAA"),
    ) == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "no"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
    ]


def test_arguments_that_are_no_object_are_never_passed_on_as_a_call() -> None:
    with pytest.raises(UpstreamBroken):
        written(ToolCall(id="a", name="f", arguments="{"), finish=Finish.TOOL_CALLS)
    assert written(ToolCall(id="a", name="f", arguments=""))[0]["input"] == {}


@pytest.mark.parametrize("signature", ["", "sig.na/ture+="])
@pytest.mark.parametrize("origin", ["gemini", "openai_chat"])
def test_thoughts_and_seals_of_another_family_come_back_as_they_were(origin: str, signature: str) -> None:
    parts: list[Part] = [
        Thinking(text="t", signature=signature, origin=origin),
        Thinking(is_redacted=True, signature="opaque", origin=origin),
        ToolCall(id="a.b", name="f", signature=signature, origin=origin),
        ToolCall(id="c", name="g", origin=origin),
    ]
    again = read({"messages": [{"role": "assistant", "content": written(*parts, finish=Finish.TOOL_CALLS)}]})
    found = Completion(origin=origin, parts=again.turns[0].parts, finish=Finish.STOP)
    expected = Completion(origin=origin, parts=parts, finish=Finish.STOP)
    for part in [*found.parts, *expected.parts]:
        part.origin = part.origin if part.signature or isinstance(part, Thinking) else ""
    assert meaning(found) == meaning(expected)


def test_between_two_ends_of_this_dialect_only_the_model_and_our_fields_change() -> None:
    body = b'{"model": "x","max_tokens":5,"messages":[{"role":"user","content":"\\u00e9"}],'
    body += b'"metadata":{"a": 1.0},"models":["y"],"provider":{},"new":[1.50]}'
    found = dialect.body(peek(body), deployment("claude-opus-5"), MESSAGES, streamed=True)
    assert found.dropped == ()
    assert found.data == (
        b'{"model":"claude-opus-5","max_tokens":5,"messages":[{"role":"user","content":"\\u00e9"}],'
        b'"metadata":{"a": 1.0},"new":[1.50]}'
    )


def test_thoughts_of_another_family_do_not_reach_anthropic() -> None:
    own = {"type": "thinking", "thinking": "t", "signature": "s"}
    calls = written(
        Thinking(text="t", origin="gemini"), ToolCall(id="a", name="f", signature="s", origin="gemini")
    )
    fields = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "wicket. is a word"},
            {"role": "assistant", "content": [own, *calls]},
            {"role": "assistant", "content": calls[:1]},
        ],
    }
    found = dialect.body(peek(json.dumps(fields).encode()), deployment("m"), MESSAGES, streamed=False)
    assert found.dropped == ("messages[1].content[1]", "messages[1].content[3]", "messages[2].content[0]")
    assert json.loads(found.data)["messages"] == [
        fields["messages"][0],
        {"role": "assistant", "content": [own, calls[1]]},
    ]


def test_vertex_has_the_model_in_the_path_and_the_version_in_the_body() -> None:
    base = "/v1/projects/p/locations/l/publishers/anthropic"
    place = deployment("claude-sonnet-4-5@20250929", base_path=base)
    at = f"{base}/models/claude-sonnet-4-5@20250929"
    assert dialect.target(place, MESSAGES) == f"{at}:rawPredict"
    assert dialect.target(place, MESSAGES, streamed=True) == f"{at}:streamRawPredict"
    assert dialect.target(place, COUNT) == f"{base}/models/count-tokens:rawPredict"
    odd = deployment("a?b/../c d", base_path=base)
    assert dialect.target(odd, MESSAGES) == f"{base}/models/a%3Fb%2F..%2Fc%20d:rawPredict"
    fields = peek(b'{"model":"asked","max_tokens":5,"messages":[ {"role":"user","content":"a"} ]}')
    sent = dialect.body(fields, place, MESSAGES, streamed=False).data
    assert b'"messages":[ {"role":"user","content":"a"} ]' in sent
    assert json.loads(sent) == {
        "max_tokens": 5,
        "messages": [{"role": "user", "content": "a"}],
        "anthropic_version": "vertex-2023-10-16",
    }
    counted = json.loads(dialect.body(fields, place, COUNT, streamed=False).data)
    assert counted["model"] == place.model and counted["anthropic_version"] == "vertex-2023-10-16"
    crossed = dialect.write_request(dialect.read_request(fields), place, streamed=True)
    written = json.loads(crossed.data)
    assert "model" not in written and written["anthropic_version"] == "vertex-2023-10-16"
    assert written["stream"] is True and written["max_tokens"] == 5


def test_targets() -> None:
    place = deployment("m", base_path="/v1", query="beta=true")
    assert dialect.target(place, MESSAGES) == "/v1/messages?beta=true"
    assert dialect.target(place, COUNT) == "/v1/messages/count_tokens?beta=true"
