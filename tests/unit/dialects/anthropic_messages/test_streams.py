"""Streams: what clones and failures do, and Anthropic's order for whatever another family sends."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.anthropic_messages.support import ASKED, deltas, gathered, meaning, payloads, read
from tests.unit.dialects.anthropic_messages.test_recordings import check_order
from wicket.dialects import anthropic_messages as dialect
from wicket.dialects.anthropic_messages.request_writing import ANSWER_TOOL
from wicket.dialects.contract import Counts
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Delta,
    Finish,
    Foreign,
    Over,
    Part,
    PartBegan,
    PartEnded,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.errors import Fault, UpstreamBroken

OWN = "anthropic_messages"


def event(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **fields}).encode())


def start(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def more(index: int, **delta: Any) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


BEGIN = event(
    "message_start",
    message={"id": "m", "model": "c", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}},
)


def end(reason: Any = "end_turn", **usage: Any) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 5, **usage}) + event("message_stop")


def test_the_empty_input_of_a_start_is_not_part_of_the_arguments() -> None:
    stream = BEGIN + start(0, type="tool_use", id="a", name="f", input={})
    stream += more(0, type="input_json_delta", partial_json="") + more(
        0, type="input_json_delta", partial_json='{"a"'
    )
    stream += more(0, type="input_json_delta", partial_json=": 1.0}") + stop(0) + end("tool_use")
    call = gathered(deltas(stream)).parts[0]
    assert isinstance(call, ToolCall) and call.arguments == '{"a": 1.0}'


def test_a_clone_that_sends_the_whole_input_in_the_start() -> None:
    stream = BEGIN + start(0, type="tool_use", id="a", name="f", input={"a": 1}) + stop(0) + end("tool_use")
    call = gathered(deltas(stream)).parts[0]
    assert isinstance(call, ToolCall) and json.loads(call.arguments) == {"a": 1}


def test_a_call_without_arguments_has_an_empty_object() -> None:
    stream = BEGIN + start(0, type="tool_use", id="a", name="f", input={})
    stream += more(0, type="input_json_delta", partial_json="") + stop(0) + end("tool_use")
    call = gathered(deltas(stream)).parts[0]
    assert isinstance(call, ToolCall) and call.arguments == "{}"


def test_text_in_a_start_counts() -> None:
    stream = BEGIN + start(0, type="text", text="a") + more(0, type="text_delta", text="b") + stop(0) + end()
    only = gathered(deltas(stream)).parts[0]
    assert isinstance(only, Text) and only.text == "ab"


def test_usage_is_cumulative_and_may_be_partial() -> None:
    found = gathered(deltas(BEGIN + end()))
    assert found.counts == Counts(9, 5)
    found = gathered(deltas(BEGIN + end(input_tokens=11, cache_read_input_tokens=4)))
    assert found.counts == Counts(15, 5, 4)


def test_pings_comments_and_new_events_say_nothing() -> None:
    noise = event("ping") + b": comment\n\n" + event("brand_new", x=1) + dialect.KEEP_ALIVE
    assert deltas(BEGIN + noise + end()) == deltas(BEGIN + end())
    assert all(not dialect.frame(data).spoke for data in payloads(noise))


def test_an_error_event_is_a_fault_and_ends_the_stream() -> None:
    broken = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    found = deltas(BEGIN + start(0, type="text", text="x") + broken + end())
    assert isinstance(found[-1], Broken) and found[-1].fault.code == "provider_unavailable"
    assert not any(isinstance(delta, Stopped | Over) for delta in found)
    fault = dialect.frame(payloads(broken)[0]).fault
    assert fault is not None and fault.code == "provider_unavailable"
    openai = b'data: {"error":{"message":"boom"}}\n\n'
    assert isinstance(deltas(BEGIN + openai)[-1], Broken)
    assert dialect.frame(payloads(openai)[0]).fault is not None


def test_an_unknown_stop_reason_is_a_fault() -> None:
    stream = BEGIN + end("new_reason")
    last = deltas(stream)[-1]
    assert isinstance(last, Broken) and last.fault.code == "failed_finish"
    fault = dialect.frame(payloads(stream)[1]).fault
    assert fault is not None and fault.code == "failed_finish"


def test_a_stop_reason_without_an_end_mark_is_complete_and_neither_is_a_fault() -> None:
    stream = BEGIN + start(0, type="text", text="x") + end()
    whole = stream.removesuffix(event("message_stop"))
    assert gathered(deltas(whole)).finish is Finish.STOP
    assert PartEnded(0) in deltas(whole)
    with pytest.raises(UpstreamBroken):
        gathered(deltas(BEGIN + start(0, type="text", text="x")))
    with pytest.raises(UpstreamBroken):
        deltas(BEGIN + event("message_stop"))


@pytest.mark.parametrize(
    "stream",
    [
        b"data: [DONE]\n\n",
        b"data: <html>\n\n",
        more(0, type="text_delta", text="x"),
        stop(0),
        start(0) + start(0),
        event("content_block_start", index=0),
        start(0, type="tool_use", name="f"),
        start(0, type="server_tool_use", id="a", name="x", input={})
        + more(0, type="input_json_delta", partial_json="{")
        + stop(0),
    ],
)
def test_what_is_no_stream_of_this_dialect_is_a_fault(stream: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        deltas(stream)


def test_blocks_of_the_family_alone_come_whole() -> None:
    stream = BEGIN + start(0, type="server_tool_use", id="s", name="web_search", input={})
    stream += more(0, type="input_json_delta", partial_json='{"query":"x"}') + stop(0)
    stream += (
        start(1, type="compaction", content=None) + more(1, type="compaction_delta", content="sum") + stop(1)
    )
    found = gathered(deltas(stream + end("pause_turn")))
    assert found.finish is Finish.PAUSED
    raws = [json.loads(bytes(part.raw)) for part in found.parts if isinstance(part, Foreign) and part.raw]
    assert raws == [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "compaction", "content": "sum"},
    ]


def test_the_answer_tool_is_text_again() -> None:
    stream = BEGIN + start(0, type="tool_use", id="a", name=ANSWER_TOOL, input={})
    stream += more(0, type="input_json_delta", partial_json='{"a":1}') + stop(0) + end("tool_use")
    found = gathered(deltas(stream))
    only = found.parts[0]
    assert isinstance(only, Text) and only.text == '{"a":1}' and found.finish is Finish.STOP


def written(*found: Delta, cost_usd: float | None = None) -> bytes:
    writer = dialect.stream_writer(ASKED)
    return b"".join([writer.write(delta) for delta in found]) + writer.finish(cost_usd)


def test_parts_that_overlap_wait_for_their_turn() -> None:
    stream = written(
        Began("x", "gpt"),
        PartBegan(0, Thinking(origin="openai_chat")),
        PartBegan(1, Text(text="")),
        TextDelta(0, "t"),
        TextDelta(1, "a"),
        PartBegan(2, ToolCall(id="c1", name="f", arguments="")),
        PartBegan(3, ToolCall(id="c2", name="g")),
        ArgumentsDelta(3, '{"y"'),
        ArgumentsDelta(3, ":2}"),
        ArgumentsDelta(2, '{"x":'),
        PartEnded(3),
        TextDelta(1, "b"),
        PartEnded(0),
        ArgumentsDelta(2, "1}"),
        PartEnded(1),
        Stopped(Finish.TOOL_CALLS, "tool_calls"),
        Used(Counts(5, 6)),
        Over(),
    )
    check_order(stream)
    found = gathered(deltas(stream))
    assert [type(part) for part in found.parts] == [Thinking, Text, ToolCall, ToolCall]
    words, first, second = found.parts[1:]
    assert isinstance(words, Text) and words.text == "ab"
    assert isinstance(first, ToolCall) and (first.id, first.arguments) == ("c1", '{"x":1}')
    assert isinstance(second, ToolCall) and (second.id, second.arguments) == ("c2", '{"y":2}')
    assert found.finish is Finish.TOOL_CALLS and found.counts == Counts(5, 6)


def test_the_ends_of_a_stream_tell_usage_and_cost() -> None:
    stream = written(
        Began("x", "gpt"), Used(Counts(20, 1, 4)), Stopped(Finish.STOP), Used(Counts(20, 6, 4)), cost_usd=0.25
    )
    first, *_, last, mark = [json.loads(data) for data in payloads(stream)]
    assert first["message"]["model"] == "gpt" and first["message"]["id"] == "msg_req_1"
    assert first["message"]["content"] == [] and first["message"]["stop_reason"] is None
    assert last["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert (last["usage"]["input_tokens"], last["usage"]["output_tokens"], last["usage"]["cost"]) == (
        16,
        6,
        0.25,
    )
    assert mark == {"type": "message_stop"}


def test_no_empty_text_block_is_written() -> None:
    stream = written(PartBegan(0, Text(text="")), PartEnded(0), Stopped(Finish.STOP))
    assert b"content_block" not in stream
    check_order(stream)


def test_a_cut_or_broken_stream_never_ends_like_a_whole_one() -> None:
    cut = written(PartBegan(0, Text(text="")), TextDelta(0, "x"))
    broken = written(PartBegan(0, Text(text="x")), Broken(UpstreamBroken("c", "m")), Stopped(Finish.STOP))
    for stream in (cut, broken):
        assert stream.count(b"event: error\n") == 1 and b"message_stop" not in stream
        with pytest.raises(Fault):
            gathered(deltas(stream))


def test_thoughts_and_seals_of_another_family_come_back() -> None:
    stream = written(
        PartBegan(0, Thinking(origin="gemini")),
        TextDelta(0, "t"),
        SignatureDelta(0, "s1"),
        PartEnded(0),
        PartBegan(1, ToolCall(id="c", name="f", arguments="", origin="gemini")),
        ArgumentsDelta(1, "{}"),
        SignatureDelta(1, "s2"),
        PartEnded(1),
        Stopped(Finish.TOOL_CALLS),
    )
    check_order(stream)
    content = [
        json.loads(bytes(part.raw)) if part.raw else block(part) for part in gathered(deltas(stream)).parts
    ]
    thought, call = read({"messages": [{"role": "assistant", "content": content}]}).turns[0].parts
    assert isinstance(thought, Thinking) and (thought.origin, thought.signature) == ("gemini", "s1")
    assert isinstance(call, ToolCall) and (call.origin, call.signature) == ("gemini", "s2")


def block(part: Part) -> dict[str, Any]:
    if isinstance(part, Thinking):
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    assert isinstance(part, ToolCall)
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": json.loads(part.arguments)}


PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, text=st.just(""), origin=st.just(OWN)),
    st.builds(Thinking, text=st.just(""), origin=st.just(OWN)),
    st.builds(
        ToolCall,
        id=st.sampled_from(["a", "b"]),
        name=st.just("f"),
        arguments=st.just(""),
        origin=st.just(OWN),
    ),
    st.builds(Thinking, is_redacted=st.just(True), signature=st.just("d"), origin=st.just(OWN)),
    st.builds(
        Foreign,
        kind=st.just("server_tool_use"),
        origin=st.just(OWN),
        raw=st.just(msgspec.Raw(b'{"type":"server_tool_use","id":"s","name":"x","input":{"q":1}}')),
    ),
)


@st.composite
def streams(draw: st.DrawFn) -> list[Delta]:
    """Parts whose deltas come in any mixture."""
    lanes: list[list[Delta]] = []
    for index, part in enumerate(draw(st.lists(PARTS, max_size=5))):
        lane: list[Delta] = []
        words = draw(st.lists(st.text(max_size=3), max_size=3))
        if isinstance(part, Text) or (isinstance(part, Thinking) and not part.is_redacted):
            lane += [TextDelta(index, each) for each in words]
        if isinstance(part, Text) and draw(st.booleans()):
            lane.append(AnnotationDelta(index, msgspec.Raw(b'{"type":"char_location"}')))
        if isinstance(part, Thinking) and not part.is_redacted:
            lane.append(SignatureDelta(index, "s"))
        if isinstance(part, ToolCall):
            lane += [ArgumentsDelta(index, each) for each in ('{"a"', ":1}")]
        lanes.append([PartBegan(index, part), *lane, PartEnded(index)])
    found: list[Delta] = []
    begun = 0
    while any(lanes):
        open_lanes = [lane for number, lane in enumerate(lanes) if lane and number <= begun]
        lane = draw(st.sampled_from(open_lanes))
        if isinstance(lane[0], PartBegan):
            begun += 1
        found.append(lane.pop(0))
    return [Began("m", "c"), *found, Stopped(Finish.STOP, "end_turn"), Used(Counts(3, 2)), Over()]


@settings(max_examples=300, deadline=None)
@given(found=streams())
def test_any_mixture_is_written_in_order_and_read_as_it_was(found: list[Delta]) -> None:
    stream = written(*found)
    check_order(stream)
    assert said(gathered(deltas(stream))) == said(gathered(found))


def said(completion: Any) -> Any:
    parts, finish, stop_at, counts = meaning(completion)
    return (
        [part for part in parts if part["kind"] != "Text" or part["text"] or part["annotations"]],
        finish,
        stop_at,
        counts,
    )


SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "x", "{", "text", "tool_use"])
FIELDS = [
    "type",
    "text",
    "thinking",
    "signature",
    "data",
    "id",
    "name",
    "input",
    "citations",
    "citation",
    "content",
]
FIELDS += ["partial_json", "stop_reason", "usage", "input_tokens", "iterations", "model", "message", "error"]
BLOCKS = st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "x"])
KINDS = [
    "text_delta",
    "thinking_delta",
    "input_json_delta",
    "signature_delta",
    "citations_delta",
    "compaction_delta",
]
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
LOOSE = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5)
EVENTS = st.builds(
    lambda kind, index, start, delta, rest: {**rest, "type": kind, "index": index, **start, **delta},
    st.sampled_from(
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "error",
        ]
    ),
    st.sampled_from([0, 0, 0, 1, None]),
    st.builds(lambda kind, rest: {"content_block": {**rest, "type": kind}}, BLOCKS, LOOSE),
    st.builds(
        lambda kind, rest: {"delta": {**rest, "type": kind}},
        st.sampled_from(KINDS),
        st.fixed_dictionaries(
            {}, optional={"text": st.just("x"), "partial_json": st.just("{"), "content": VALUES}
        ),
    ),
    st.just({}) | LOOSE,
)


@settings(max_examples=300, deadline=None)
@given(
    events=st.lists(EVENTS.map(lambda each: json.dumps(each).encode()) | st.binary(max_size=9), max_size=5)
)
def test_no_stream_does_anything_but_be_read_or_be_a_fault(events: list[bytes]) -> None:
    reader = dialect.stream_reader()
    writer = dialect.stream_writer(ASKED)
    try:
        for data in events:
            for delta in reader.feed(data):
                writer.write(delta)
        for delta in reader.finish():
            writer.write(delta)
    except Fault as fault:
        assert fault.code  # noqa: PT017
    writer.finish(None)
