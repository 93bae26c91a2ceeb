"""A Messages request of a caller whose model lives elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.anthropic_messages.support import deployment, read
from wicket.dialects import anthropic_messages as dialect
from wicket.dialects.hub import (
    Foreign,
    Format,
    Media,
    Reasoning,
    Setting,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    leave_out,
)
from wicket.errors import CallerFault, Fault
from wicket.wire.fields import peek

USER = {"role": "user", "content": "hi"}


def one(block: Any, role: str = "user") -> Any:
    return read({"messages": [{"role": role, "content": [block]}]}).turns[0].parts[0]


def setting(name: Setting, **fields: Any) -> Any:
    return read({"messages": [USER], **fields}).settings.get(name)


def test_instructions_and_turns() -> None:
    found = read(
        {
            "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [USER, {"role": "assistant", "content": [{"type": "text", "text": "ho"}]}],
        }
    )
    assert [(turn.role, turn.path) for turn in found.turns] == [
        ("system", "system"),
        ("user", "messages[0]"),
        ("assistant", "messages[1]"),
    ]
    cache = found.turns[0].parts[0].cache
    assert cache is not None and json.loads(bytes(cache)) == {"type": "ephemeral", "ttl": "1h"}
    assert found.turns[0].parts[0].path == "system[0]"
    assert found.turns[2].parts[0].path == "messages[1].content[0]"
    assert read({"system": "s", "messages": [USER]}).turns[0].parts[0].path == "system"
    assert found.unread == [] and found.extras == {}


def test_tool_results_stand_in_turns_of_their_own() -> None:
    result = {"type": "tool_result", "tool_use_id": "a", "content": "1"}
    words = {"type": "text", "text": "x"}
    found = read(
        {"messages": [USER, {"role": "user", "content": [result, {**result, "tool_use_id": "b"}, words]}]}
    )
    assert [(turn.role, len(turn.parts)) for turn in found.turns] == [("user", 1), ("tool", 2), ("user", 1)]


def test_a_result_with_media_and_an_error() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    content = [{"type": "text", "text": "t"}, {"type": "image", "source": source}]
    part = one({"type": "tool_result", "tool_use_id": "a", "is_error": True, "content": content})
    assert isinstance(part, ToolResult) and part.is_error and part.id == "a"
    words, picture = part.parts
    assert isinstance(words, Text) and words.text == "t"
    assert isinstance(picture, Media) and picture.path == "messages[0].content[0].content[1]"
    assert one({"type": "tool_result", "tool_use_id": "a"}).parts == ()


def test_a_call_keeps_the_spelling_of_its_arguments() -> None:
    body = (
        b'{"max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f",'
    )
    body += b'"input":{"x": 1.0}}]}]}'
    part = dialect.read_request(peek(body)).turns[0].parts[0]
    assert isinstance(part, ToolCall) and part.arguments == '{"x": 1.0}'


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ("image", "image/png", "AAAA", "", "", ""),
        ),
        ({"type": "image", "source": {"type": "url", "url": "u"}}, ("image", "", "", "u", "", "")),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, ("document", "", "", "", "f", "")),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "t"}},
            ("document", "text/plain", "", "", "", "t"),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "t"}]}},
            ("document", "text/plain", "", "", "", "t"),
        ),
    ],
)
def test_media(block: Any, expected: Any) -> None:
    part = one(block)
    assert isinstance(part, Media)
    assert (part.kind, part.media_type, part.data, part.url, part.file_id, part.text) == expected


def test_what_can_not_cross_is_named() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "t"}
    paper = {
        "type": "document",
        "source": source,
        "title": "T",
        "context": "c",
        "citations": {"enabled": True},
    }
    found = read(
        {
            "messages": [{"role": "user", "content": [paper], "id": 1}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}, "defer_loading": True, "new": 1}],
            "metadata": {"user_id": "u", "other": 1},
        }
    )
    assert found.unread == [
        "messages[0].id",
        "messages[0].content[0].context",
        "messages[0].content[0].citations",
        "tools[0].defer_loading",
        "tools[0].new",
        "metadata.other",
    ]
    assert found.settings[Setting.USER] == "u"


@pytest.mark.parametrize(
    "kind",
    ["server_tool_use", "web_search_tool_result", "container_upload", "compaction", "search_result", "new"],
)
def test_blocks_of_this_family_alone_are_kept_whole(kind: str) -> None:
    part = one({"type": kind, "x": {"y": 1}}, "assistant")
    assert isinstance(part, Foreign) and part.kind == kind
    assert part.raw is not None and json.loads(bytes(part.raw)) == {"type": kind, "x": {"y": 1}}


def test_thoughts() -> None:
    part = one({"type": "thinking", "thinking": "t", "signature": "s"}, "assistant")
    assert isinstance(part, Thinking) and (part.text, part.signature, part.origin) == (
        "t",
        "s",
        "anthropic_messages",
    )
    sealed = one({"type": "redacted_thinking", "data": "d"}, "assistant")
    assert isinstance(sealed, Thinking) and sealed.is_redacted and sealed.signature == "d"


def test_a_mark_for_the_whole_request_is_its_last_blocks() -> None:
    found = read({"messages": [USER], "cache_control": {"type": "ephemeral"}})
    cache = found.turns[0].parts[0].cache
    assert cache is not None and json.loads(bytes(cache)) == {"type": "ephemeral"}


def test_tools() -> None:
    schema = {"type": "object", "properties": {"a": {}}}
    found = read(
        {
            "messages": [USER],
            "tools": [
                {"type": "custom", "name": "f", "description": "d", "input_schema": schema, "strict": True},
                {"name": "g", "input_schema": {"type": "object", "properties": {}}},
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
            ],
        }
    ).tools
    assert (found[0].kind, found[0].description, found[0].is_strict) == ("function", "d", True)
    assert found[0].schema is not None and json.loads(bytes(found[0].schema)) == schema
    assert found[1].schema is None
    assert (
        isinstance(found[2], Tool) and found[2].kind == "web_search_20250305" and found[2].path == "tools[2]"
    )


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, None),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "tool", "name": "f"}, ToolChoice("named", ("f",))),
    ],
)
def test_tool_choice(choice: Any, expected: Any) -> None:
    assert setting(Setting.TOOL_CHOICE, tool_choice=choice) == expected
    assert setting(Setting.PARALLEL_TOOLS, tool_choice=choice) is None
    assert setting(Setting.PARALLEL_TOOLS, tool_choice={**choice, "disable_parallel_tool_use": True}) is False


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(is_on=True, budget_tokens=2000)),
        ({"thinking": {"type": "disabled"}}, Reasoning(is_on=False)),
        ({"thinking": {"type": "between_tools"}}, Reasoning(is_on=False)),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Reasoning(is_on=True, is_shown=False)),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}},
            Reasoning(is_on=True, effort="max"),
        ),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low")),
        ({}, None),
    ],
)
def test_thinking(fields: Any, expected: Any) -> None:
    assert setting(Setting.REASONING, **fields) == expected


def test_plain_settings() -> None:
    found = read(
        {
            "messages": [USER],
            "temperature": 0.4,
            "top_p": 0.9,
            "top_k": 5,
            "stop_sequences": ["a"],
            "service_tier": "standard_only",
            "stream": True,
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        }
    )
    form = found.settings.pop(Setting.FORMAT)
    assert (
        isinstance(form, Format)
        and form.schema is not None
        and json.loads(bytes(form.schema))["type"] == "object"
    )
    assert found.settings == {
        Setting.MAX_OUTPUT_TOKENS: 100,
        Setting.TEMPERATURE: 0.4,
        Setting.TOP_P: 0.9,
        Setting.TOP_K: 5,
        Setting.STOP: ("a",),
        Setting.SERVICE_TIER: "default",
    }
    assert found.is_streamed and found.names[Setting.STOP] == "stop_sequences"
    assert setting(Setting.TEMPERATURE, temperature=1) is None


def test_fields_of_this_family_alone_are_refused_elsewhere_or_only_dropped() -> None:
    hint = read(
        {"messages": [USER], "context_management": {}, "output_config": {"task_budget": {"total": 1}}}
    )
    dropped = leave_out(hint, {Setting.MAX_OUTPUT_TOKENS})
    assert sorted(dropped) == ["context_management", "output_config.task_budget"]
    for name in ("container", "mcp_servers", "inference_geo"):
        own = read({"messages": [USER], name: "x"})
        with pytest.raises(CallerFault, match=name):
            leave_out(own, {Setting.MAX_OUTPUT_TOKENS})
    written = dialect.write_request(
        read({"messages": [USER], "container": "c"}), deployment(), streamed=False
    )
    assert json.loads(written.data)["container"] == "c"


def test_unknown_fields_are_kept_and_ours_are_not() -> None:
    found = read({"messages": [USER], "brand_new": [1], "models": ["a"], "provider": {}, "speed": None})
    assert set(found.extras) == {"brand_new"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": [USER], "max_tokens": None}, "max_tokens"),
        ({"messages": [USER], "max_tokens": 0}, "max_tokens"),
        ({"messages": [USER], "max_tokens": "1"}, "max_tokens"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "messages[0].content[0].source",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "x"}}]}]},
            "messages[0].content[0].source.type",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f"}]}]},
            "messages[0].content[0].input",
        ),
        ({"messages": [USER], "tools": {}}, "tools"),
        ({"messages": [USER], "tools": [1]}, "tools[0]"),
        ({"messages": [USER], "tools": [{}]}, "tools[0].name"),
        ({"messages": [USER], "tools": [{"name": "f", "input_schema": 1}]}, "tools[0].input_schema"),
        ({"messages": [USER], "tool_choice": {"type": "x"}}, "tool_choice.type"),
        ({"messages": [USER], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"messages": [USER], "temperature": 1.5}, "temperature"),
        ({"messages": [USER], "stop_sequences": "x"}, "stop_sequences"),
        ({"messages": [USER], "thinking": {"type": "x"}}, "thinking.type"),
        ({"messages": [USER], "thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"messages": [USER], "output_config": {"effort": 1}}, "output_config.effort"),
        ({"messages": [USER], "output_config": {"format": {"type": "text"}}}, "output_config.format"),
        ({"messages": [USER], "metadata": []}, "metadata"),
    ],
)
def test_a_wrong_request_is_answered_by_naming_the_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        read(fields)
    assert caught.value.param == param and caught.value.status == 400


NAMES = [
    "messages",
    "system",
    "tools",
    "content",
    "type",
    "text",
    "role",
    "user",
    "image",
    "source",
    "thinking",
]
NAMES += [
    "tool_use",
    "tool_result",
    "id",
    "input",
    "name",
    "max_tokens",
    "metadata",
    "tool_choice",
    "output_config",
]
SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 10**6) | st.floats(allow_nan=False) | st.sampled_from(NAMES)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=250, deadline=None)
@given(fields=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6))
def test_no_request_does_anything_but_be_read_or_refused(fields: dict[str, Any]) -> None:
    body = json.dumps({"max_tokens": 5, "messages": [USER], **fields}).encode()
    try:
        conversation = dialect.read_request(peek(body))
        dialect.write_request(conversation, deployment(), streamed=False)
    except Fault as fault:
        assert isinstance(fault, CallerFault) and fault.message  # noqa: PT017
