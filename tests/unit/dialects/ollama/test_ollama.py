"""Ollama's own API: its lines, its answers as its reference shows them, conversations as it gets them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.dialects import ollama
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
from wicket.dialects.ollama.lines import LineSplitter
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire.origin import Origin
from wicket.wire.sse import FrameTooLong

DEPLOYMENT = Deployment(
    id="o/m", provider="o", model="qwen3", origin=Origin("http", "127.0.0.1", 11434), base_path=""
)
SAID = {"model": "qwen3", "created_at": "2023-12-12T14:13:43.416799Z"}
END = {"done": True, "done_reason": "stop", "total_duration": 5, "prompt_eval_count": 26, "eval_count": 8}
CALL = {"function": {"name": "find", "arguments": {"city": "Oslo"}}}
ASK = Turn(role="user", parts=[Text(text="hello")], path="m0")
FIND = Tool(name="find", path="tools[0]")


def piece(**message: Any) -> dict[str, Any]:
    return {**SAID, "message": {"role": "assistant", "content": "", **message}, "done": False}


def gather(*values: Any, size: int = 1 << 20, end: bytes = b"\n") -> Completion:
    data = b"".join(json.dumps(value).encode() + end for value in values)
    splitter, reader, gathered = ollama.splitter(), ollama.stream_reader(), Gathered()
    lines = [line for at in range(0, len(data), size) for line in splitter.feed(data[at : at + size])]
    rest = splitter.finish()
    for line in [*lines, rest] if rest else lines:
        for delta in reader.feed(line):
            gathered.add(delta)
    for delta in reader.finish():
        gathered.add(delta)
    return gathered.completion()


def meaning(answer: Completion) -> Any:
    parts = [
        (type(one).__name__, getattr(one, "text", None), getattr(one, "arguments", None))
        for one in answer.parts
    ]
    return parts, answer.finish, answer.model, answer.counts, answer.created_s


@given(
    st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=5), st.integers(1, 40)
)
def test_lines_come_out_whole_wherever_they_are_cut(lines: list[bytes], size: int) -> None:
    data, splitter = b"\r\n".join(lines), LineSplitter()
    found = [one for at in range(0, len(data), size) for one in splitter.feed(data[at : at + size])]
    rest = splitter.finish()
    found += [rest] if rest else []
    assert found == [line.strip() for line in lines if line.strip()]


def test_a_line_without_an_end_is_not_waited_for() -> None:
    with pytest.raises(FrameTooLong):
        LineSplitter(max_bytes=10).feed(b"x" * 11)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_stream_says_what_the_whole_answer_says_wherever_it_is_cut(size: int, end: bytes) -> None:
    message = {"role": "assistant", "content": "Größe", "thinking": "Hm, ja.", "tool_calls": [CALL, CALL]}
    whole = ollama.read_completion(json.dumps({**SAID, **END, "message": message}).encode())
    pieces = [piece(thinking="Hm, "), piece(thinking="ja."), piece(content="Grö"), piece(content="ße")]
    pieces += [piece(tool_calls=[CALL]), piece(tool_calls=[CALL]), {**piece(), **END}]
    streamed = gather(*pieces, size=size, end=end)
    assert meaning(streamed) == meaning(whole)
    assert [type(part) for part in whole.parts] == [Thinking, Text, ToolCall, ToolCall]
    assert whole.finish is Finish.TOOL_CALLS and whole.unread == [] and whole.created_s == 1_702_390_423
    for answer in (whole, streamed):
        ids = [part.id for part in answer.parts if isinstance(part, ToolCall)]
        assert len(set(ids)) == 2 and all(ids)
    assert whole.counts is not None and (whole.counts.input_tokens, whole.counts.output_tokens) == (26, 8)


def test_a_call_s_own_id_is_kept_and_calls_of_two_answers_differ() -> None:
    own = gather(
        piece(tool_calls=[{"id": "call_x", "function": {"index": 0, **CALL["function"]}}]), {**piece(), **END}
    )
    (call,) = own.parts
    assert (
        isinstance(call, ToolCall) and call.id == "call_x" and json.loads(call.arguments) == {"city": "Oslo"}
    )
    ids = set()
    for moment in ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"):
        (call,) = gather({**piece(tool_calls=[CALL]), "created_at": moment}, {**piece(), **END}).parts
        assert isinstance(call, ToolCall)
        ids.add(call.id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", Finish.STOP), ("length", Finish.LENGTH), (None, Finish.STOP), ("load", None), ("new", None)],
)
def test_done_reasons(reason: str | None, finish: Finish | None) -> None:
    last = {**piece(), **END, "done_reason": reason}
    if finish is not None:
        assert gather(piece(content="a"), last).finish is finish
        return
    with pytest.raises(UpstreamBroken):
        gather(piece(content="a"), last)
    with pytest.raises(UpstreamBroken):
        ollama.whole(json.dumps(last).encode(), ollama.CONVERSATION)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"error": "an error was encountered while running the model"}, UpstreamBroken),
        ({"error": "upstream is busy", "status": 503}, ProviderBusy),
        ({"error": "the prompt is longer than the context length currently available"}, ProviderFault),
    ],
)
def test_an_error_in_the_stream_is_a_fault(line: dict[str, Any], kind: type[Fault]) -> None:
    with pytest.raises(kind) as caught:
        gather(piece(content="a"), line)
    assert type(caught.value) is kind and caught.value.message == line["error"]
    assert ollama.frame(json.dumps(line).encode()).fault is not None
    with pytest.raises(UpstreamBroken):
        gather(piece(content="a"))  # cut


def test_log_probabilities_stand_by_their_text() -> None:
    entry = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    answer = gather({**piece(content="a"), "logprobs": [entry]}, {**piece(), **END})
    assert answer.logprobs is not None and json.loads(bytes(answer.logprobs)) == {"content": [entry]}


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (404, "model 'x' not found", "model_not_found"),
        (400, '"x" does not support tools', "invalid_request"),
        (400, "the input length exceeds the context length", "context_length_exceeded"),
        (401, "unauthorized", "provider_auth_failed"),
        (
            429,
            "you've reached your hourly usage limit, please upgrade to continue",
            "provider_quota_exhausted",
        ),
        (500, "llama runner process has terminated", "provider_unavailable"),
    ],
)
def test_errors(status: int, message: str, code: str) -> None:
    assert ollama.judge(status, {}, json.dumps({"error": message}).encode()).code == code


# Requests


def written(*turns: Turn, tools: Sequence[Tool] = (), extras: Any = None, **asked: Any) -> Any:
    found = {Setting(name): value for name, value in asked.items()}
    names = {setting: setting.value for setting in found}
    made = Conversation(
        origin="openai_chat", turns=list(turns or (ASK,)), tools=list(tools), settings=found, names=names,
        extras=extras or {},
    )  # fmt: skip
    body = ollama.write_request(made, DEPLOYMENT, streamed=False)
    return json.loads(body.data), body.dropped


TEXTS = st.builds(Text, text=st.sampled_from(["", "a"]), path=st.just("here"))
IMAGES = st.just(Media(kind="image", media_type="image/png", data="aGk=", path="here"))
CALLS = st.builds(ToolCall, id=st.sampled_from(["c1", "c2"]), name=st.just("find"), path=st.just("here"))
RESULTS = st.builds(
    ToolResult, id=st.sampled_from(["c1", "c2"]), parts=st.lists(TEXTS | IMAGES, max_size=2).map(tuple)
)
THOUGHTS = st.builds(Thinking, origin=st.sampled_from(["ollama", "gemini"]), text=st.sampled_from(["", "t"]))
TURNS = st.one_of(
    st.builds(Turn, role=st.sampled_from(["user", "system"]), parts=st.lists(TEXTS | IMAGES, max_size=3)),
    st.builds(Turn, role=st.just("assistant"), parts=st.lists(TEXTS | CALLS | THOUGHTS, max_size=3)),
    st.builds(Turn, role=st.just("tool"), parts=st.lists(RESULTS, max_size=2)),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(TURNS, min_size=1, max_size=5).filter(
        lambda turns: any(t.parts or t.role != "tool" for t in turns)
    )
)
def test_every_conversation_is_written_as_the_reference_has_it(turns: list[Turn]) -> None:
    body, _ = written(*turns, tools=[FIND])
    for message in body["messages"]:
        assert isinstance(message["content"], str) and message["role"] in (
            "user",
            "system",
            "assistant",
            "tool",
        )
        assert all(isinstance(image, str) for image in message.get("images", ()))
        for number, call in enumerate(message.get("tool_calls", ())):
            assert isinstance(call["function"]["arguments"], dict) and call["function"]["index"] == number
        if message["role"] == "tool":
            assert message["tool_call_id"]
    assert body["stream"] is False and body["model"] == "qwen3"


def test_settings_are_options_under_the_caller_s_own() -> None:
    extras = {
        "options": msgspec.Raw(b'{"num_ctx":8192,"temperature":0.1}'),
        "keep_alive": msgspec.Raw(b'"10m"'),
    }
    body, dropped = written(
        extras=extras, temperature=0.5, max_output_tokens=9, stop=("x",), seed=1, min_p=0.1
    )
    assert body["options"] == {
        "num_ctx": 8192, "temperature": 0.5, "num_predict": 9, "stop": ["x"], "seed": 1, "min_p": 0.1
    }  # fmt: skip
    assert body["keep_alive"] == "10m" and dropped == ()
    with pytest.raises(CallerFault):
        written(extras={"options": msgspec.Raw(b"3")})


def test_a_known_context_is_asked_for_and_nothing_is_cut_in_silence() -> None:
    known = msgspec.structs.replace(DEPLOYMENT, context_tokens=32_768)
    made = Conversation(origin="openai_chat", turns=[ASK])
    body = json.loads(ollama.write_request(made, known, streamed=True).data)
    assert body["options"] == {"num_ctx": 32_768} and (body["truncate"], body["shift"]) == (False, False)
    assert written(extras={"truncate": msgspec.Raw(b"true")})[0]["truncate"] is True


def test_tools_results_and_pictures() -> None:
    call = ToolCall(id="c", name="find", arguments='{"city":"Oslo"}')
    result = ToolResult(
        id="c", parts=(Text(text="30"), Media(kind="image", media_type="image/png", data="aGk="))
    )
    body, _ = written(
        ASK, Turn(role="assistant", parts=[call]), Turn(role="tool", parts=[result]), tools=[FIND]
    )
    assert body["messages"][1]["tool_calls"] == [
        {"id": "c", "function": {"index": 0, "name": "find", "arguments": {"city": "Oslo"}}}
    ]
    assert body["messages"][2] == {
        "role": "tool", "content": "30", "images": ["aGk="], "tool_call_id": "c", "tool_name": "find"
    }  # fmt: skip
    assert "tools" not in written(tools=[FIND], tool_choice=ToolChoice("none"))[0]
    for more in ({"tool_choice": ToolChoice("required")}, {"parallel_tools": False}):
        with pytest.raises(CallerFault):
            written(tools=[FIND], **more)


def test_forms_and_thinking() -> None:
    schema = msgspec.Raw(b'{"type":"object"}')
    assert written(format=Format(kind="json_schema", schema=schema))[0]["format"] == {"type": "object"}
    assert written(format=Format(kind="json_object"))[0]["format"] == "json"
    wanted: list[tuple[Reasoning, Any]] = [
        (Reasoning(effort="none"), False), (Reasoning(effort="minimal"), "low"),
        (Reasoning(effort="max"), "max"),
        (Reasoning(is_on=True), True), (Reasoning(budget_tokens=100), True),
    ]  # fmt: skip
    for asked, think in wanted:
        assert written(reasoning=asked)[0]["think"] == think
    assert "think" not in written(reasoning=Reasoning(is_shown=True))[0]


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="image", url="https://a.example/x.png", path="here"),
        Media(kind="document", media_type="application/pdf", data="aGk=", path="here"),
        Media(kind="audio", media_type="audio/wav", data="aGk=", path="here"),
    ],
)
def test_what_has_no_word_is_refused_by_its_path(part: Part) -> None:
    with pytest.raises(CallerFault) as caught:
        written(Turn(role="user", parts=[part]))
    assert caught.value.param == "here"
