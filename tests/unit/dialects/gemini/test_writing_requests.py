"""A conversation of another family, written for Gemini."""

import base64
import json
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.gemini.speaking import VERTEX, write, written
from wicket.dialects.gemini import seals
from wicket.dialects.hub import (
    Conversation,
    Foreign,
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
from wicket.errors import CallerFault

USER = Turn(role="user", parts=[Text(text="q", path="messages[0].content")], path="messages[0]")


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def asked(*turns: Turn, tools: list[Tool] | None = None, **settings: Any) -> Conversation:
    return Conversation(
        origin="openai_chat",
        turns=list(turns) or [USER],
        tools=tools or [],
        settings={Setting(name): value for name, value in settings.items()},
        names={Setting(name): f"my_{name}" for name in settings},
    )


def user(*parts: Part) -> Turn:
    return Turn(role="user", parts=list(parts), path="messages[0]")


def media(**members: Any) -> Turn:
    return user(Media(path="messages[0].content[0]", **members))


def refused(conversation: Conversation, model: str = "gemini-3-flash-preview") -> str | None:
    with pytest.raises(CallerFault) as caught:
        write(conversation, model)
    return caught.value.param


FUNCTION = Tool(
    name="f", schema=raw({"type": "object", "properties": {"a": {"type": "integer"}}}), path="tools[0]"
)


def test_system_turns_are_hoisted_and_turns_of_one_role_are_one() -> None:
    made = written(
        asked(
            Turn(role="system", parts=[Text(text="s")]),
            USER,
            user(Text(text="more"), Text(text="")),
            Turn(role="system", parts=[Text(text="t")]),
            Turn(role="assistant", parts=[Text(text="a")]),
        )
    )
    assert made["systemInstruction"] == {"parts": [{"text": "s"}, {"text": "t"}]}
    assert made["contents"] == [
        {"role": "user", "parts": [{"text": "q"}, {"text": "more"}]},
        {"role": "model", "parts": [{"text": "a"}]},
    ]


def test_a_system_prompt_alone_is_asked_beside_an_empty_message() -> None:
    made = written(asked(Turn(role="system", parts=[Text(text="s")])))
    assert made["contents"] == [{"role": "user", "parts": [{"text": ""}]}]
    with pytest.raises(CallerFault):
        write(asked(Turn(role="assistant", parts=[])))


def test_the_first_turn_is_the_users_and_empty_ones_stay_turns() -> None:
    made = written(asked(Turn(role="assistant", parts=[Text(text="a")]), user(Text(text=""))))
    nothing = {"role": "user", "parts": [{"text": ""}]}
    assert made["contents"] == [nothing, {"role": "model", "parts": [{"text": "a"}]}, nothing]


def exchange(*results: Part) -> list[Turn]:
    calls = [
        ToolCall(origin="gemini", id="a", name="f", arguments='{"x": 1.0}', signature="QUJD"),
        ToolCall(id="b", name="g", arguments=""),
    ]
    return [USER, Turn(role="assistant", parts=list(calls)), Turn(role="tool", parts=list(results))]


def test_parallel_calls_and_their_results_in_the_order_of_the_calls() -> None:
    results = [
        ToolResult(id="b", parts=(Text(text="plain"),)),
        ToolResult(id="a", parts=(Text(text='{"deg": 3.0}'),)),
    ]
    made = written(asked(*exchange(*results), user(Text(text="so?"))))
    assert made["contents"][1]["parts"] == [
        {"functionCall": {"id": "a", "name": "f", "args": {"x": 1.0}}, "thoughtSignature": "QUJD"},
        {"functionCall": {"id": "b", "name": "g", "args": {}}},
    ]
    assert made["contents"][2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "a", "name": "f", "response": {"deg": 3.0}}},
            {"functionResponse": {"id": "b", "name": "g", "response": {"output": "plain"}}},
            {"text": "so?"},
        ],
    }


def test_a_failed_result_says_so_and_one_without_a_call_is_refused() -> None:
    made = written(asked(*exchange(ToolResult(id="a", parts=(Text(text="no"),), is_error=True))))
    assert made["contents"][2]["parts"][0]["functionResponse"]["response"] == {"error": "no"}
    lone = ToolResult(id="z", path="messages[3]", parts=(Text(text="x"),))
    assert refused(asked(*exchange(lone))) == "messages[3]"


def test_pictures_in_results_stand_inside_them_or_beside_them() -> None:
    picture = Media(kind="image", media_type="image/png", data="QUJD")
    turns = exchange(ToolResult(id="a", parts=(Text(text="see"), picture)))
    inline = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}
    newer = written(asked(*turns))["contents"][2]["parts"]
    assert newer[0]["functionResponse"]["parts"] == [inline]
    older = written(asked(*turns), "gemini-2.5-flash")["contents"][2]["parts"]
    assert "parts" not in older[0]["functionResponse"] and older[1] == inline


def test_an_unsigned_call_gets_the_documented_stand_in_where_signatures_are_demanded() -> None:
    turns = exchange(ToolResult(id="a"))
    turns[1].parts[0].signature = ""
    parts = written(asked(*turns), "gemini-3.1-pro-preview")["contents"][1]["parts"]
    assert parts[0]["thoughtSignature"] == seals.UNSIGNED and "thoughtSignature" not in parts[1]
    assert base64.b64decode(seals.UNSIGNED) == b"skip_thought_signature_validator"
    parts = written(asked(*turns), "gemini-2.5-flash")["contents"][1]["parts"]
    assert "thoughtSignature" not in parts[0]


def test_a_gemini_call_through_another_familys_caller_is_not_sent_in_that_familys_form() -> None:
    turns = exchange(ToolResult(id="a"))
    turns[1].parts[0].raw = raw({"id": "a", "type": "function", "function": {"name": "f"}})
    parts = written(asked(*turns))["contents"][1]["parts"]
    assert parts[0] == {
        "functionCall": {"id": "a", "name": "f", "args": {"x": 1.0}},
        "thoughtSignature": "QUJD",
    }
    assert "thoughtSignature" not in parts[1]


def test_other_families_thoughts_stay_behind_and_are_named() -> None:
    thoughts = [
        Thinking(origin="anthropic", text="hm", signature="x", path="messages[1].content[0]"),
        Thinking(origin="gemini", text="mine", signature="QUJD"),
        Text(text="a"),
    ]
    body = write(asked(USER, Turn(role="assistant", parts=list(thoughts))))
    assert body.dropped == ("messages[1].content[0]",)
    assert json.loads(body.data)["contents"][1]["parts"] == [
        {"text": "mine", "thought": True, "thoughtSignature": "QUJD"},
        {"text": "a"},
    ]


@pytest.mark.parametrize(
    ("members", "part"),
    [
        (
            {"kind": "image", "media_type": "image/png", "data": "-_8"},
            {"inlineData": {"mimeType": "image/png", "data": "+/8="}},
        ),
        (
            {"kind": "image", "url": "data:image/jpeg;base64,QUJD"},
            {"inlineData": {"mimeType": "image/jpeg", "data": "QUJD"}},
        ),
        (
            {"kind": "document", "text": "abc"},
            {"inlineData": {"mimeType": "text/plain", "data": "YWJj"}},
        ),
        (
            {"kind": "image", "url": "https://e.com/a.png?x=1"},
            {"fileData": {"mimeType": "image/png", "fileUri": "https://e.com/a.png?x=1"}},
        ),
        (
            {"kind": "audio", "media_type": "audio/wav", "data": "QUJD"},
            {"inlineData": {"mimeType": "audio/wav", "data": "QUJD"}},
        ),
        (
            {"kind": "video", "url": "https://youtu.be/x"},
            {"fileData": {"fileUri": "https://youtu.be/x"}},
        ),
    ],
)
def test_media(members: dict[str, Any], part: dict[str, Any]) -> None:
    assert written(asked(media(**members)))["contents"][0]["parts"] == [part]


@pytest.mark.parametrize(
    ("members", "model"),
    [
        ({"kind": "image", "url": "http://e.com/a.png"}, "gemini-3-flash"),
        ({"kind": "image", "url": "https://e.com/a.png"}, "gemini-2.0-flash"),
        ({"kind": "image", "url": "https://e.com/a"}, "gemini-3-flash"),
        ({"kind": "image", "file_id": "file-1"}, "gemini-3-flash"),
        ({"kind": "image", "data": "QUJD"}, "gemini-3-flash"),
        ({"kind": "image", "media_type": "image/png", "data": "%"}, "gemini-3-flash"),
    ],
)
def test_media_that_cannot_be_had_are_refused_by_name(members: dict[str, Any], model: str) -> None:
    assert refused(asked(media(**members)), model) == "messages[0].content[0]"


def test_vertex_reads_any_https_address_with_older_models_too() -> None:
    turn = media(kind="image", url="https://e.com/a.png", name="a.png")
    body = write(asked(turn), "gemini-2.0-flash", base_path=VERTEX)
    assert json.loads(body.data)["contents"][0]["parts"][0]["fileData"]["displayName"] == "a.png"
    assert body.dropped == ()


def test_hints_on_parts_are_named_and_foreign_parts_refused() -> None:
    part = Media(
        path="messages[0].content[0]",
        kind="image",
        media_type="image/png",
        data="QUJD",
        detail="low",
        name="a.png",
        cache=raw({"type": "ephemeral"}),
    )
    dropped = write(asked(user(part))).dropped
    assert [name.rpartition(".")[2] for name in dropped] == ["cache_control", "detail", "filename"]
    foreign = Foreign(origin="anthropic", kind="server_tool_use", path="messages[0].content[0]")
    assert refused(asked(user(foreign))) == "messages[0].content[0]"
    builtin = Tool(kind="web_search", raw=raw({}), path="tools[0]")
    assert refused(asked(tools=[builtin])) == "tools[0]"


def test_plain_settings() -> None:
    body = write(
        asked(
            max_output_tokens=5,
            temperature=0.5,
            top_p=0.25,
            top_k=3,
            stop=("x",),
            seed=7,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            logprobs=2,
            num_choices=1,
            user="u",
            metadata={"a": "b"},
        )
    )
    assert json.loads(body.data)["generationConfig"] == {
        "maxOutputTokens": 5,
        "temperature": 0.5,
        "topP": 0.25,
        "topK": 3,
        "stopSequences": ["x"],
        "seed": 7,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 2,
    }
    assert set(body.dropped) == {"my_user", "my_metadata"}


@pytest.mark.parametrize(
    "settings",
    [
        {"logit_bias": {"1": 1.0}},
        {"num_choices": 2},
        {"min_p": 0.1},
        {"previous_id": "r"},
        {"audio": raw({})},
        {"modalities": ("text", "audio")},
        {"tool_choice": ToolChoice("required")},
    ],
)
def test_what_has_no_word_and_decides_the_answer_is_refused(settings: dict[str, Any]) -> None:
    assert refused(asked(**settings)) == f"my_{next(iter(settings))}"


def test_one_call_at_a_time_cannot_be_asked_for() -> None:
    assert refused(asked(tools=[FUNCTION], parallel_tools=False)) == "my_parallel_tools"
    assert write(asked(parallel_tools=False)).dropped == ()
    assert write(asked(tools=[FUNCTION], parallel_tools=True)).dropped == ()


def test_settings_that_a_model_ignores_are_named() -> None:
    body = write(asked(temperature=0.5, max_output_tokens=5), "gemini-4-argon")
    assert json.loads(body.data)["generationConfig"] == {"maxOutputTokens": 5}
    assert body.dropped == ("my_temperature",)


@pytest.mark.parametrize(
    ("model", "reasoning", "config"),
    [
        ("gemini-2.5-flash", Reasoning(effort="low"), {"thinkingBudget": 1024}),
        ("gemini-2.5-flash", Reasoning(effort="high"), {"thinkingBudget": 24576}),
        ("gemini-2.5-flash", Reasoning(effort="none"), {"thinkingBudget": 0}),
        ("gemini-2.5-flash", Reasoning(budget_tokens=99_999), {"thinkingBudget": 24576}),
        ("gemini-2.5-flash-lite", Reasoning(budget_tokens=100), {"thinkingBudget": 512}),
        ("gemini-2.5-pro", Reasoning(budget_tokens=100), {"thinkingBudget": 128}),
        ("gemini-2.5-pro", Reasoning(is_on=True), {"thinkingBudget": -1}),
        ("gemini-2.5-pro", Reasoning(is_shown=True), {"includeThoughts": True}),
        ("gemini-3-pro-preview", Reasoning(effort="medium"), {"thinkingLevel": "HIGH"}),
        ("gemini-3.1-pro-preview", Reasoning(effort="medium"), {"thinkingLevel": "MEDIUM"}),
        ("gemini-3-flash-preview", Reasoning(effort="minimal"), {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.8-flash", Reasoning(effort="max"), {"thinkingLevel": "HIGH"}),
        ("models/gemini-4-argon", Reasoning(effort="minimal"), {"thinkingLevel": "LOW"}),
        ("gemini-3-flash-preview", Reasoning(budget_tokens=2000), {"thinkingLevel": "MEDIUM"}),
        (
            "gemini-3-flash-preview",
            Reasoning(effort="low", summary="auto"),
            {"includeThoughts": True, "thinkingLevel": "LOW"},
        ),
    ],
)
def test_thinking_by_family(model: str, reasoning: Reasoning, config: dict[str, Any]) -> None:
    body = write(asked(reasoning=reasoning), model)
    assert json.loads(body.data)["generationConfig"]["thinkingConfig"] == config
    assert body.dropped == ()


def test_thinking_that_cannot_be_switched_off_is_told() -> None:
    for model, least in (
        ("gemini-3-pro", {"thinkingLevel": "LOW"}),
        ("gemini-2.5-pro", {"thinkingBudget": 128}),
    ):
        body = write(asked(reasoning=Reasoning(is_on=False)), model)
        assert json.loads(body.data)["generationConfig"]["thinkingConfig"] == least
        assert body.dropped == ("my_reasoning",)


def test_models_without_thoughts() -> None:
    assert "generationConfig" not in written(asked(reasoning=Reasoning(effort="none")), "gemini-2.0-flash")
    assert refused(asked(reasoning=Reasoning(effort="low")), "gemini-2.0-flash") == "my_reasoning"


@pytest.mark.parametrize(
    ("choice", "is_strict", "calling"),
    [
        (ToolChoice("auto"), None, None),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice("none"), None, {"mode": "NONE"}),
        (ToolChoice("required"), True, {"mode": "ANY"}),
        (ToolChoice("named", ("f",)), None, {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice("auto", ("f",)), None, {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, is_strict: bool | None, calling: Any) -> None:
    tools = [msgspec.structs.replace(FUNCTION, is_strict=is_strict)]
    made = written(asked(tools=tools, **({"tool_choice": choice} if choice else {})))
    assert made.get("toolConfig") == ({"functionCallingConfig": calling} if calling else None)


def test_functions_in_order_and_those_that_take_nothing() -> None:
    empty = Tool(name="z", description="d", schema=raw({"type": "object", "properties": {}}), path="tools[1]")
    newer = written(asked(tools=[FUNCTION, empty, Tool(name="n")]))["tools"]
    assert [one["name"] for one in newer[0]["functionDeclarations"]] == ["f", "z", "n"]
    assert newer[0]["functionDeclarations"][1]["parametersJsonSchema"] == {"type": "object", "properties": {}}
    older = written(asked(tools=[FUNCTION, empty]), "gemini-1.5-flash")["tools"][0]["functionDeclarations"]
    assert older[0]["parameters"] == {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}
    assert "parameters" not in older[1]


def test_formats_and_what_their_schemas_lose() -> None:
    schema = raw({"type": "object", "properties": {"a": {"type": "string", "pattern": "x", "not": {}}}})
    body = write(asked(format=Format(kind="json_schema", name="n", schema=schema)))
    config = json.loads(body.data)["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"]["properties"]["a"] == {"type": "string", "pattern": "x"}
    assert set(body.dropped) == {"my_format.properties.a.pattern", "my_format.properties.a.not"}
    plain = written(asked(format=Format(kind="json_object")))["generationConfig"]
    assert plain == {"responseMimeType": "application/json"}


def test_older_models_answer_in_a_form_or_call_functions() -> None:
    conversation = asked(tools=[FUNCTION], format=Format(kind="json_object"))
    assert refused(conversation, "gemini-2.5-flash") == "my_format"
    assert written(conversation)["generationConfig"]["responseMimeType"] == "application/json"


def test_tiers_and_unknown_fields() -> None:
    assert written(asked(service_tier="flex"))["serviceTier"] == "flex"
    assert write(asked(service_tier="flex"), base_path=VERTEX).dropped == ("my_service_tier",)
    conversation = asked()
    conversation.extras = {"brandNew": raw(1), "contents": raw([])}
    made = written(conversation)
    assert made["brandNew"] == 1 and made["contents"] != []


def test_arguments_that_are_no_object_are_refused() -> None:
    call = ToolCall(id="a", name="f", arguments="[1", path="messages[1].tool_calls[0]")
    assert refused(asked(USER, Turn(role="assistant", parts=[call]))) == "messages[1].tool_calls[0]"


def test_equal_conversations_give_equal_bytes() -> None:
    turns = exchange(ToolResult(id="a"))
    assert write(asked(*turns, tools=[FUNCTION])) == write(asked(*turns, tools=[FUNCTION]))
