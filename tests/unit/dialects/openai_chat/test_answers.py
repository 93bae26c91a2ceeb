"""Answers, whole and streamed, read into the hub's values and written again."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from wicket.dialects.contract import Counts
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import (
    ArgumentsDelta,
    Began,
    Broken,
    Completion,
    Delta,
    Finish,
    Foreign,
    Media,
    Over,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.dialects.openai_chat import (
    read_completion,
    stream_reader,
    stream_writer,
    write_completion,
)
from wicket.dialects.translation import Asked
from wicket.errors import Fault, ProviderRefusal, UpstreamBroken

ASKED = Asked(id="req_1", created_s=5, model="asked", fields={}, wants_usage=True)
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a":1}'}}
CUSTOM = {"id": "c", "type": "custom", "custom": {}}
SEAL = {"google": {"thought_signature": "s"}}


def answer(message: Any, finish: Any = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish, **more.pop("choice", {})}
    return json.dumps({"id": "i", "created": 9, "model": "m", "choices": [choice], **more}).encode()


def read(message: Any, finish: Any = "stop", **more: Any) -> Completion:
    return read_completion(answer(message, finish, **more))


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish, **more.pop("choice", {})}
    return json.dumps({"id": "i", "created": 9, "model": "m", "choices": [choice], **more}).encode()


def piece(arguments: str, name: str = "", **call: Any) -> dict[str, Any]:
    named = {"name": name} if name else {}
    return {**call, "function": {**named, "arguments": arguments}}


def deltas(*payloads: bytes) -> list[Delta]:
    reader = stream_reader()
    found = [delta for payload in payloads for delta in reader.feed(payload)]
    return [*found, *reader.finish()]


def gathered(found: Iterable[Delta]) -> Completion:
    whole = Gathered()
    for delta in found:
        whole.add(delta)
    return whole.completion()


def bare(parts: Sequence[Part]) -> list[Any]:
    names = ("text", "signature", "is_redacted", "id", "name", "arguments", "kind", "data", "url", "origin")
    return [
        (type(part).__name__, {name: getattr(part, name) for name in names if hasattr(part, name)})
        for part in parts
    ]


# Whole

PARTS: list[tuple[Any, list[Part]]] = [
    ({"content": "a"}, [Text(origin="openai_chat", text="a")]),
    ({"content": None, "refusal": "no"}, [Refusal(origin="openai_chat", text="no")]),
    (
        {"content": "a", "reasoning_content": "hm"},
        [Thinking(origin="openai_chat", text="hm"), Text(origin="openai_chat", text="a")],
    ),
    (
        {"content": None, "tool_calls": [CALL]},
        [ToolCall(origin="openai_chat", id="c1", name="find", arguments='{"a":1}')],
    ),
    (
        {"content": None, "tool_calls": [{**CALL, "extra_content": SEAL}]},
        [ToolCall(origin="gemini", id="c1", name="find", arguments='{"a":1}', signature="s")],
    ),
    (
        {"content": "a", "reasoning": "hm", "reasoning_details": [
            {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"},
            {"type": "reasoning.encrypted", "data": "d", "format": "anthropic-claude-v1"}]},
        [Thinking(origin="anthropic_messages", text="hm", signature="s"),
         Thinking(origin="anthropic_messages", is_redacted=True, signature="d"),
         Text(origin="openai_chat", text="a")],
    ),
    (
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                     {"type": "text", "text": "a"}]},
        [Thinking(origin="openai_chat", text="hm"), Text(origin="openai_chat", text="a")],
    ),
    (
        {"content": None, "images": [{"image_url": {"url": "data:image/png;base64,AAAA"}}]},
        [Media(origin="openai_chat", kind="image", media_type="image/png", data="AAAA")],
    ),
    (
        {"content": None, "function_call": {"name": "find", "arguments": "{}"}},
        [ToolCall(origin="openai_chat", id="call_0", name="find")],
    ),
    ({"content": None, "tool_calls": [CUSTOM]}, [Foreign(kind="custom")]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "parts"), PARTS, ids=lambda value: str(value)[:40])
def test_a_messages_parts(message: Any, parts: list[Part]) -> None:
    found = read(message)
    for part in parts:
        if isinstance(part, Foreign):
            part.origin = "openai_chat"
    assert bare(found.parts) == bare(parts) and found.unread == []


@pytest.mark.parametrize(("message", "parts"), PARTS[:6], ids=lambda value: str(value)[:40])
def test_written_again_it_means_the_same(message: Any, parts: list[Part]) -> None:
    first = read(message)
    second = read_completion(write_completion(first, ASKED, None))
    assert bare(second.parts) == bare(first.parts) and second.finish == first.finish
    assert (second.id, second.model, second.created_s) == ("i", "m", 9)


@pytest.mark.parametrize(
    ("reason", "finish", "word"),
    [
        ("stop", Finish.STOP, "stop"),
        ("length", Finish.LENGTH, "length"),
        ("model_length", Finish.LENGTH, "length"),
        ("tool_calls", Finish.TOOL_CALLS, "tool_calls"),
        ("content_filter", Finish.FILTERED, "content_filter"),
        ("eos", Finish.STOP, "stop"),
        ("eos_token", Finish.STOP, "stop"),
        ("sensitive", Finish.FILTERED, "content_filter"),
        ("function_call", Finish.TOOL_CALLS, "tool_calls"),
    ],
)
def test_finish_reasons(reason: str, finish: Finish, word: str) -> None:
    found = read({"content": "a"}, reason)
    assert (found.finish, found.raw_finish) == (finish, reason)
    written = json.loads(write_completion(found, ASKED, None))["choices"][0]
    assert written["finish_reason"] == word
    assert written.get("native_finish_reason", word) == reason


def test_a_call_behind_a_plain_stop_is_a_call() -> None:
    assert read({"content": None, "tool_calls": [CALL]}).finish is Finish.TOOL_CALLS
    [*_, last] = [
        one
        for one in deltas(chunk({"tool_calls": [{"index": 0, **CALL}]}, "stop"))
        if isinstance(one, Stopped)
    ]
    assert last.finish is Finish.TOOL_CALLS


@pytest.mark.parametrize(
    "reason", ["error", "network_error", "insufficient_system_resource", "tired", None, 5]
)
def test_an_unknown_finish_reason_is_a_failure(reason: Any) -> None:
    with pytest.raises(UpstreamBroken):
        read({"content": "a"}, reason)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<html>", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b'{"choices":5}',
        answer({"content": "a"}, error={"message": "no", "code": "content_filter"}),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure(data: bytes) -> None:
    with pytest.raises((UpstreamBroken, ProviderRefusal)):
        read_completion(data)


def test_counts_and_cost() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 3},
    }
    found = read({"content": "a"}, usage=usage)
    assert found.counts == Counts(10, 20, 4, 0, 5, 0, 2, 3)
    written = json.loads(write_completion(found, ASKED, 0.5))["usage"]
    assert written == {**usage, "total_tokens": 30, "cost": 0.5}


def test_what_is_not_read_is_named() -> None:
    data = answer({"content": "a", "odd": 1, "audio": None}, citations=["x"], choice={"filters": {"a": 1}})
    unread = ["citations", "choices[0].filters", "choices[0].message.odd"]
    assert read_completion(data).unread == unread


def test_nothing_of_another_family_is_lost() -> None:
    raw = msgspec.Raw(b'{"type":"web_search"}')
    cited = Text(origin="anthropic_messages", text="a", annotations=msgspec.Raw(b'[{"cited":1}]'))
    ours = Text(origin="openai_chat", text="b", annotations=msgspec.Raw(b'[{"type":"url_citation"}]'))
    parts: list[Part] = [Foreign(origin="anthropic_messages", kind="search", raw=raw), cited, ours]
    made = Completion(
        origin="anthropic_messages", parts=parts, finish=Finish.PAUSED, raw_finish="pause_turn", stop="x"
    )
    written = json.loads(write_completion(made, ASKED, None))
    message = written["choices"][0]["message"]
    assert message["foreign_parts"] == [{"type": "web_search"}] and message["content"] == "ab"
    assert message["citations"] == [{"cited": 1}] and message["annotations"] == [{"type": "url_citation"}]
    assert written["choices"][0]["finish_reason"] == "length"
    assert written["choices"][0]["native_finish_reason"] == "pause_turn"
    assert (written["id"], written["model"], written["created"]) == ("req_1", "asked", 5)


# Streams

STREAMS: dict[str, tuple[list[bytes], Any]] = {
    "text": (
        [chunk({"role": "assistant", "content": ""}), chunk({"content": "a"}),
         chunk({"content": "b"}, "stop")],
        {"content": "ab"},
    ),
    "thought and text in one chunk": (
        [chunk({"reasoning_content": "hm", "content": "a"}), chunk({}, "stop")],
        {"reasoning_content": "hm", "content": "a"},
    ),
    "details": (
        [
            chunk({"reasoning": "h", "reasoning_details": [
                {"type": "reasoning.text", "text": "h", "index": 0, "format": "anthropic-claude-v1"}]}),
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": "m", "index": 0}]}),
            chunk({"reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}]}),
            chunk({"content": "a"}, "stop"),
        ],
        {"content": "a", "reasoning_details": [
            {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"}]},
    ),
    "calls interleaved": (
        [
            chunk({"tool_calls": [piece("", index=0, id="c1", name="find")]}),
            chunk({"tool_calls": [piece('{"b"', index=1, id="c2", name="look")]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}),
            chunk({"tool_calls": [{"index": 1, "function": {"arguments": ":2}"}}]}),
            chunk({}, "tool_calls"),
        ],
        {"content": None, "tool_calls": [
            CALL, piece('{"b":2}', id="c2", name="look")]},
    ),
    "calls without index": (
        [
            chunk({"tool_calls": [piece('{"a"', id="c1", name="find")]}),
            chunk({"tool_calls": [{"function": {"arguments": ":1}"}}]}),
            chunk({"tool_calls": [piece("{}", id="c2", name="look")]}, "tool_calls"),
        ],
        {"content": None, "tool_calls": [CALL, piece("{}", id="c2", name="look")]},
    ),
    "calls of one index": (
        [
            chunk({"tool_calls": [piece('{"a":1}', index=0, id="c1", name="find")]}),
            chunk({"tool_calls": [piece("{}", index=0, id="c2", name="look")]}),
            chunk({}, "tool_calls"),
        ],
        {"content": None, "tool_calls": [CALL, piece("{}", id="c2", name="look")]},
    ),
    "a sealed call": (
        [chunk({"tool_calls": [{"index": 0, **CALL, "extra_content": SEAL}]}), chunk({}, "stop")],
        {"content": None, "tool_calls": [{**CALL, "extra_content": SEAL}]},
    ),
    "text between calls": (
        [
            chunk({"content": "a"}),
            chunk({"tool_calls": [{"index": 0, **CALL}]}),
            chunk({}, "tool_calls"),
        ],
        {"content": "a", "tool_calls": [CALL]},
    ),
    "refusal": ([chunk({"refusal": "n"}), chunk({"refusal": "o"}), chunk({}, "stop")], {"refusal": "no"}),
    "an empty first chunk": (
        [json.dumps({"choices": [], "prompt_filter_results": []}).encode(), chunk({"content": "a"}, "stop")],
        {"content": "a"},
    ),
    "a function call of old": (
        [chunk({"function_call": {"name": "find", "arguments": ""}}),
         chunk({"function_call": {"arguments": "{}"}}, "function_call")],
        {"function_call": {"name": "find", "arguments": "{}"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("payloads", "message"), STREAMS.values(), ids=STREAMS)
def test_a_stream_says_what_the_whole_answer_says(payloads: list[bytes], message: Any) -> None:
    found = gathered(deltas(*payloads, b"[DONE]"))
    whole = read(message)
    assert (bare(found.parts) == bare(whole.parts) and found.finish is whole.finish) or found.raw_finish
    assert (found.id, found.model, found.created_s) == ("i", "m", 9)


@pytest.mark.parametrize(("payloads", "message"), STREAMS.values(), ids=STREAMS)
def test_a_stream_written_again_says_the_same(payloads: list[bytes], message: Any) -> None:
    found = deltas(*payloads, b"[DONE]")
    writer = stream_writer(ASKED)
    frames = b"".join([writer.write(delta) for delta in found]) + writer.finish(0.25)
    assert frames.endswith(b"data: [DONE]\n\n")
    again = gathered(deltas(*[frame.removeprefix(b"data: ") for frame in frames.split(b"\n\n") if frame]))
    assert bare(again.parts) == bare(gathered(found).parts) and again.finish is gathered(found).finish


@pytest.mark.parametrize(("payloads", "message"), STREAMS.values(), ids=STREAMS)
def test_parts_begin_in_order_and_all_end_once(payloads: list[bytes], message: Any) -> None:
    found = deltas(*payloads)
    began = [delta.index for delta in found if isinstance(delta, PartBegan)]
    ended = [delta.index for delta in found if isinstance(delta, PartEnded)]
    assert began == list(range(len(began))) and sorted(ended) == began
    assert isinstance(found[0], Began) and sum(isinstance(delta, Stopped) for delta in found) == 1


def test_usage_may_come_anywhere() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    last = json.dumps({"id": "i", "choices": [], "usage": usage}).encode()
    for payloads in (
        [chunk({"content": "a"}, "stop"), last],
        [chunk({"content": "a"}, "stop", usage=usage)],
        [chunk({"content": "a"}, "stop", x_groq={"usage": usage})],
        [chunk({"content": "a"}, "stop", choice={"usage": usage})],
    ):
        used = [delta for delta in deltas(*payloads) if isinstance(delta, Used)]
        assert used == [Used(Counts(1, 2))]


def test_log_probabilities_stay_with_their_text() -> None:
    logprobs = {"content": [{"token": "a", "logprob": -0.5}]}
    payloads = [chunk({"content": "a"}, choice={"logprobs": logprobs}), chunk({}, "stop")]
    found = gathered(deltas(*payloads))
    assert found.logprobs is not None and msgspec.json.decode(found.logprobs) == logprobs
    writer = stream_writer(ASKED)
    frames = b"".join([writer.write(delta) for delta in deltas(*payloads)])
    assert b'"logprob":-0.5' in frames


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (chunk({}, "error"), "failed_finish"),
        (chunk({}, "tired"), "failed_finish"),
        (b'{"error":{"message":"no"}}', "provider_error"),
        (b'{"error":{"message":"no","code":"content_filter"}}', "content_filter"),
    ],
)
def test_an_error_in_the_stream_breaks_it(payload: bytes, code: str) -> None:
    found = deltas(chunk({"content": "a"}), payload)
    [broken] = [delta for delta in found if isinstance(delta, Broken)]
    assert broken.fault.code == code
    with pytest.raises(Fault):
        gathered(found)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"5", b'"a"'])
def test_what_is_no_chunk_breaks_it(payload: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        stream_reader().feed(payload)


def test_a_stream_without_usage_asked_for_has_none() -> None:
    writer = stream_writer(msgspec.structs.replace(ASKED, wants_usage=False))
    writer.write(Used(Counts(1, 2)))
    assert writer.finish(0.5) == b"data: [DONE]\n\n"


def written(*found: Delta) -> list[Any]:
    writer = stream_writer(ASKED)
    frames = b"".join([writer.write(delta) for delta in found])
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames.split(b"\n\n") if frame]


def test_a_role_comes_first_and_names_once() -> None:
    chunks = written(
        Began("i", "m"),
        PartBegan(0, ToolCall(id="c1", name="find")),
        ArgumentsDelta(0, '{"a"'),
        PartBegan(1, ToolCall(id="c2", name="look", arguments='{"whole":1}')),
        ArgumentsDelta(0, ":1}"),
        PartEnded(0),
        PartEnded(1),
        Stopped(Finish.TOOL_CALLS),
    )
    pieces = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert pieces[0] == {"role": "assistant", "content": ""}
    calls = [call for piece in pieces for call in piece.get("tool_calls", ())]
    assert [call["index"] for call in calls] == [0, 0, 1, 0, 1]
    assert [call.get("id") for call in calls] == ["c1", None, "c2", None, None]
    assert calls[-1] == {"index": 1, "function": {"arguments": '{"whole":1}'}}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_whole_parts_and_seals_of_other_families_arrive() -> None:
    chunks = written(
        PartBegan(0, Thinking(origin="anthropic_messages")),
        TextDelta(0, "hm"),
        SignatureDelta(0, "s"),
        PartEnded(0),
        PartBegan(1, Thinking(origin="anthropic_messages", is_redacted=True, signature="d")),
        PartEnded(1),
        PartBegan(2, Foreign(origin="anthropic_messages", kind="x", raw=msgspec.Raw(b"{}"))),
        PartEnded(2),
        PartBegan(3, Media(kind="image", media_type="image/png", data="AAAA")),
        PartEnded(3),
        PartBegan(4, Text(text="all at once")),
        PartEnded(4),
        Stopped(Finish.PAUSED, "pause_turn"),
        Over(),
    )
    pieces = [chunk["choices"][0]["delta"] for chunk in chunks]
    details = [detail for piece in pieces for detail in piece.get("reasoning_details", ())]
    assert [detail["index"] for detail in details] == [0, 0, 1]
    assert details[1] == {
        "type": "reasoning.text",
        "signature": "s",
        "index": 0,
        "format": "anthropic-claude-v1",
    }
    assert [piece["foreign_parts"] for piece in pieces if "foreign_parts" in piece] == [[{}]]
    assert [len(piece["images"]) for piece in pieces if "images" in piece] == [1]
    assert {"content": "all at once"} in pieces
    assert chunks[-1]["choices"][0]["native_finish_reason"] == "pause_turn"
