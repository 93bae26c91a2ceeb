"""Requests read into the hub's values and written again: what they mean, what is refused, what is told."""

import base64
import json
from typing import Any

import msgspec
import pytest

from wicket.dialects.hub import (
    Conversation,
    Foreign,
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
from wicket.dialects.openai_chat import read_request, write_request
from wicket.dialects.translation import spoken
from wicket.errors import CallerFault
from wicket.providers.catalogue import row_of
from wicket.routing.deployment import Deployment
from wicket.wire.fields import peek
from wicket.wire.origin import Origin

PLAIN = Deployment(id="p/m", provider="p", model="m", origin=Origin("http", "up", 80))
PDF = "data:application/pdf;base64,"
CLAUDE = "anthropic-claude-v1"
PIXEL = base64.b64encode(b"\x89PNG").decode()
USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}}
FUNCTION = {"name": "find", "description": "d", "parameters": {"type": "object", "x": 1.0}, "strict": True}
WANTED = {"name": "n", "schema": {"type": "object"}, "strict": True}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def reads(**fields: Any) -> Conversation:
    return read_request(peek(json.dumps({"model": "x", "messages": [USER], **fields}).encode()))


def writes(
    conversation: Conversation, *, streamed: bool = False, row: str = "", **deployment: Any
) -> tuple[dict[str, Any], Any]:
    if row:  # as a provider of the catalogue, which says what is peculiar to it
        known = row_of(row)
        assert known is not None
        deployment = {"provider": row, "quirks": known.quirks, "rename": known.rename, **deployment}
    made = msgspec.structs.replace(PLAIN, **deployment)
    body = write_request(conversation, made, streamed=streamed)
    return json.loads(body.data), list(body.dropped)


def part(content: Any, **message: Any) -> Any:
    return reads(messages=[{"role": "user", "content": content, **message}]).turns[0].parts[0]


# Turns


def test_every_role_becomes_a_turn_and_results_stand_together() -> None:
    messages = [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        {"role": "user", "content": "u", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "c2"}]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "a", "refusal": None},
    ]
    turns = reads(messages=messages).turns
    assert [turn.role for turn in turns] == ["system", "system", "user", "assistant", "tool", "assistant"]
    assert turns[2].name == "ann" and [part.path for part in turns[4].parts] == ["messages[4]", "messages[5]"]
    first, second = turns[4].parts
    assert isinstance(first, ToolResult) and isinstance(second, ToolResult)
    assert (first.id, second.id) == ("c1", "c2") and isinstance(second.parts[0], Text)
    call = turns[3].parts[0]
    assert (
        isinstance(call, ToolCall)
        and call.arguments == '{"a": 1}'
        and call.path == "messages[3].tool_calls[0]"
    )


def test_legacy_functions_are_tools() -> None:
    conversation = reads(
        messages=[
            USER,
            {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
            {"role": "function", "name": "find", "content": "42"},
        ],
        functions=[{"name": "find", "parameters": SCHEMA}],
        function_call={"name": "find"},
    )
    call, result = conversation.turns[1].parts[0], conversation.turns[2].parts[0]
    assert isinstance(call, ToolCall) and isinstance(result, ToolResult) and call.id == result.id != ""
    assert conversation.tools[0].name == "find"
    assert conversation.settings[Setting.TOOL_CHOICE] == ToolChoice("named", ("find",))


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        ({"type": "text", "text": "a"}, Text, {"text": "a"}),
        ({"type": "refusal", "refusal": "no"}, Refusal, {"text": "no"}),
        (
            {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
            Media,
            {"kind": "image", "url": "https://a.example/b.png", "detail": "low"},
        ),
        (
            {"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"},
            Media,
            {"kind": "image", "media_type": "image/png", "data": PIXEL},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "wav"}},
            Media,
            {"kind": "audio", "media_type": "audio/wav", "data": PIXEL},
        ),
        (
            {
                "type": "file",
                "file": {"file_data": f"data:application/pdf;base64,{PIXEL}", "filename": "a.pdf"},
            },
            Media,
            {"kind": "document", "media_type": "application/pdf", "data": PIXEL, "name": "a.pdf"},
        ),
        ({"type": "file", "file": {"file_id": "f1"}}, Media, {"kind": "document", "file_id": "f1"}),
        (
            {"type": "video_url", "video_url": {"url": "https://a.example/b.mp4"}},
            Media,
            {"kind": "video", "url": "https://a.example/b.mp4"},
        ),
        ({"type": "hologram", "x": 1}, Foreign, {"kind": "hologram"}),
    ],
)
def test_content_parts(content: dict[str, Any], kind: type[Part], expected: dict[str, Any]) -> None:
    found = part([content])
    assert type(found) is kind and found.path == "messages[0].content[0]"
    assert {name: getattr(found, name) for name in expected} == expected


def test_cache_marks_are_kept_with_their_parts() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    found = part([{"type": "text", "text": "a", "cache_control": mark}])
    assert loads(found.cache) == mark
    assert loads(part("a", cache_control=mark).cache) == mark


def test_thoughts_come_back_with_whose_seal_they_carry() -> None:
    details = [
        {
            "type": "reasoning.text",
            "text": "hm",
            "signature": "s",
            "format": "anthropic-claude-v1",
            "index": 0,
        },
        {"type": "reasoning.encrypted", "data": "d", "format": "google-gemini-v1"},
        {"type": "reasoning.summary", "summary": "in short"},
    ]
    message = {"role": "assistant", "content": "a", "reasoning_content": "hm", "reasoning_details": details}
    first, second, third, text = reads(messages=[USER, message]).turns[1].parts
    assert isinstance(first, Thinking) and isinstance(second, Thinking) and isinstance(third, Thinking)
    assert (first.text, first.signature, first.origin) == ("hm", "s", "anthropic_messages")
    assert (second.is_redacted, second.signature, second.origin) == (True, "d", "gemini")
    assert third.text == "in short" and isinstance(text, Text)
    only = reads(messages=[USER, {"role": "assistant", "content": "a", "reasoning": "hm"}]).turns[1].parts[0]
    assert isinstance(only, Thinking) and (only.text, only.signature) == ("hm", "")


def test_geminis_seal_of_a_call_comes_back_either_way() -> None:
    sealed = {**CALL, "extra_content": {"google": {"thought_signature": "s"}}}
    detail = {"type": "reasoning.encrypted", "data": "s", "id": "c1", "format": "google-gemini-v1"}
    for message in ({"tool_calls": [sealed]}, {"tool_calls": [CALL], "reasoning_details": [detail]}):
        parts = reads(messages=[USER, {"role": "assistant", "content": None, **message}]).turns[1].parts
        [call] = parts
        assert isinstance(call, ToolCall) and (call.signature, call.origin) == ("s", "gemini")
        assert call.raw is None


def test_anthropics_thought_is_written_by_anthropics_dialect() -> None:
    detail = {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"}
    message = {"role": "assistant", "content": "a", "reasoning_details": [detail]}
    conversation = reads(messages=[USER, message, USER])
    part = conversation.turns[1].parts[0]
    assert (part.origin, part.signature, part.raw) == ("anthropic_messages", "s", None)
    anthropic = spoken("anthropic_messages")
    assert anthropic is not None
    deployment = Deployment(id="p/m", provider="p", model="m", origin=Origin("https", "up.example", 443))
    body = json.loads(anthropic.write_request(conversation, deployment, streamed=False).data)
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "t", "signature": "s"}


# Settings

SETTINGS: list[tuple[dict[str, Any], Setting, Any]] = [
    ({"temperature": 0}, Setting.TEMPERATURE, 0.0),
    ({"temperature": 1}, Setting.TEMPERATURE, 1.0),
    ({"top_p": 0.5}, Setting.TOP_P, 0.5),
    ({"max_tokens": 5}, Setting.MAX_OUTPUT_TOKENS, 5),
    ({"max_completion_tokens": 7.0, "max_tokens": 9}, Setting.MAX_OUTPUT_TOKENS, 7),
    ({"stop": "a"}, Setting.STOP, ("a",)),
    ({"stop": ["a", "b"]}, Setting.STOP, ("a", "b")),
    ({"n": 2}, Setting.NUM_CHOICES, 2),
    ({"seed": 0}, Setting.SEED, 0),
    ({"top_k": 4}, Setting.TOP_K, 4),
    ({"min_p": 0.1}, Setting.MIN_P, 0.1),
    ({"frequency_penalty": -1}, Setting.FREQUENCY_PENALTY, -1.0),
    ({"presence_penalty": 0.5}, Setting.PRESENCE_PENALTY, 0.5),
    ({"logit_bias": {"5": -100}}, Setting.LOGIT_BIAS, {"5": -100.0}),
    ({"logprobs": True, "top_logprobs": 3}, Setting.LOGPROBS, 3),
    ({"logprobs": True}, Setting.LOGPROBS, 0),
    ({"response_format": {"type": "json_object"}}, Setting.FORMAT, Format(kind="json_object")),
    ({"reasoning_effort": "low"}, Setting.REASONING, Reasoning(effort="low")),
    (
        {"reasoning": {"max_tokens": 9, "exclude": True}},
        Setting.REASONING,
        Reasoning(budget_tokens=9, is_shown=False),
    ),
    ({"reasoning_format": "hidden"}, Setting.REASONING, Reasoning(is_shown=False)),
    ({"include_reasoning": True}, Setting.REASONING, Reasoning(is_shown=True)),
    ({"thinking": {"type": "disabled"}}, Setting.REASONING, Reasoning(is_on=False)),
    (
        {"enable_thinking": True, "thinking_budget": 9},
        Setting.REASONING,
        Reasoning(budget_tokens=9, is_on=True),
    ),
    ({"verbosity": "low"}, Setting.VERBOSITY, "low"),
    ({"user": "u"}, Setting.USER, "u"),
    ({"safety_identifier": "u"}, Setting.USER, "u"),
    ({"metadata": {"a": "b"}}, Setting.METADATA, {"a": "b"}),
    ({"store": True}, Setting.STORE, True),
    ({"service_tier": "flex"}, Setting.SERVICE_TIER, "flex"),
    ({"prompt_cache_key": "k"}, Setting.CACHE_KEY, "k"),
    ({"prompt_cache_retention": "24h"}, Setting.CACHE_RETENTION, "24h"),
    ({"modalities": ["text", "audio"]}, Setting.MODALITIES, ("text", "audio")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "setting", "value"), SETTINGS, ids=lambda value: str(value)[:40])
def test_settings(fields: dict[str, Any], setting: Setting, value: Any) -> None:
    conversation = reads(**fields)
    assert conversation.settings == {setting: value} and conversation.extras == {}
    assert conversation.names[setting] in fields


@pytest.mark.parametrize(
    "neutral",
    [
        {"top_p": 1}, {"n": 1}, {"presence_penalty": 0}, {"frequency_penalty": 0.0}, {"logprobs": False},
        {"logit_bias": {}}, {"tool_choice": "auto"}, {"tool_choice": "none"}, {"parallel_tool_calls": True},
        {"response_format": {"type": "text"}}, {"stop": None}, {"stop": []}, {"store": False},
        {"modalities": ["text"]}, {"service_tier": "auto"}, {"temperature": None}, {"stream": False},
        {"stream_options": {"include_usage": True}}, {"user": None}, {"reasoning_effort": "default"},
        {"models": ["a"]}, {"provider": {}}, {"tools": []}, {"max_tokens": None}, {"metadata": {}},
        {"parallel_tool_calls": False},
    ],
)  # fmt: skip
def test_what_changes_nothing_is_no_setting(neutral: dict[str, Any]) -> None:
    conversation = reads(**neutral)
    assert conversation.settings == {} and conversation.extras == {} and conversation.unread == []


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("required", ToolChoice("required")),
        ("any", ToolChoice("required")),
        ("none", ToolChoice("none")),
        ({"type": "function", "function": {"name": "find"}}, ToolChoice("named", ("find",))),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice("named", ("c",))),
        (
            {"type": "allowed_tools", "allowed_tools": {
                "mode": "required", "tools": [{"type": "function", "function": {"name": "find"}}]}},
            ToolChoice("required", ("find",)),
        ),
    ],
)  # fmt: skip
def test_tool_choices(choice: Any, expected: ToolChoice) -> None:
    conversation = reads(tools=[{"type": "function", "function": FUNCTION}], tool_choice=choice)
    assert conversation.settings == {Setting.TOOL_CHOICE: expected}


def test_tools_and_formats_keep_their_schemas_as_they_came() -> None:
    conversation = reads(
        tools=[{"type": "function", "function": FUNCTION}, {"type": "custom", "custom": {"name": "c"}}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
        },
        web_search_options={"search_context_size": "low"},
    )
    function, custom, search = conversation.tools
    assert (function.name, function.description, function.is_strict) == ("find", "d", True)
    assert bytes(function.schema or b"") == b'{"type": "object", "x": 1.0}'
    assert (custom.kind, search.kind, search.path) == ("custom", "web_search_options", "web_search_options")
    wanted = conversation.settings[Setting.FORMAT]
    assert (wanted.kind, wanted.name, wanted.is_strict) == ("json_schema", "n", True)


def test_what_is_not_known_is_forwarded_or_named() -> None:
    conversation = reads(
        guided_regex="a+",
        messages=[{"role": "user", "content": [{"type": "text", "text": "a", "odd": 1}], "weird": 2}],
        tools=[{"type": "function", "function": {**FUNCTION, "extra": 1}}],
        response_format={"type": "json_object", "z": 1},
    )
    assert {name: loads(raw) for name, raw in conversation.extras.items()} == {"guided_regex": "a+"}
    assert set(conversation.unread) == {
        "messages[0].content[0].odd",
        "messages[0].weird",
        "tools[0].function.extra",
        "response_format.z",
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": 5}, "messages"),
        ({"messages": ["a"]}, "messages[0]"),
        ({"messages": [{"content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "wizard", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "function", "name": "f", "content": "a"}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "content": "a", "tool_calls": [{"id": "a"}]}]},
         "messages[0].tool_calls[0].function"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://a"}}]}]},
         "messages[0].content[0].image_url.url"),
        ({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,***"}}]}]},
         "messages[0].content[0].image_url.url"),
        ({"messages": [{"role": "user", "content": [
            {"type": "input_audio", "input_audio": {"data": "abc", "format": "wav"}}]}]},
         "messages[0].content[0].input_audio.data"),
        ({"temperature": "hot"}, "temperature"), ({"top_k": 1.5}, "top_k"), ({"stop": [1]}, "stop[0]"),
        ({"stop": 1}, "stop"), ({"logit_bias": {"5": "a"}}, "logit_bias.5"), ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"), ({"tools": [{}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "a", "parameters": "x"}}]},
         "tools[0].function.parameters"),
        ({"tool_choice": "maybe"}, "tool_choice"), ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"response_format": {"type": "poem"}}, "response_format.type"),
        ({"response_format": "json"}, "response_format"), ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"), ({"metadata": {"a": 1}}, "metadata.a"),
        ({"max_tokens": 0}, "max_tokens"), ({"seed": 1e30}, "seed"), ({"stream": "yes"}, "stream"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        reads(**fields)
    assert caught.value.param == param and caught.value.status == 400


# Written again

ROUND = [
    {"messages": [{"role": "system", "content": "s"}, USER]},
    {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                  {"role": "tool", "tool_call_id": "c1", "content": "42"}],
     "tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required",
     "parallel_tool_calls": False},
    {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PIXEL}"}},
        {"type": "input_audio", "input_audio": {"data": PIXEL, "format": "mp3"}}]}]},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
    {"messages": [USER, {"role": "assistant", "content": "a", "refusal": "no"}, USER], "guided_regex": "a"},
    {"tools": [{"type": "custom", "custom": {"name": "c"}}], "web_search_options": {}},
    *[fields for fields, setting, _ in SETTINGS
      if setting not in (Setting.NUM_CHOICES, Setting.MODALITIES, Setting.METADATA, Setting.REASONING)],
    {"metadata": {"a": "b"}, "store": True},
    {"reasoning_effort": "minimal"},
]  # fmt: skip


@pytest.mark.parametrize("fields", ROUND, ids=lambda value: str(value)[:50])
def test_read_and_written_it_means_the_same(fields: dict[str, Any]) -> None:
    first = reads(**fields)
    body, dropped = writes(first)
    second = read_request(peek(json.dumps(body).encode()))
    assert dropped == [] and body["model"] == "m"
    assert stripped(second) == stripped(first)
    assert writes(first) == writes(first)


def stripped(conversation: Conversation) -> Any:
    """Without paths and raw forms."""
    turns = [(turn.role, turn.name, [bare(part) for part in turn.parts]) for turn in conversation.turns]
    tools = [
        (tool.kind, tool.name, tool.description, loads(tool.schema), tool.is_strict)
        for tool in conversation.tools
    ]
    settings = {
        name: bare(value) if isinstance(value, Format) else value
        for name, value in conversation.settings.items()
    }
    return turns, tools, settings, {name: loads(raw) for name, raw in conversation.extras.items()}


def bare(value: Any) -> Any:
    names = [name for name in value.__struct_fields__ if name not in ("path", "raw")]
    made = {name: getattr(value, name) for name in names}
    if "parts" in made:
        made["parts"] = [bare(part) for part in made["parts"]]
    return {name: loads(one) if isinstance(one, msgspec.Raw) else one for name, one in made.items()}


def loads(raw: msgspec.Raw | None) -> Any:
    return None if raw is None else msgspec.json.decode(raw)


def test_streams_ask_for_usage_unless_the_deployment_needs_no_asking() -> None:
    assert writes(reads(), streamed=True)[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in writes(reads(), streamed=True, usage_in_stream="always")[0]
    assert "stream" not in writes(reads())[0]


def test_a_deployments_quirks_are_kept_to() -> None:
    body, dropped = writes(reads(seed=1, user="u"), rename={"seed": "random_seed"}, remove=("user",))
    assert body["random_seed"] == 1 and "user" not in body and dropped == ["user"]


@pytest.mark.parametrize(("budget", "effort"), [(0, "none"), (500, "low"), (8000, "medium"), (32000, "high")])
def test_a_budget_is_an_effort_where_there_are_no_budgets(budget: int, effort: str) -> None:
    conversation = reads()
    conversation.settings[Setting.REASONING] = Reasoning(budget_tokens=budget)
    assert writes(conversation)[0]["reasoning_effort"] == effort


def thoughtful() -> Conversation:
    parts: list[Part] = [
        Thinking(origin="anthropic_messages", path="messages[1].content[0]", text="hm", signature="s"),
        Text(origin="anthropic_messages", path="messages[1].content[1]", text="a"),
    ]
    turns = [Turn(role="user", parts=[Text(text="u")]), Turn(role="assistant", parts=parts)]
    return Conversation(origin="anthropic_messages", turns=turns)


def test_thoughts_go_back_to_those_who_take_them() -> None:
    body, dropped = writes(thoughtful(), row="openai", model="gpt-4.1")
    assert body["messages"][1] == {"role": "assistant", "content": "a"}
    assert dropped == ["messages[1].content[0]"]
    body, dropped = writes(thoughtful(), row="deepseek")
    assert body["messages"][1]["reasoning_content"] == "hm"
    assert dropped == ["messages[1].content[0].signature"]
    body, dropped = writes(thoughtful(), row="openrouter")
    assert body["messages"][1]["reasoning_details"][0]["signature"] == "s" and dropped == []


def test_pictures_in_a_tools_result_follow_it() -> None:
    picture = Media(kind="image", media_type="image/png", data=PIXEL)
    result = ToolResult(id="c1", path="p", parts=(Text(text="see"), picture), is_error=True)
    turns = [Turn(role="tool", parts=[result])]
    body, dropped = writes(Conversation(origin="anthropic_messages", turns=turns))
    tool, user = body["messages"]
    assert tool == {"role": "tool", "tool_call_id": "c1", "content": "see"}
    assert user["role"] == "user" and user["content"][1]["image_url"]["url"].endswith(PIXEL)
    assert dropped == ["p.is_error"]


@pytest.mark.parametrize(
    "said",
    [
        Foreign(kind="search", path="here"),
        Media(kind="document", url="https://a.example/a.pdf", path="here"),
        Media(kind="image", file_id="f", origin="anthropic_messages", path="here"),
        Media(kind="audio", url="https://a.example/a.wav", path="here"),
        Media(kind="hologram", data=PIXEL, path="here"),
    ],
)
def test_what_has_no_word_here_is_refused_by_name(said: Part) -> None:
    with pytest.raises(CallerFault) as caught:
        writes(Conversation(origin="anthropic_messages", turns=[Turn(role="user", parts=[said])]))
    assert caught.value.param == "here"


def test_settings_without_a_word_are_refused_or_told() -> None:
    conversation = reads()
    conversation.settings |= {Setting.TRUNCATION: "auto", Setting.METADATA: {"a": "b"}}
    assert writes(conversation)[1] == ["truncation", "metadata"]
    for setting, row in ((Setting.SAFETY, ""), (Setting.PREVIOUS_ID, ""), (Setting.TOP_K, "openai")):
        conversation = reads()
        conversation.settings[setting] = 5
        conversation.names[setting] = "theirs"
        with pytest.raises(CallerFault) as caught:
            writes(conversation, row=row)
        assert caught.value.param == "theirs"
    with pytest.raises(CallerFault):
        writes(
            Conversation(origin="anthropic_messages", turns=[], tools=[Tool(kind="bash", path="tools[0]")])
        )


def test_an_empty_message_stays_one() -> None:
    body, _ = writes(reads(messages=[{"role": "user", "content": ""}]))
    assert body["messages"] == [{"role": "user", "content": ""}]


def test_a_function_that_takes_nothing_says_so() -> None:
    conversation = Conversation(
        origin="anthropic_messages", turns=[], tools=[Tool(name="now", path="tools[0]")]
    )
    function = writes(conversation)[0]["tools"][0]["function"]
    assert function == {"name": "now", "parameters": {"type": "object", "properties": {}}}
