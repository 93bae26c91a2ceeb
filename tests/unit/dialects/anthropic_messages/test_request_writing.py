"""A conversation of another family as a Messages request: one test per line of the protocol's checklist."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.anthropic_messages.support import deployment, write
from wicket.dialects import anthropic_messages as dialect
from wicket.dialects.anthropic_messages.block_writing import caller_tool_id, tool_id
from wicket.dialects.anthropic_messages.request_writing import ANSWER_TOOL
from wicket.dialects.anthropic_messages.turns import PLACEHOLDER
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
from wicket.errors import CallerFault

SCHEMA = msgspec.Raw(
    b'{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}}}'
)


def text(words: str, **fields: Any) -> Text:
    return Text(text=words, path=fields.pop("path", "messages[0].content[0]"), **fields)


def turn(role: str, *parts: Part | str, path: str = "messages[0]") -> Turn:
    return Turn(role=role, parts=[text(part) if isinstance(part, str) else part for part in parts], path=path)


def conversation(*turns: Turn, tools: list[Tool] | None = None, **settings: Any) -> Conversation:
    found = {Setting(name): value for name, value in settings.items()}
    names = {Setting.REASONING: "reasoning_effort", Setting.FORMAT: "response_format"}
    return Conversation(
        origin="openai_chat",
        turns=list(turns) or [turn("user", "hi")],
        tools=tools or [],
        settings=found,
        names={setting: names.get(setting, setting.value) for setting in found},
    )


def function(name: str = "f", **fields: Any) -> Tool:
    return Tool(name=name, path="tools[0]", **fields)


def dropped(found: Conversation, model: str = "claude-sonnet-4-5") -> tuple[str, ...]:
    return dialect.write_request(found, deployment(model), streamed=False).dropped


def refused(found: Conversation, model: str = "claude-sonnet-4-5") -> CallerFault:
    with pytest.raises(CallerFault) as caught:
        dialect.write_request(found, deployment(model), streamed=False)
    assert caught.value.status == 400
    return caught.value


# Instructions and turns


def test_instructions_are_hoisted_and_joined_from_anywhere() -> None:
    found = conversation(
        turn("system", "one"),
        turn("user", "hi"),
        turn("assistant", "ho"),
        turn("system", "two"),
        turn("user", "x"),
    )
    request = write(found)
    assert request["system"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert [each["role"] for each in request["messages"]] == ["user", "assistant", "user"]
    assert write(conversation(turn("system", "one"), turn("user", "hi")))["system"] == "one"
    assert "system" not in write(conversation())


def test_a_caching_mark_on_instructions_is_kept_with_its_ttl() -> None:
    mark = msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')
    request = write(conversation(turn("system", text("one", cache=mark)), turn("user", "hi")))
    assert request["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_bedrocks_mark_becomes_anthropics_and_an_unknown_one_is_reported() -> None:
    point = text("one", cache=msgspec.Raw(b'{"type":"default"}'))
    unknown = text("two", cache=msgspec.Raw(b'{"x":1}'), path="p")
    found = conversation(turn("user", point, unknown))
    assert write(found)["messages"][0]["content"] == [
        {"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "two"},
    ]
    assert dropped(found) == ("p.cache_control",)


def test_media_among_instructions_is_refused() -> None:
    picture = Media(kind="image", url="https://x/y.png", path="messages[0].content[1]")
    assert refused(conversation(turn("system", picture))).param == "messages[0].content[1]"


def test_turns_of_one_role_are_joined() -> None:
    request = write(
        conversation(turn("user", "a"), turn("user", "b"), turn("assistant", "c"), turn("assistant", "d"))
    )
    assert request["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
    ]


@pytest.mark.parametrize("turns", [[turn("system", "s")], [turn("assistant", "hello"), turn("user", "x")]])
def test_a_user_comes_first(turns: list[Turn]) -> None:
    first = write(conversation(*turns))["messages"][0]
    assert first == {"role": "user", "content": PLACEHOLDER}


def test_no_block_is_empty() -> None:
    request = write(
        conversation(
            turn("user", "", " "), turn("assistant", "\n"), turn("user", "x", ""), turn("assistant", "")
        )
    )
    assert [block["text"] for block in request["messages"][0]["content"]] == [PLACEHOLDER, "x"]
    assert len(request["messages"]) == 1


def test_an_answer_to_continue_loses_its_last_white_space() -> None:
    request = write(conversation(turn("user", "a"), turn("assistant", "The answer is \n")))
    assert request["messages"][-1] == {"role": "assistant", "content": "The answer is"}


def test_a_refusal_in_the_history_is_what_the_model_said() -> None:
    request = write(conversation(turn("user", "a"), turn("assistant", Refusal(text="no")), turn("user", "b")))
    assert request["messages"][1] == {"role": "assistant", "content": "no"}


def test_a_speakers_name_is_reported() -> None:
    found = Turn(role="user", name="ann", parts=[text("x")], path="messages[0]")
    assert dropped(conversation(found)) == ("messages[0].name",)


# Tools


def loop(*between: Turn, ids: tuple[str, str] = ("a", "b")) -> list[Turn]:
    calls = [ToolCall(id=each, name="f", arguments='{"x": 1.0}', path=f"calls.{each}") for each in ids]
    results: list[Part] = [ToolResult(id=each, parts=(text("r"),), path=f"results.{each}") for each in ids]
    return [turn("user", "q"), turn("assistant", "thinking aloud", *calls), *between, turn("tool", *results)]


def test_all_results_stand_first_in_one_turn_directly_after_the_calls() -> None:
    request = write(conversation(*loop(turn("user", "quick!")), turn("user", "go on")))
    last = request["messages"][2]
    assert last["role"] == "user" and [block["type"] for block in last["content"]] == [
        "tool_result",
        "tool_result",
        "text",
        "text",
    ]
    assert last["content"][0] == {"type": "tool_result", "tool_use_id": "a", "content": "r"}


def test_arguments_keep_their_own_spelling() -> None:
    body = dialect.write_request(conversation(*loop()), deployment(), streamed=False)
    assert b'"input":{"x": 1.0}' in body.data


def test_an_error_and_media_in_a_result() -> None:
    picture = Media(kind="image", data="iVBORw0KGgo", path="p")
    result = ToolResult(id="a", parts=(text("bad"), picture), is_error=True)
    call = ToolCall(id="a", name="f")
    request = write(conversation(turn("user", "q"), turn("assistant", call), turn("tool", result)))
    block = request["messages"][2]["content"][0]
    assert block["is_error"] is True
    assert [each["type"] for each in block["content"]] == ["text", "image"]
    assert request["messages"][1]["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]


@pytest.mark.parametrize("found", ["call_1", "call:1", "é", "wk-x", "a b", "", "x" * 200])
def test_ids_come_into_the_alphabet_and_back(found: str) -> None:
    written = tool_id(found)
    assert caller_tool_id(written) == found
    assert written == "wk-" or all(char.isascii() and (char.isalnum() or char in "_-") for char in written)


def test_a_foreign_id_is_the_same_in_call_and_result() -> None:
    request = write(conversation(*loop(ids=("functions.f:0", "functions.f:1"))))
    calls = [block["id"] for block in request["messages"][1]["content"] if block["type"] == "tool_use"]
    assert [block["tool_use_id"] for block in request["messages"][2]["content"]] == calls
    assert [caller_tool_id(each) for each in calls] == ["functions.f:0", "functions.f:1"]


def test_calls_without_ids_are_paired_by_name_and_order() -> None:
    calls = [ToolCall(id="", name=name) for name in ("f", "g", "f")]
    results: list[Part] = [
        ToolResult(id="", name=name, parts=(text(name + str(n)),)) for n, name in enumerate("gff")
    ]
    request = write(conversation(turn("user", "q"), turn("assistant", *calls), turn("tool", *results)))
    ids = [block["id"] for block in request["messages"][1]["content"]]
    found = {block["tool_use_id"]: block["content"] for block in request["messages"][2]["content"]}
    assert [found[each] for each in ids] == ["f1", "g0", "f2"]


@pytest.mark.parametrize(
    ("turns", "param"),
    [
        ([turn("user", "q"), turn("tool", ToolResult(id="z", path="messages[1]"))], "messages[1]"),
        (loop()[:2], "calls.a"),
        ([*loop()[:2], turn("user", "well?")], "calls.a"),
    ],
)
def test_calls_and_results_that_do_not_pair_are_refused_by_name(turns: list[Turn], param: str) -> None:
    assert refused(conversation(*turns)).param == param


@pytest.mark.parametrize("arguments", ["[1]", "{", "x"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    call = ToolCall(id="a", name="f", arguments=arguments, path="messages[1].tool_calls[0]")
    fault = refused(conversation(turn("user", "q"), turn("assistant", call)))
    assert fault.param == "messages[1].tool_calls[0]"


def test_tools_keep_their_order_and_schemas_as_they_came() -> None:
    tools = [function("b", schema=SCHEMA, description="d"), function("a")]
    body = dialect.write_request(conversation(tools=tools), deployment(), streamed=False)
    assert SCHEMA in body.data
    assert json.loads(body.data)["tools"] == [
        {"name": "b", "description": "d", "input_schema": json.loads(bytes(SCHEMA))},
        {"name": "a", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_a_strict_tool_is_closed_where_the_model_has_that_and_reported_elsewhere() -> None:
    found = conversation(tools=[function(schema=SCHEMA, is_strict=True)])
    tool = write(found)["tools"][0]
    assert tool["strict"] is True and tool["input_schema"]["additionalProperties"] is False
    assert tool["input_schema"]["properties"]["a"]["additionalProperties"] is False
    assert "strict" not in write(found, "claude-3-7-sonnet-latest")["tools"][0]
    assert dropped(found, "claude-3-7-sonnet-latest") == ("tools[0].strict",)


def test_another_providers_tools_and_names_are_refused() -> None:
    search = Tool(kind="web_search", path="tools[1]")
    assert refused(conversation(tools=[search])).param == "tools[1]"
    assert refused(conversation(tools=[function("a.b")])).param == "tools[0].name"
    assert refused(conversation(tools=[function(schema=msgspec.Raw(b'{"type":"string"}'))])).param


@pytest.mark.parametrize(
    ("choice", "single", "written"),
    [
        (None, False, None),
        (None, True, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), False, None),
        (ToolChoice("none"), False, {"type": "none"}),
        (ToolChoice("none"), True, {"type": "none"}),
        (ToolChoice("required"), True, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("named", ("g",)), False, {"type": "tool", "name": "g"}),
        (ToolChoice("required", ("g",)), False, {"type": "any"}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, single: bool, written: Any) -> None:
    settings: dict[str, Any] = {} if choice is None else {"tool_choice": choice}
    if single:
        settings["parallel_tools"] = False
    request = write(conversation(tools=[function("f"), function("g")], **settings))
    assert request.get("tool_choice") == written
    is_narrowed = choice is not None and choice.mode == "required" and choice.names
    assert [tool["name"] for tool in request["tools"]] == (["g"] if is_narrowed else ["f", "g"])


def test_a_choice_that_can_not_be_made_is_refused() -> None:
    assert refused(conversation(tool_choice=ToolChoice("required"))).param == "tool_choice"
    unknown = conversation(tools=[function("f")], tool_choice=ToolChoice("named", ("x",)))
    assert refused(unknown).param == "tool_choice"
    forced = conversation(tools=[function("f")], tool_choice=ToolChoice("required"))
    assert refused(forced, "claude-opus-5-5").param == "tool_choice"
    assert write(forced, "claude-opus-5")["tool_choice"] == {"type": "any"}


# Media


@pytest.mark.parametrize(
    ("media", "source"),
    [
        (
            Media(kind="image", data="/9j/4AAQ"),
            {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"},
        ),
        (
            Media(kind="image", data="AAAA", media_type="image/JPG; q=1"),
            {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"},
        ),
        (Media(kind="image", url="https://x/y"), {"type": "url", "url": "https://x/y"}),
        (
            Media(kind="document", data="JVBERi0x"),
            {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"},
        ),
        (Media(kind="document", url="https://x/y.pdf"), {"type": "url", "url": "https://x/y.pdf"}),
        (Media(kind="document", text="abc"), {"type": "text", "media_type": "text/plain", "data": "abc"}),
        (
            Media(kind="document", data=base64.b64encode(b"a,b").decode(), media_type="text/csv"),
            {"type": "text", "media_type": "text/plain", "data": "a,b"},
        ),
    ],
)
def test_media(media: Media, source: dict[str, str]) -> None:
    block = write(conversation(turn("user", media)))["messages"][0]["content"][0]
    assert block == {"type": media.kind, "source": source}


def test_a_documents_name_is_its_title_and_a_pictures_detail_is_reported() -> None:
    paper = Media(kind="document", text="abc", name="a.txt")
    picture = Media(kind="image", url="https://x/y", detail="high", path="messages[0].content[1]")
    found = conversation(turn("user", paper, picture))
    assert write(found)["messages"][0]["content"][0]["title"] == "a.txt"
    assert dropped(found) == ("messages[0].content[1].detail",)


@pytest.mark.parametrize(
    "media",
    [
        Media(kind="audio", data="AAAA", media_type="audio/wav"),
        Media(kind="video", url="https://x/y"),
        Media(kind="image", data="AAAA", media_type="image/tiff"),
        Media(kind="image", file_id="file-1", origin="openai_chat"),
        Media(kind="image", url="gs://x/y"),
        Media(kind="document", data="AAAA", media_type="application/msword"),
        Media(kind="document", data="!!", media_type="text/plain"),
        Foreign(kind="search", origin="openai_responses"),
    ],
)
def test_what_it_can_not_take_is_refused_by_name(media: Part) -> None:
    media.path = "messages[0].content[3]"
    assert refused(conversation(turn("user", media))).param == "messages[0].content[3]"


# Thoughts


def test_its_own_thoughts_go_back_byte_for_byte() -> None:
    raw = msgspec.Raw(b'{"type": "thinking","thinking":"\\u00e9 ","signature":"s+/="}')
    own = Thinking(text="é ", signature="s+/=", origin="anthropic_messages", raw=raw)
    sealed = Thinking(is_redacted=True, signature="x", origin="anthropic_messages")
    found = conversation(turn("user", "q"), turn("assistant", own, sealed, "a"), turn("user", "b"))
    body = dialect.write_request(found, deployment(), streamed=False)
    assert raw in body.data and body.dropped == ()
    assert json.loads(body.data)["messages"][1]["content"][1] == {"type": "redacted_thinking", "data": "x"}


def test_others_thoughts_stay_out_and_are_reported() -> None:
    other = Thinking(text="t", signature="s", origin="gemini", path="messages[1].reasoning")
    unsigned = Thinking(text="t", origin="anthropic_messages", path="messages[1].content[0]")
    found = conversation(turn("user", "q"), turn("assistant", other, unsigned, "a"), turn("user", "b"))
    assert write(found)["messages"][1]["content"] == "a"
    assert dropped(found) == ("messages[1].reasoning", "messages[1].content[0]")


BUDGET, BOTH, ADAPTIVE = "claude-sonnet-4-5", "claude-sonnet-4-6", "claude-opus-4-8"


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "effort"),
    [
        (BUDGET, Reasoning(effort="high"), {"type": "enabled", "budget_tokens": 16_384}, None),
        (BUDGET, Reasoning(effort="minimal"), {"type": "enabled", "budget_tokens": 1_024}, None),
        (BUDGET, Reasoning(budget_tokens=5_000), {"type": "enabled", "budget_tokens": 5_000}, None),
        (BUDGET, Reasoning(budget_tokens=10), {"type": "enabled", "budget_tokens": 1_024}, None),
        (BUDGET, Reasoning(budget_tokens=90_000), {"type": "enabled", "budget_tokens": 63_999}, None),
        (BUDGET, Reasoning(effort="none"), None, None),
        ("claude-opus-4-5", Reasoning(effort="max"), {"type": "enabled", "budget_tokens": 32_000}, "high"),
        (BOTH, Reasoning(effort="xhigh"), {"type": "adaptive"}, "max"),
        (BOTH, Reasoning(budget_tokens=4_000), {"type": "enabled", "budget_tokens": 4_000}, None),
        (ADAPTIVE, Reasoning(effort="minimal"), {"type": "adaptive"}, "low"),
        (
            ADAPTIVE,
            Reasoning(effort="xhigh", is_shown=True),
            {"type": "adaptive", "display": "summarized"},
            "xhigh",
        ),
        (ADAPTIVE, Reasoning(budget_tokens=4_000), {"type": "adaptive"}, "medium"),
        (ADAPTIVE, Reasoning(is_on=True, is_shown=False), {"type": "adaptive", "display": "omitted"}, None),
        (ADAPTIVE, Reasoning(is_on=False), None, None),
        ("claude-opus-5", Reasoning(effort="none"), {"type": "disabled"}, None),
        ("claude-sonnet-5-5", Reasoning(effort="none"), {"type": "between_tools"}, None),
    ],
)
def test_effort_and_budget_become_what_the_model_takes(
    model: str, reasoning: Reasoning, thinking: Any, effort: str | None
) -> None:
    request = write(conversation(reasoning=reasoning), model)
    assert request.get("thinking") == thinking
    assert request.get("output_config", {}).get("effort") == effort


def test_thinking_that_can_not_be_turned_on_or_off_is_refused() -> None:
    assert (
        refused(conversation(reasoning=Reasoning(effort="low")), "claude-3-5-haiku").param
        == "reasoning_effort"
    )
    assert (
        refused(conversation(reasoning=Reasoning(effort="none")), "claude-fable-5").param
        == "reasoning_effort"
    )


@pytest.mark.parametrize(
    "found",
    [
        conversation(reasoning=Reasoning(effort="high"), max_output_tokens=1_000),
        conversation(*loop(), reasoning=Reasoning(effort="high")),
        conversation(
            reasoning=Reasoning(effort="high"), tools=[function()], tool_choice=ToolChoice("required")
        ),
    ],
)
def test_a_budget_that_does_not_go_with_the_rest_is_left_out_and_reported(found: Conversation) -> None:
    assert "thinking" not in write(found) and dropped(found) == ("reasoning_effort",)
    assert write(found, ADAPTIVE)["thinking"] == {"type": "adaptive"}


# Settings


def test_max_tokens_is_always_there() -> None:
    assert write(conversation())["max_tokens"] == 64_000
    assert write(conversation(), "claude-3-opus")["max_tokens"] == 4_096
    assert write(conversation(), max_output_tokens=777)["max_tokens"] == 777
    assert write(conversation(max_output_tokens=5))["max_tokens"] == 5
    assert write(conversation(max_output_tokens=5_000), max_output_tokens=777)["max_tokens"] == 777


def test_temperature_is_clamped_and_reported() -> None:
    found = conversation(temperature=1.6)
    assert write(found)["temperature"] == 1 and dropped(found) == ("temperature",)
    assert write(conversation(temperature=0.3))["temperature"] == 0.3
    assert "temperature" not in write(conversation(temperature=1))


def test_top_p_is_dropped_only_where_the_model_takes_one_of_both() -> None:
    found = conversation(temperature=0.3, top_p=0.9)
    assert dropped(found) == ("top_p",) and "top_p" not in write(found)
    older = write(found, "claude-sonnet-4-20250514")
    assert (older["temperature"], older["top_p"]) == (0.3, 0.9)
    assert dropped(found, "claude-sonnet-4-20250514") == ()
    assert write(conversation(top_p=0.9, top_k=4))["top_k"] == 4


def test_sampling_that_the_model_does_not_take_is_refused_by_name() -> None:
    assert refused(conversation(temperature=0.3), ADAPTIVE).param == "temperature"
    assert refused(conversation(top_k=3), ADAPTIVE).param == "top_k"
    assert refused(conversation(temperature=0.3, reasoning=Reasoning(effort="low"))).param == "temperature"
    assert write(conversation(temperature=1, top_p=1), ADAPTIVE)


def test_stop_sequences() -> None:
    assert write(conversation(stop=("a", "b")))["stop_sequences"] == ["a", "b"]
    assert refused(conversation(stop=("a", "\n"))).param == "stop"


@pytest.mark.parametrize(
    "name",
    [
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "num_choices",
        "min_p",
        "previous_id",
    ],
)
def test_what_would_change_the_answer_is_refused(name: str) -> None:
    assert refused(conversation(**{name: 2})).param == name


def test_hints_are_dropped_and_reported() -> None:
    found = conversation(seed=1, store=True, metadata={"a": "b"}, verbosity="low", service_tier="flex")
    assert dropped(found) == ("seed", "store", "metadata", "verbosity", "service_tier")


def test_hints_that_it_has_are_translated() -> None:
    request = write(conversation(user="u1", service_tier="default"))
    assert request["metadata"] == {"user_id": "u1"} and request["service_tier"] == "standard_only"


def test_what_the_reader_did_not_know_is_reported_and_unknown_fields_are_forwarded() -> None:
    found = conversation()
    found.unread.append("messages[0].content[0].new")
    found.extras["brand_new"] = msgspec.Raw(b"[1.0]")
    found.extras["model"] = msgspec.Raw(b'"no"')
    body = dialect.write_request(found, deployment(), streamed=True)
    assert body.dropped == ("messages[0].content[0].new",)
    request = json.loads(body.data)
    assert (
        request["brand_new"] == [1.0]
        and request["model"] == "claude-sonnet-4-5"
        and request["stream"] is True
    )


# Structured output


def test_a_schema_is_sent_closed_where_the_model_has_structured_outputs() -> None:
    found = conversation(format=Format(kind="json_schema", name="n", schema=SCHEMA))
    form = write(found)["output_config"]["format"]
    assert form["type"] == "json_schema" and form["schema"]["additionalProperties"] is False
    assert dropped(found) == ()


@pytest.mark.parametrize(
    ("model", "form"),
    [(BUDGET, Format(kind="json_object")), ("claude-3-7-sonnet", Format(kind="json_schema", schema=SCHEMA))],
)
def test_elsewhere_a_forced_tool_stands_for_the_answer(model: str, form: Format) -> None:
    request = write(conversation(format=form), model)
    assert request["tools"][0]["name"] == ANSWER_TOOL
    assert request["tool_choice"] == {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}
    with_tools = write(conversation(format=form, tools=[function()]), model)
    assert [tool["name"] for tool in with_tools["tools"]] == ["f", ANSWER_TOOL]
    assert with_tools["tool_choice"] == {"type": "any"}
    without = write(conversation(format=form, tools=[function()], tool_choice=ToolChoice("none")), model)
    assert [tool["name"] for tool in without["tools"]] == [ANSWER_TOOL]


def test_json_without_a_schema_is_refused_where_no_tool_can_be_forced() -> None:
    found = conversation(format=Format(kind="json_object"))
    assert refused(found, "claude-opus-5-5").param == "response_format"


OPEN = b'{"type":"object","properties":{"a":{"type":"object"}}}'
BOUNDED = b'{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer","minimum":1}}}}'


@pytest.mark.parametrize("schema", [OPEN, BOUNDED, b'{"type":"object"}', b'{"oneOf":[]}'])
def test_a_schema_that_structured_outputs_can_not_say_is_the_answer_tools(schema: bytes) -> None:
    found = conversation(format=Format(kind="json_schema", schema=msgspec.Raw(schema)))
    tool = write(found)["tools"][0]
    assert tool["name"] == ANSWER_TOOL and tool["input_schema"] == {"type": "object", **json.loads(schema)}
    strict = conversation(format=Format(kind="json_schema", schema=msgspec.Raw(schema), is_strict=True))
    assert "tools" not in write(strict) and "format" in write(strict)["output_config"]
