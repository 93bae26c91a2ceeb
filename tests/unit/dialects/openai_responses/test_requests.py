"""Requests beyond what was recorded: every field read, and what other families' callers ask for written."""

import base64
import json
from typing import Any

import msgspec
import pytest

from tests.unit.dialects.openai_responses.speaking import ASKED, conversation, deployment, written
from wicket.dialects import openai_chat, openai_responses
from wicket.dialects.hub import (
    Completion,
    Conversation,
    Finish,
    Foreign,
    Format,
    Media,
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
from wicket.dialects.openai_responses.tools_read import has_strict_form
from wicket.errors import CallerFault
from wicket.wire.fields import peek

PICTURE = base64.b64encode(b"a picture").decode()
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
STRICT = {**SCHEMA, "additionalProperties": False}


def refusal(**fields: Any) -> CallerFault:
    with pytest.raises(CallerFault) as caught:
        conversation(**fields)
    return caught.value


def test_instructions_and_a_string() -> None:
    found = conversation(instructions="Be brief.", input="hello")
    assert [(turn.role, turn.path) for turn in found.turns] == [("system", "instructions"), ("user", "input")]
    assert [part.text for turn in found.turns for part in turn.parts if isinstance(part, Text)] == [
        "Be brief.",
        "hello",
    ]
    assert found.unread == [] and found.settings == {} and found.extras == {}


def test_every_kind_of_item() -> None:
    items = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [
            {"type": "input_text", "text": "look", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "high"},
            {"type": "input_image", "file_id": "file_1"},
            {"type": "input_file", "filename": "a.pdf",
             "file_data": f"data:application/pdf;base64,{PICTURE}"},
            {"type": "input_file", "file_url": "https://a.example/b.pdf"},
            {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [
            {"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
         "encrypted_content": "gAAA"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "hm", "annotations": [
                {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}]},
            {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": [
            {"type": "input_text", "text": "r"}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "x"},
        {"type": "item_reference", "id": "msg_9"},
        {"id": "msg_10"},
        {"type": "brand_new", "odd": 1},
    ]  # fmt: skip
    found = conversation(input=items)
    assert [turn.role for turn in found.turns] == [
        *("system", "user", "assistant", "tool", "assistant", "user", "user", "user", "assistant"),
    ]
    _, user, assistant, tool, *others = found.turns
    text, image, by_id, file, by_url, sound = user.parts
    assert isinstance(text, Text) and bytes(text.cache or b"") == b'{"type":"ephemeral"}'
    assert isinstance(image, Media) and (image.media_type, image.data) == ("image/png", PICTURE)
    assert image.detail == "high" and isinstance(by_id, Media) and by_id.file_id == "file_1"
    assert isinstance(file, Media) and (file.kind, file.name) == ("document", "a.pdf")
    assert isinstance(by_url, Media) and by_url.url == "https://a.example/b.pdf"
    assert isinstance(sound, Media) and sound.media_type == "audio/wav"
    thought, said, no, call = assistant.parts
    assert isinstance(thought, Thinking) and (thought.text, thought.signature) == ("a\n\nb", "rs_1.gAAA")
    assert isinstance(said, Text) and b'"url_citation":{' in bytes(said.annotations or b"")
    assert isinstance(no, Refusal) and isinstance(call, ToolCall) and call.arguments == '{"a":1}'
    [result] = tool.parts
    assert isinstance(result, ToolResult) and [part.path for part in result.parts] == ["input[5].output[0]"]
    kinds = [(part.kind, part.path) for turn in others for part in turn.parts if isinstance(part, Foreign)]
    assert kinds == [
        ("web_search_call", "input[6]"), ("custom_tool_call_output", "input[7]"),
        ("item_reference", "input[8]"), ("item_reference", "input[9]"), ("brand_new", "input[10]"),
    ]  # fmt: skip
    assert found.unread == []


def test_every_setting() -> None:
    tool = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}
    found = conversation(
        max_output_tokens=100, temperature=0.5, top_p=0.9, top_logprobs=3, user="u", service_tier="flex",
        prompt_cache_key="k", prompt_cache_retention="24h", truncation="auto", max_tool_calls=2, store=True,
        metadata={"a": "b"}, tools=[tool], tool_choice="required", parallel_tool_calls=False,
        text={"verbosity": "low", "format": {
            "type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
        reasoning={"effort": "low", "summary": "auto"}, previous_response_id="resp_1", background=True,
        include=["message.output_text.logprobs", "reasoning.encrypted_content", "file_search_call.results"],
        stream_options={"include_obfuscation": False}, brand_new=[1.0],
    )  # fmt: skip
    assert found.settings == {
        Setting.MAX_OUTPUT_TOKENS: 100, Setting.TEMPERATURE: 0.5, Setting.TOP_P: 0.9, Setting.LOGPROBS: 3,
        Setting.USER: "u", Setting.SERVICE_TIER: "flex", Setting.CACHE_KEY: "k",
        Setting.CACHE_RETENTION: "24h", Setting.TRUNCATION: "auto", Setting.MAX_TOOL_CALLS: 2,
        Setting.STORE: True, Setting.METADATA: {"a": "b"}, Setting.TOOL_CHOICE: ToolChoice("required"),
        Setting.PARALLEL_TOOLS: False, Setting.VERBOSITY: "low", Setting.PREVIOUS_ID: "resp_1",
        Setting.FORMAT: found.settings[Setting.FORMAT], Setting.BACKGROUND: True,
        Setting.REASONING: Reasoning(effort="low", summary="auto", is_shown=True),
        Setting.INCLUDE: ("file_search_call.results",),
    }  # fmt: skip
    shape = found.settings[Setting.FORMAT]
    assert (shape.name, shape.is_strict, json.loads(bytes(shape.schema))) == ("n", True, SCHEMA)
    assert found.unread == [] and list(found.extras) == ["brand_new"]
    body, dropped = written(found)
    for name in ("max_output_tokens", "metadata", "store", "text", "include", "previous_response_id"):
        assert body[name]
    assert dropped == [] and body["brand_new"] == [1.0] and body["tools"] == [tool]


def test_neutral_values_ask_for_nothing() -> None:
    found = conversation(
        top_p=1, tool_choice="auto", parallel_tool_calls=True, truncation="disabled", store=False,
        background=False, service_tier="auto", text={"format": {"type": "text"}}, metadata={}, tools=[],
        reasoning={"context": "auto"}, top_logprobs=0, previous_response_id=None, conversation=None,
    )  # fmt: skip
    assert found.settings == {} and found.unread == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].image_url",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"moderation": {"model": "x"}}, "moderation"),
    ],
)
def test_what_can_not_be_read_is_named(fields: dict[str, Any], param: str) -> None:
    assert refusal(**fields).param == param


def test_a_function_that_does_not_say_is_strict_if_its_schema_is() -> None:
    def strict(schema: Any) -> bool | None:
        tool = {"type": "function", "name": "f", "parameters": schema}
        return conversation(tools=[tool]).tools[0].is_strict

    assert strict(STRICT) is True and strict(SCHEMA) is None and strict(None) is None
    assert not has_strict_form({"type": "object", "additionalProperties": False, "properties": {"a": {}}})
    nested: Any = {}
    for _ in range(40):
        nested = {"type": "array", "items": nested}
    assert not has_strict_form(nested)


def test_some_tools_are_allowed() -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    found = conversation(tools=[{"type": "function", "name": "f"}], tool_choice=choice)
    assert found.settings[Setting.TOOL_CHOICE] == ToolChoice("auto", ("f",))
    assert written(found)[0]["tool_choice"] == choice
    choice["tools"] = [{"type": "mcp", "server_label": "x"}]  # type: ignore[dict-item]
    assert (
        refusal(tools=[{"type": "function", "name": "f"}], tool_choice=choice).param == "tool_choice.tools[0]"
    )


# Callers of other families


def foreign(*turns: Turn, **more: Any) -> Conversation:
    first = Turn(role="user", parts=[Text(text="hello", path="m[0]")], path="m[0]")
    return Conversation(origin="openai_chat", turns=[first, *turns], **more)


def test_nothing_is_kept_and_functions_are_as_loose_as_chat_has_them() -> None:
    loose, tight = Tool(name="f", path="t"), Tool(name="g", is_strict=True, path="t")
    body, _ = written(foreign(tools=[loose, tight]))
    assert body["store"] is False and "include" not in body
    assert [tool["strict"] for tool in body["tools"]] == [False, True]
    assert body["tools"][0]["parameters"] == {"type": "object", "properties": {}}
    assert body["tools"][1]["parameters"]["additionalProperties"] is False
    assert written(foreign(), "openai/gpt-5.4")[0]["include"] == ["reasoning.encrypted_content"]


def test_a_system_message_is_the_instructions() -> None:
    system = Turn(role="system", parts=[Text(text="Be brief.")])
    asked = foreign()
    asked.turns.insert(0, system)
    assert written(asked)[0]["instructions"] == "Be brief."
    alone = Conversation(origin="openai_chat", turns=[system])
    assert written(alone)[0]["input"] == [{"role": "system", "content": "Be brief."}]


def test_tools_over_turns() -> None:
    calls = [ToolCall(id=f"c{n}", name="f", arguments="{}", path="x") for n in (1, 2)]
    results = [
        ToolResult(id="c1", parts=(Text(text="a"),), is_error=True, path="m[2]"),
        ToolResult(id="c2", parts=(Media(kind="image", media_type="image/png", data=PICTURE),), path="m[3]"),
    ]
    body, dropped = written(
        foreign(
            Turn(role="assistant", parts=[Text(text="let me see"), *calls]),
            Turn(role="tool", parts=list(results)),
        )
    )
    assert body["input"][1:] == [
        {"role": "assistant", "content": "let me see"},
        *[{"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"} for n in (1, 2)],
        {"type": "function_call_output", "call_id": "c1", "output": "a"},
        {"type": "function_call_output", "call_id": "c2", "output": [
            {"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{PICTURE}"}]},
    ]  # fmt: skip
    assert dropped == ["m[2].is_error"]


def test_thoughts_go_back_to_their_own_provider_only() -> None:
    parts = [
        Thinking(origin="openai_responses", text="hm", signature="rs_1.gAAA", path="m[1].a"),
        Thinking(origin="openai_responses", is_redacted=True, signature="gBBB", path="m[1].b"),
        Thinking(origin="anthropic", text="hm", signature="s", path="m[1].c"),
        Text(text="so"),
    ]
    body, dropped = written(foreign(Turn(role="assistant", parts=list(parts))))
    summary = [{"type": "summary_text", "text": "hm"}]
    assert body["input"][1:3] == [
        {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA"},
        {"type": "reasoning", "summary": [], "encrypted_content": "gBBB"},
    ]
    assert dropped == ["m[1].c"]


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({Setting.STOP: ("x",)}, "stop"),
        ({Setting.NUM_CHOICES: 2}, "num_choices"),
        ({Setting.LOGIT_BIAS: {"1": 1.0}}, "logit_bias"),
        ({Setting.FREQUENCY_PENALTY: 0.5}, "frequency_penalty"),
        ({Setting.TOP_K: 5}, "top_k"),
        ({Setting.MAX_OUTPUT_TOKENS: 5}, "max_output_tokens"),
        ({Setting.PREVIOUS_ID: "resp_1"}, "previous_id"),
    ],
)
def test_what_responses_has_no_word_for_is_refused(settings: dict[Setting, Any], param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        written(foreign(settings=settings))
    assert caught.value.param == param


def test_hints_are_told() -> None:
    asked = foreign(settings={Setting.SEED: 1, Setting.PREDICTION: msgspec.Raw(b"{}"), Setting.USER: "u"})
    body, dropped = written(asked)
    assert dropped == ["seed", "prediction"] and body["user"] == "u"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Reasoning(effort="xhigh"), {"effort": "xhigh"}),
        (Reasoning(budget_tokens=1_000, is_shown=True), {"effort": "low", "summary": "auto"}),
        (Reasoning(budget_tokens=10_000), {"effort": "medium"}),
        (Reasoning(budget_tokens=60_000, summary="detailed"), {"effort": "high", "summary": "detailed"}),
        (Reasoning(is_on=False), {"effort": "none"}),
    ],
)
def test_how_much_it_thinks(asked: Reasoning, said: dict[str, str]) -> None:
    assert written(foreign(settings={Setting.REASONING: asked}))[0]["reasoning"] == said


def test_shapes_and_choices() -> None:
    shape = Format(kind="json_schema", schema=msgspec.Raw(json.dumps(SCHEMA).encode()))
    choice = ToolChoice("named", ("f",))
    settings = {
        Setting.FORMAT: shape,
        Setting.VERBOSITY: "low",
        Setting.TOOL_CHOICE: choice,
        Setting.LOGPROBS: 2,
    }
    body, _ = written(foreign(settings=settings, tools=[Tool(name="f", path="t")]))
    assert body["text"] == {
        "format": {"type": "json_schema", "name": "answer", "schema": SCHEMA},
        "verbosity": "low",
    }
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["include"] == ["message.output_text.logprobs"] and body["top_logprobs"] == 2


def test_a_deployment_s_own_words() -> None:
    asked = foreign(settings={Setting.MAX_OUTPUT_TOKENS: 50, Setting.SERVICE_TIER: "flex"})
    body, dropped = written(asked, rename={"max_output_tokens": "limit"}, remove=("service_tier",))
    assert body["limit"] == 50 and "service_tier" not in body and dropped == ["service_tier"]


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="audio", media_type="audio/wav", data=PICTURE, path="m[1]"),
        Media(kind="video", url="https://a.example/v.mp4", path="m[1]"),
        Media(kind="image", file_id="file_1", origin="anthropic", path="m[1]"),
        Foreign(kind="search", origin="anthropic", raw=msgspec.Raw(b"{}"), path="m[1]"),
    ],
)
def test_parts_without_a_word_are_refused(part: Any) -> None:
    with pytest.raises(CallerFault) as caught:
        written(foreign(Turn(role="user", parts=[part], path="m[1]")))
    assert caught.value.param == "m[1]"


# Other families' seals on their way through a Responses caller


def test_seals_of_other_families_survive_the_caller() -> None:
    call = ToolCall(id="c1", name="f", arguments="{}", origin="gemini", signature="seal.of.gemini")
    parts = [
        Thinking(text="hm", signature="anthropic's", origin="anthropic"),
        Thinking(signature="opaque", is_redacted=True, origin="anthropic"),
        Thinking(text="plain", origin="openai_chat"),
        call,
    ]
    answer = Completion(origin="gemini", parts=list(parts), finish=Finish.TOOL_CALLS)
    output = json.loads(openai_responses.write_completion(answer, ASKED, None))["output"]
    assert [item["type"] for item in output] == [*["reasoning"] * 3, "function_call", "reasoning"]
    [question, turn] = conversation(input=[{"role": "user", "content": "q"}, *output]).turns
    assert question.role == "user" and turn.role == "assistant"
    members = ("origin", "text", "signature", "is_redacted", "id")
    found = [{name: getattr(part, name, None) for name in members} for part in turn.parts]
    assert found == [{name: getattr(part, name, None) for name in members} for part in parts]


def test_what_we_wrapped_never_reaches_a_responses_provider() -> None:
    ours = {"type": "reasoning", "id": "rsw_1", "summary": [], "encrypted_content": "wicket.anthropic.t.s"}
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    items = [{"role": "user", "content": "wicket. is a word"}, ours, own]
    fields = peek(json.dumps({"model": "m", "input": items}).encode())
    body = openai_responses.body(fields, deployment(), openai_responses.RESPONSES, streamed=False)
    assert json.loads(body.data)["input"] == [items[0], own] and body.dropped == ("input[1]",)


def test_openai_s_own_seals_are_told_and_left_out_elsewhere() -> None:
    own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    said = {"role": "assistant", "content": "hi"}
    asked = conversation(input=[{"role": "user", "content": "q"}, own, said])
    body = openai_chat.write_request(asked, deployment(), streamed=False)
    assert body.dropped == ("input[1]",) and b"gAAA" not in body.data
