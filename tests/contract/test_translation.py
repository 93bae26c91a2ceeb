"""Every dialect that reads or writes the hub's values.

It is total over any bytes, says the same however often and however cut, and loses nothing without a word.
"""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.test_dialects import ANYTHING, JSON, NAMES, attempt, is_sound

from wicket.dialects.contract import Body, Counts, Way
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import (
    ArgumentsDelta,
    Began,
    Completion,
    Conversation,
    Delta,
    Finish,
    Foreign,
    Format,
    Media,
    Over,
    Part,
    PartBegan,
    PartEnded,
    Reasoning,
    Refusal,
    Setting,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Used,
)
from wicket.dialects.translation import Asked, Heard, Spoken, heard, spoken
from wicket.errors import BusyFault, CallerFault, Fault, KeyFault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

SPOKEN = [name for name in NAMES if spoken(name) is not None]
HEARD = [name for name in NAMES if heard(name) is not None]
SAMPLES = sorted((Path(__file__).parents[1] / "data" / "dialects").glob("*/*.stream"))
DEPLOYMENT = Deployment(
    id="p/m", provider="p", model="m", origin=Origin("https", "up.example", 443), max_output_tokens=4096
)
ASKED = Asked(id="req_1", created_s=5, model="asked", fields={}, wants_usage=True)
DATA = base64.b64encode(b"a marker in pieces").decode()
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"marker":{"type":"string"}},"required":["marker"]}')
FIND = Tool(name="find", description="d", schema=SCHEMA, path="tools[0]")


def side_spoken(name: str) -> Spoken:
    found = spoken(name)
    assert found is not None
    return found


def side_heard(name: str) -> Heard:
    found = heard(name)
    assert found is not None
    return found


def test_there_are_both_sides() -> None:
    assert "openai_chat" in SPOKEN and "openai_chat" in HEARD and SAMPLES


NAMELESS = {"cohere"}  # whose answers don't say which model gave them
FIELDS = ["messages", "contents", "input", "system", "tools", "tool_choice", "stop", "temperature"]
FIELDS += ["max_tokens", "stream", "thinking", "reasoning", "response_format", "generationConfig"]
FIELDS += [
    "documents",
    "response_format",
    "strict_tools",
    "safety_mode",
    "systemInstruction",
    "metadata",
    "logit_bias",
    "n",
    "odd",
]

# Any bytes


@pytest.mark.parametrize("name", SPOKEN)
@settings(max_examples=100, deadline=None)
@given(data=ANYTHING)
def test_no_whole_answer_raises_anything_but_a_fault(name: str, data: bytes) -> None:
    found = attempt(lambda: side_spoken(name).read_completion(data))
    assert is_sound(found)
    assert isinstance(found, Fault | Completion)


@pytest.mark.parametrize("name", SPOKEN)
@settings(max_examples=100, deadline=None)
@given(payloads=st.lists(ANYTHING, max_size=5))
def test_no_stream_raises_anything_but_a_fault(name: str, payloads: list[bytes]) -> None:
    assert is_sound(attempt(lambda: gathered(side_spoken(name), payloads)))


@pytest.mark.parametrize("name", HEARD)
@settings(max_examples=150, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_request_raises_anything_but_a_callers_fault(name: str, fields: dict[str, Any]) -> None:
    found = attempt(lambda: side_heard(name).read_request(peek(msgspec.json.encode(fields))))
    if isinstance(found, Conversation):
        assert set(found.settings) <= set(found.names)
    else:
        assert isinstance(found, CallerFault) and found.message and 400 <= found.status < 500


# Where callers come in


@pytest.mark.parametrize("name", HEARD)
def test_its_paths_are_its_own(name: str) -> None:
    ways = {
        other: {way.path for api in side.APIS for way in api.ways or (Way("/v1" + api.path),)}  # type: ignore[attr-defined]
        for other in HEARD
        if (side := side_heard(other))
    }
    others = set().union(*[paths for other, paths in ways.items() if other != name])
    assert ways[name] and not ways[name] & others
    assert all(path.startswith("/") for path in ways[name])


@pytest.mark.parametrize("name", HEARD)
@pytest.mark.parametrize(
    "fault",
    [
        CallerFault("invalid_value", "'n' is odd.", param="n"),
        KeyFault("invalid_api_key", "No."),
        BusyFault("overloaded", "Later.", status=503),
        UpstreamBroken("cut", "It ended."),
    ],
)
def test_errors_say_what_happened_in_frames_that_are_whole(name: str, fault: Fault) -> None:
    side = side_heard(name)
    assert fault.message.encode() in side.fault_body(fault, "req_1")
    frame = side.fault_frame(fault, "req_1")
    assert frame.endswith(b"\n\n") and fault.message.encode() in frame
    assert side.KEEP_ALIVE.endswith(b"\n\n")
    msgspec.json.decode(side.fault_body(fault, "req_1"))


# Nothing is lost without a word

SYSTEM = Turn(role="system", parts=[Text(text="marker", path="here")])
LINK = "https://a.example/m.png"

VALUES: dict[Setting, Any] = {
    Setting.MAX_OUTPUT_TOKENS: 2048,
    Setting.TEMPERATURE: 0.5,
    Setting.TOP_P: 0.5,
    Setting.TOP_K: 5,
    Setting.MIN_P: 0.1,
    Setting.STOP: ("x",),
    Setting.SEED: 7,
    Setting.FREQUENCY_PENALTY: 0.5,
    Setting.PRESENCE_PENALTY: 0.5,
    Setting.LOGIT_BIAS: {"5": 1.0},
    Setting.LOGPROBS: 2,
    Setting.NUM_CHOICES: 2,
    Setting.TOOL_CHOICE: ToolChoice("required"),
    Setting.PARALLEL_TOOLS: False,
    Setting.FORMAT: Format(kind="json_schema", name="n", schema=SCHEMA),
    Setting.REASONING: Reasoning(effort="low"),
    Setting.VERBOSITY: "low",
    Setting.MODALITIES: ("text", "audio"),
    Setting.AUDIO: msgspec.Raw(b'{"voice":"a","format":"wav"}'),
    Setting.PREDICTION: msgspec.Raw(b'{"type":"content","content":"a"}'),
    Setting.USER: "someone",
    Setting.METADATA: {"a": "b"},
    Setting.STORE: True,
    Setting.SERVICE_TIER: "flex",
    Setting.CACHE_KEY: "k",
    Setting.CACHE_RETENTION: "24h",
    Setting.PREVIOUS_ID: "resp_1",
    Setting.TRUNCATION: "auto",
    Setting.SAFETY: msgspec.Raw(b"[]"),
    Setting.INCLUDE: ("x",),
    Setting.MAX_TOOL_CALLS: 3,
    Setting.BACKGROUND: True,
    Setting.OWN: {"theirs": msgspec.Raw(b"1")},
    Setting.OWN_HINTS: {"theirs": msgspec.Raw(b"1")},
}


def conversation(*turns: Turn, **more: Any) -> Conversation:
    first = Turn(role="user", parts=[Text(text="hello", path="a")], path="a")
    return Conversation(origin="elsewhere", turns=[first, *turns], tools=[FIND], **more)


def test_every_setting_has_a_value_here() -> None:
    assert set(VALUES) == set(Setting)


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("setting", Setting)
def test_a_setting_is_sent_or_told_or_refused_by_its_callers_name(name: str, setting: Setting) -> None:
    side = side_spoken(name)
    without = side.write_request(conversation(), DEPLOYMENT, streamed=False)
    asked = conversation(settings={setting: VALUES[setting]}, names={setting: "theirs"})
    body = attempt(lambda: side.write_request(asked, DEPLOYMENT, streamed=False))
    if isinstance(body, CallerFault):
        assert body.param == "theirs"
        return
    assert isinstance(body, Body) and body == side.write_request(asked, DEPLOYMENT, streamed=False)
    assert body.data != without.data or any(path.startswith("theirs") for path in body.dropped)


def user(part: Part) -> list[Turn]:
    return [Turn(role="assistant", parts=[Text(text="b")]), Turn(role="user", parts=[part], path="here")]


def assistant(part: Part) -> list[Turn]:
    parts = [part, Text(text="b", path="b")]
    return [Turn(role="assistant", parts=parts, path="here"), Turn(role="user", parts=[Text(text="c")])]


def thought(**values: Any) -> Thinking:
    return Thinking(origin="elsewhere", path="here", **values)


def tools(call: ToolCall, result: ToolResult) -> list[Turn]:
    return [Turn(role="assistant", parts=[call], path="x"), Turn(role="tool", parts=[result], path="here")]


CALL = ToolCall(id="call_1", name="find", arguments='{"marker":"a"}', path="here")
TURNS: dict[str, tuple[list[Turn], str]] = {
    "text": (user(Text(text="marker", path="here")), "marker"),
    "system": ([SYSTEM, *user(Text(text="x"))], "marker"),
    "image": (user(Media(kind="image", media_type="image/png", data=DATA, path="here")), DATA),
    "image by url": (user(Media(kind="image", url=LINK, path="here")), LINK),
    "image by id": (user(Media(kind="image", file_id="file_marker", path="here")), "file_marker"),
    "document": (user(Media(kind="document", media_type="application/pdf", data=DATA, path="here")), DATA),
    "plain document": (user(Media(kind="document", text="marker", path="here")), "marker"),
    "audio": (user(Media(kind="audio", media_type="audio/wav", data=DATA, path="here")), DATA),
    "video": (user(Media(kind="video", media_type="video/mp4", data=DATA, path="here")), DATA),
    "foreign": (user(Foreign(kind="search", raw=msgspec.Raw(b'{"marker":1}'), path="here")), "marker"),
    "thinking": (assistant(thought(text="marker", signature="s")), "marker"),
    "sealed": (assistant(thought(text="t", signature="marker")), "marker"),
    "redacted": (
        assistant(Thinking(origin="elsewhere", is_redacted=True, signature="marker", path="here")),
        "marker",
    ),
    "refusal": (assistant(Refusal(text="marker", path="here")), "marker"),
    "call": (tools(CALL, ToolResult(id="call_1", parts=(Text(text="r"),))), "marker"),
    "result": (tools(CALL, ToolResult(id="call_1", parts=(Text(text="found it", path="here"),))), "found it"),
    "picture as a result": (
        tools(CALL, ToolResult(id="call_1", path="here", parts=(
            Media(kind="image", media_type="image/png", data=DATA, path="here"),))),
        DATA,
    ),
    "failed result": (
        tools(CALL, ToolResult(id="call_1", path="here", is_error=True, parts=(Text(text="r"),))), 'error"'
    ),
    "cache mark": (
        user(Text(text="x", path="here", cache=msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}'))), '"1h"'
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize(("turns", "marker"), TURNS.values(), ids=TURNS)
def test_a_part_is_sent_or_told_or_refused_by_its_path(name: str, turns: list[Turn], marker: str) -> None:
    side = side_spoken(name)
    body = attempt(lambda: side.write_request(conversation(*turns), DEPLOYMENT, streamed=True))
    if isinstance(body, CallerFault):
        assert (body.param or "").startswith("here")
        return
    assert isinstance(body, Body)
    sent = body.data.replace(b'\\"', b'"').decode()
    assert marker in sent or any(path.startswith("here") for path in body.dropped)


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize(("turns", "marker"), TURNS.values(), ids=TURNS)
def test_no_null_is_added(name: str, turns: list[Turn], marker: str) -> None:
    """Some servers refuse an explicit null; only OpenAI's own form has one, in a message of calls alone."""
    side = side_spoken(name)
    asked = conversation(*turns, settings={Setting.TEMPERATURE: 0.5, Setting.MAX_OUTPUT_TOKENS: 64})
    body = attempt(lambda: side.write_request(asked, DEPLOYMENT, streamed=True))
    if isinstance(body, Body):
        assert set(nulls(msgspec.json.decode(body.data))) <= {"content"}


def nulls(value: Any, name: str = "") -> list[str]:
    """The names of the members that are null."""
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in nulls(each, key)]
    if isinstance(value, list):
        return [found for each in value for found in nulls(each, name)]
    return [name] if value is None else []


@pytest.mark.parametrize("name", SPOKEN)
def test_what_could_not_be_read_is_told_and_what_is_unknown_forwarded(name: str) -> None:
    asked = conversation(unread=["messages[3].odd"], extras={"brand_new": msgspec.Raw(b"[1.0]")})
    body = side_spoken(name).write_request(asked, DEPLOYMENT, streamed=False)
    assert "messages[3].odd" in body.dropped and b"[1.0]" in body.data
    assert msgspec.json.decode(body.data)["brand_new"] == [1.0]


@pytest.mark.parametrize("name", SPOKEN)
def test_schemas_keep_their_order(name: str) -> None:
    raw = b'{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}}}'
    asked = conversation()
    asked.tools = [Tool(name=one, schema=msgspec.Raw(raw), path="t") for one in ("zebra", "ant")]
    data = side_spoken(name).write_request(asked, DEPLOYMENT, streamed=False).data
    assert data.index(b'"zebra"') < data.index(b'"ant"') and data.index(b'"z"') < data.index(b'"a"')


# Answers

ANSWERS: dict[str, list[Part]] = {
    "text": [Text(text="marker")],
    "thought": [Thinking(text="hm", signature="s"), Text(text="marker")],
    "calls": [Text(text="a"), ToolCall(id="c1", name="marker", arguments='{"a":1}'),
              ToolCall(id="c2", name="look", arguments="{}")],
}  # fmt: skip
FINISHES = [Finish.STOP, Finish.LENGTH, Finish.TOOL_CALLS, Finish.FILTERED]


def deltas_of(completion: Completion) -> list[Delta]:
    """As a stream: every text in two pieces."""
    found: list[Delta] = [Began(completion.id, completion.model, completion.created_s)]
    for index, part in enumerate(completion.parts):
        if isinstance(part, ToolCall):
            found.append(PartBegan(index, ToolCall(id=part.id, name=part.name)))
            cut = len(part.arguments) // 2
            found += [
                ArgumentsDelta(index, part.arguments[:cut]),
                ArgumentsDelta(index, part.arguments[cut:]),
            ]
        else:
            assert isinstance(part, Text | Thinking)
            found.append(PartBegan(index, msgspec.structs.replace(part, text="", signature="")))
            cut = len(part.text) // 2
            found += [TextDelta(index, part.text[:cut]), TextDelta(index, part.text[cut:])]
        if part.signature:
            found.append(SignatureDelta(index, part.signature))
        found.append(PartEnded(index))
    found.append(Stopped(completion.finish, completion.raw_finish))
    if completion.counts is not None:
        found.append(Used(completion.counts))
    return [*found, Over()]


def payloads_of(side: Spoken, frames: bytes, size: int = 1 << 20) -> list[bytes]:
    """A stream's payloads, fed in pieces of `size` bytes."""
    from wicket.wire.sse import FrameSplitter, payload

    splitter = side.splitter()
    found = [one for at in range(0, len(frames), size) for one in splitter.feed(frames[at : at + size])]
    rest = splitter.finish()
    found += [rest] if rest else []
    payloads = [payload(one) for one in found] if isinstance(splitter, FrameSplitter) else found
    return [one for one in payloads if one]


def gathered(side: Spoken, payloads: list[bytes]) -> Completion:
    reader, whole = side.stream_reader(), Gathered()
    for payload in payloads:
        for delta in reader.feed(payload):
            whole.add(delta)
    for delta in reader.finish():
        whole.add(delta)
    return whole.completion()


def meaning(completion: Completion) -> Any:
    names = ("text", "signature", "is_redacted", "id", "name", "arguments", "kind", "data", "url")
    parts = [
        (type(part).__name__, {name: getattr(part, name) for name in names if hasattr(part, name)})
        for part in completion.parts
    ]
    return parts, completion.finish, completion.model, completion.counts


@pytest.mark.parametrize("name", [name for name in HEARD if name in SPOKEN])
@pytest.mark.parametrize("parts", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("finish", FINISHES)
def test_an_answer_written_whole_or_as_a_stream_reads_the_same(
    name: str, parts: list[Part], finish: Finish
) -> None:
    if (finish is Finish.TOOL_CALLS) is not isinstance(parts[-1], ToolCall):
        return  # no provider says so
    ours = [msgspec.structs.replace(part, origin=name) for part in parts]
    counts = Counts(10, 20, 4, 0, 5)
    made = Completion(origin=name, id="i", model="m", parts=ours, finish=finish, counts=counts)
    voice, side = side_heard(name), side_spoken(name)
    whole = side.read_completion(voice.write_completion(made, ASKED, 0.25))
    writer = voice.stream_writer(ASKED)
    frames = b"".join([writer.write(delta) for delta in deltas_of(made)]) + writer.finish(0.25)
    assert frames.endswith(b"\n\n")
    streamed = gathered(side, payloads_of(side, frames))
    assert meaning(streamed)[:3] == meaning(whole)[:3]
    assert whole.finish == finish and (whole.model == "m" or name in NAMELESS)
    assert whole.counts is not None and streamed.counts is not None
    assert streamed.counts.output_tokens == whole.counts.output_tokens == 20
    assert whole.counts.input_tokens == 10


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_stream_says_the_same_wherever_it_is_cut_and_as_the_whole_answer(sample: Path) -> None:
    side, data = side_spoken(sample.parent.name), sample.read_bytes()
    first = payloads_of(side, data)
    for size in (1, 2, 3, 7, 64, 1000):
        assert payloads_of(side, data, size) == first
    whole = sample.with_suffix(".json")
    if whole.exists():
        assert meaning(gathered(side, first)) == meaning(side.read_completion(whole.read_bytes()))
