"""Whatever conversation another family's caller has: what goes to Anthropic keeps the API's rules."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.anthropic_messages.support import deployment
from wicket.dialects import anthropic_messages as dialect
from wicket.dialects.anthropic_messages.models import BY_PREFIX, claude
from wicket.dialects.hub import (
    Conversation,
    Format,
    Media,
    Part,
    Reasoning,
    Refusal,
    Setting,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from wicket.errors import CallerFault
from wicket.wire.fields import peek

MARKS = st.none() | st.sampled_from(
    [b'{"type":"ephemeral"}', b'{"type":"ephemeral","ttl":"1h"}', b'{"type":"default"}', b'{"x":1}']
).map(msgspec.Raw)
WORDS = st.sampled_from(["", " ", "\n", "hello", "hello ", " é🙂\n", "a\n\n"])
TEXTS = st.builds(Text, text=WORDS, cache=MARKS, path=st.just("p.text"), origin=st.just("openai_chat"))
IMAGES = st.builds(
    Media,
    kind=st.just("image"),
    data=st.just("iVBORw0KGgoAAAAA"),
    media_type=st.sampled_from(["", "image/png", "image/jpg"]),
    path=st.just("p.image"),
)
THOUGHTS = st.builds(
    Thinking,
    text=WORDS,
    signature=st.sampled_from(["", "sig"]),
    origin=st.sampled_from(["openai_chat", "gemini", "anthropic_messages"]),
    path=st.just("p.thought"),
)
IDS = st.sampled_from(["call_1", "b!c", "wk-x", "é", "toolu_2", "a.b"])
ARGUMENTS = st.sampled_from(["", "{}", '{"a": 1.0}', ' {"b":"\\u00e9"} '])
CALLS = st.builds(
    ToolCall, id=IDS, name=st.sampled_from(["f", "g-2"]), arguments=ARGUMENTS, path=st.just("p.call")
)


@st.composite
def rounds(draw: st.DrawFn) -> list[Turn]:
    """A model's turn, with its calls answered."""
    said: list[Part] = draw(st.lists(TEXTS | THOUGHTS | st.builds(Refusal, text=WORDS), max_size=3))
    calls = draw(st.lists(CALLS, max_size=3, unique_by=lambda call: call.id))
    turns = [Turn(role="assistant", parts=[*said, *calls], path="p")]
    order = draw(st.permutations(calls))
    before = draw(st.booleans())
    results: list[Part] = [
        ToolResult(id=call.id, parts=tuple(draw(st.lists(TEXTS | IMAGES, max_size=2))), path="p.result")
        for call in order
    ]
    if results and before:
        turns.append(Turn(role="user", parts=[draw(TEXTS)], path="p"))
    if results:
        turns.append(Turn(role="tool", parts=results, path="p"))
    return turns


def spoken(role: str, parts: st.SearchStrategy[Part]) -> st.SearchStrategy[list[Turn]]:
    return st.lists(parts, max_size=3).map(lambda found: [Turn(role=role, parts=found, path="p")])


PAIRED = st.lists(
    rounds() | spoken("user", TEXTS | IMAGES) | spoken("system", TEXTS), min_size=1, max_size=7
).map(lambda found: [turn for turns in found for turn in turns])
LOOSE = st.lists(
    st.builds(
        Turn,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        parts=st.lists(
            TEXTS | IMAGES | THOUGHTS | CALLS | st.builds(ToolResult, id=IDS, path=st.just("r")), max_size=3
        ),
    ),
    max_size=6,
)
TOOLS = st.lists(
    st.builds(
        Tool,
        name=st.sampled_from(["f", "g-2"]),
        schema=st.sampled_from([None, b"{}", b'{"type":"object","properties":{"a":{"type":"object"}}}']).map(
            lambda raw: None if raw is None else msgspec.Raw(raw)
        ),
        is_strict=st.none() | st.booleans(),
        cache=MARKS,
        path=st.just("tools[0]"),
    ),
    max_size=2,
    unique_by=lambda tool: tool.name,
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        Setting.MAX_OUTPUT_TOKENS: st.sampled_from([1, 900, 2_000, 60_000]),
        Setting.TEMPERATURE: st.sampled_from([0.0, 0.5, 1.0, 1.7]),
        Setting.TOP_P: st.sampled_from([0.3, 0.97, 1.0]),
        Setting.TOP_K: st.sampled_from([1, 40]),
        Setting.STOP: st.sampled_from([("x",), ("a", " b")]),
        Setting.PARALLEL_TOOLS: st.just(False),
        Setting.TOOL_CHOICE: st.sampled_from(
            [
                ToolChoice("none"),
                ToolChoice("required"),
                ToolChoice("named", ("f",)),
                ToolChoice("auto", ("f",)),
            ]
        ),
        Setting.FORMAT: st.sampled_from(
            [Format(kind="json_object"), Format(kind="json_schema", schema=msgspec.Raw(b'{"type":"object"}'))]
        ),
        Setting.REASONING: st.builds(
            Reasoning,
            effort=st.sampled_from([None, "none", "minimal", "low", "high", "xhigh", "max"]),
            budget_tokens=st.none() | st.sampled_from([0, 10, 5_000, 100_000]),
            is_on=st.none() | st.booleans(),
        ),
        Setting.USER: st.just("u"),
        Setting.SEED: st.just(1),
    },
)
MODELS = st.sampled_from([*BY_PREFIX, "kimi-k3"])


@settings(max_examples=250, deadline=None)
@given(turns=PAIRED, model=MODELS)
def test_every_sound_conversation_is_written_by_the_rules(turns: list[Turn], model: str) -> None:
    conversation = Conversation(origin="openai_chat", turns=turns)
    body = dialect.write_request(conversation, deployment(model), streamed=True)
    request = json.loads(body.data)
    check(request, model)
    assert request["stream"] is True
    again = dialect.read_request(peek(body.data))  # what we write we also understand
    assert again.extras == {} and again.unread == []


@settings(max_examples=250, deadline=None)
@given(turns=LOOSE, tools=TOOLS, found=SETTINGS, model=MODELS)
def test_any_conversation_is_written_by_the_rules_or_refused_by_name(
    turns: list[Turn], tools: list[Tool], found: dict[Setting, Any], model: str
) -> None:
    write_or_refuse(turns, tools, found, model)


def write_or_refuse(turns: list[Turn], tools: list[Tool], found: dict[Setting, Any], model: str) -> None:
    conversation = Conversation(origin="openai_chat", turns=turns, tools=tools, settings=found)
    try:
        body = dialect.write_request(conversation, deployment(model), streamed=False)
    except CallerFault as fault:
        assert fault.status == 400 and fault.message  # noqa: PT017
        return
    check(json.loads(body.data), model)
    if Setting.SEED in found:
        assert "seed" in body.dropped


@settings(max_examples=200, deadline=None)
@given(tools=TOOLS, found=SETTINGS, model=MODELS)
def test_any_settings_are_written_by_the_rules_or_refused_by_name(
    tools: list[Tool], found: dict[Setting, Any], model: str
) -> None:
    write_or_refuse([Turn(role="user", parts=[Text(text="hi")])], tools, found, model)


def check(request: dict[str, Any], model: str) -> None:
    """The rules of the Messages API that it enforces with a 400."""
    takes, messages = claude(model), request["messages"]
    assert isinstance(request["max_tokens"], int) and request["max_tokens"] >= 1
    roles = [message["role"] for message in messages]
    assert roles[0] == "user" and all(a != b for a, b in pairwise(roles))
    assert set(roles) <= {"user", "assistant"}
    for block in as_blocks(request.get("system", [])):
        assert block["type"] == "text" and block["text"].strip()
    open_calls: list[str] = []
    for message in messages:
        open_calls = check_message(message, open_calls)
    assert open_calls == []
    if roles[-1] == "assistant":
        last = as_blocks(messages[-1]["content"])[-1]
        assert last.get("text", "x") == last.get("text", "x").rstrip()
    check_settings(request, takes)


def check_message(message: dict[str, Any], open_calls: list[str]) -> list[str]:
    """One message after the calls of the one before it; returns its own calls."""
    content = as_blocks(message["content"])
    assert content
    kinds = [block["type"] for block in content]
    results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
    assert sorted(results) == sorted(open_calls) and len(set(results)) == len(results)
    assert "tool_result" not in kinds[len(results) :]
    calls = [block["id"] for block in content if block["type"] == "tool_use"]
    assert not calls or message["role"] == "assistant"
    for block in content:
        if block["type"] == "text":
            assert block["text"].strip()
        if block["type"] == "tool_use":
            assert re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]) and isinstance(block["input"], dict)
        if block["type"] == "thinking":
            assert block["signature"] == "sig" and message["role"] == "assistant"
        if block["type"] == "image":
            assert message["role"] == "user" and block["source"]["media_type"] in ("image/png", "image/jpeg")
        if block["type"] == "tool_result":
            assert all(each.get("text", "x").strip() for each in as_blocks(block.get("content", "")))
        assert block.get("cache_control", {"type": "ephemeral"})["type"] == "ephemeral"
    return calls


def check_settings(request: dict[str, Any], takes: Any) -> None:
    thinking, choice = request.get("thinking", {}), request.get("tool_choice", {})
    if thinking.get("type") == "enabled":
        assert takes.takes_budget and takes.thinks
        assert 1_024 <= thinking["budget_tokens"] < request["max_tokens"]
        assert choice.get("type") not in ("any", "tool")
        assert "temperature" not in request and "top_k" not in request
    if thinking.get("type") == "adaptive":
        assert takes.is_adaptive
    assert choice == {} or request["tools"]
    assert choice.get("type") not in ("any", "tool") or takes.can_force_tools
    assert choice.get("type") != "none" or "disable_parallel_tool_use" not in choice
    assert 0 <= request.get("temperature", 1) <= 1
    if takes.sampling == "none":
        assert not {"temperature", "top_p", "top_k"} & set(request)
    if takes.sampling == "one":
        assert not {"temperature", "top_p"} <= set(request)
    effort = request.get("output_config", {}).get("effort")
    assert effort is None or effort in takes.efforts
    assert "format" not in request.get("output_config", {}) or takes.has_formats
    assert all(each.strip() for each in request.get("stop_sequences", []))
    names = [tool["name"] for tool in request.get("tools", [])]
    assert len(set(names)) == len(names)
    assert all(tool["input_schema"]["type"] == "object" for tool in request.get("tools", []))
    assert choice.get("name", "") in ("", *names)


def as_blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)
