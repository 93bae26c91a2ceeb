"""A caller's generateContent body, read."""

import base64
import json
from typing import Any

import pytest

from tests.unit.dialects.gemini.speaking import read
from wicket.dialects.gemini import seals
from wicket.dialects.hub import (
    Foreign,
    Format,
    Media,
    Reasoning,
    Setting,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    leave_out,
)
from wicket.errors import CallerFault


def contents(*turns: tuple[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": parts} for role, parts in turns], **more}


SAID = contents(("user", [{"text": "hi"}]))


def config(**members: Any) -> dict[str, Any]:
    return {**SAID, "generationConfig": members}


def test_turns_roles_and_the_system_instruction() -> None:
    found = read(
        contents(
            ("user", [{"text": "a"}, {"text": "b"}]),
            ("model", [{"text": "c"}]),
            ("user", [{"text": "d"}]),
            system_instruction={"parts": [{"text": "s"}]},
        )
    )
    assert [turn.role for turn in found.turns] == ["system", "user", "assistant", "user"]
    assert [part.path for part in found.turns[1].parts] == ["contents[0].parts[0]", "contents[0].parts[1]"]
    assert found.unread == [] and found.extras == {}


def test_one_thing_may_stand_in_place_of_a_list_and_a_role_may_be_missing() -> None:
    found = read({"contents": {"parts": {"text": "hi"}}, "tools": {"function_declarations": {"name": "f"}}})
    assert found.turns[0].role == "user" and found.tools[0].name == "f"
    assert read({"contents": "hi"}).turns[0].parts == [Text(origin="gemini", path="contents", text="hi")]


@pytest.mark.parametrize("spelled", [("inlineData", "mimeType"), ("inline_data", "mime_type")])
def test_data_in_either_spelling_and_either_alphabet(spelled: tuple[str, str]) -> None:
    outer, inner = spelled
    found = read(contents(("user", [{outer: {inner: "image/png", "data": "-_-_"}}])))
    part = found.turns[0].parts[0]
    assert isinstance(part, Media) and (part.kind, part.data) == ("image", "+/+/") and not found.unread


def test_files_at_google_are_ids_and_other_addresses_are_addresses() -> None:
    uris = ["gs://b/a.mp3", "https://generativelanguage.googleapis.com/v1beta/files/x", "https://e.com/a.pdf"]
    parts = [{"fileData": {"fileUri": uri, "mimeType": "application/pdf"}} for uri in uris]
    media = [part for part in read(contents(("user", parts))).turns[0].parts if isinstance(part, Media)]
    assert [(part.file_id, part.url) for part in media] == [(uris[0], ""), (uris[1], ""), ("", uris[2])]


def test_calls_and_results_are_paired_by_id_and_by_name_without() -> None:
    found = read(
        contents(
            ("user", [{"text": "q"}]),
            (
                "model",
                [
                    {"functionCall": {"name": "f", "args": {"x": 1.50}}, "thoughtSignature": "QUJD"},
                    {"functionCall": {"name": "g", "args": {}}},
                    {"functionCall": {"name": "f", "id": "mine"}},
                ],
            ),
            (
                "user",
                [
                    {"functionResponse": {"name": "g", "response": {"output": "G"}}},
                    {"functionResponse": {"name": "f", "id": "mine", "response": {"error": "no"}}},
                    {"functionResponse": {"name": "f", "response": {"a": [1]}}},
                    {"text": "and now?"},
                ],
            ),
        )
    )
    assert [turn.role for turn in found.turns] == ["user", "assistant", "tool", "user"]
    calls = [part for part in found.turns[1].parts if isinstance(part, ToolCall)]
    results = [part for part in found.turns[2].parts if isinstance(part, ToolResult)]
    assert [call.id for call in calls] == ["call_1", "call_2", "mine"]
    assert [result.id for result in results] == ["call_2", "mine", "call_1"]
    assert calls[0].signature == "QUJD" and json.loads(calls[0].arguments) == {"x": 1.5}
    assert [part.text for one in results for part in one.parts if isinstance(part, Text)] == [
        "G",
        "no",
        '{"a": [1]}',
    ]
    assert [one.is_error for one in results] == [False, True, False]


def test_a_result_that_answers_nothing_is_refused_by_name() -> None:
    with pytest.raises(CallerFault) as caught:
        read(contents(("user", [{"functionResponse": {"name": "f", "response": {}}}])))
    assert caught.value.param == "contents[0].parts[0].functionResponse"


def test_thoughts_signatures_and_what_only_gemini_understands() -> None:
    found = read(
        contents(
            (
                "model",
                [
                    {"text": "hm", "thought": True, "thoughtSignature": "QUI="},
                    {"executableCode": {"code": "1", "language": "PYTHON"}},
                    {"text": "x", "thoughtSignature": "QUI-"},
                ],
            )
        )
    )
    thought, code, said = found.turns[0].parts
    assert isinstance(thought, Thinking) and thought.signature == "QUI=" and thought.origin == "gemini"
    assert isinstance(code, Foreign) and code.kind == "executableCode" and code.raw is not None
    assert said.signature == "QUI+"


def test_another_providers_seal_comes_back_to_it() -> None:
    sealed = seals.seal("anthropic", "EqQ/+x==")
    assert base64.b64decode(sealed)
    url_safe = sealed.replace("+", "-").replace("/", "_")
    found = read(contents(("model", [{"text": "hm", "thought": True, "thoughtSignature": url_safe}])))
    part = found.turns[0].parts[0]
    assert isinstance(part, Thinking) and (part.origin, part.signature) == ("anthropic", "EqQ/+x==")


def test_a_streams_chunks_in_the_history_are_one_turn() -> None:
    """google-genai's chats keep each chunk as a content of its own."""
    found = read(
        contents(
            ("model", [{"text": "hm", "thought": True}]),
            ("model", [{"text": "", "thought": True, "thoughtSignature": "QUJD"}]),
            ("model", [{"text": "Hel"}]),
            ("model", [{"text": "lo"}]),
            ("model", [{"functionCall": {"name": "f"}}]),
        )
    )
    (turn,) = found.turns
    thought, said, call = turn.parts
    assert isinstance(thought, Thinking) and (thought.text, thought.signature) == ("hm", "QUJD")
    assert isinstance(said, Text) and said.text == "Hello" and isinstance(call, ToolCall)


def test_what_has_no_place_in_the_hub_is_named() -> None:
    part = {"fileData": {"fileUri": "https://youtu.be/x"}, "videoMetadata": {"fps": 0.2}}
    found = read(contents(("user", [part])))
    assert found.unread == ["contents[0].parts[0].videoMetadata"]
    assert found.turns[0].parts[0].raw is not None


def test_every_plain_setting() -> None:
    found = read(
        config(
            maxOutputTokens=5,
            temperature=0.5,
            top_p=0.25,
            topK=40.0,
            seed=7,
            frequencyPenalty=0.1,
            presencePenalty=0.2,
            stopSequences=["x"],
            candidateCount=1,
            responseModalities=["TEXT"],
        )
    )
    assert found.settings == {
        Setting.MAX_OUTPUT_TOKENS: 5,
        Setting.TEMPERATURE: 0.5,
        Setting.TOP_P: 0.25,
        Setting.TOP_K: 40,
        Setting.SEED: 7,
        Setting.FREQUENCY_PENALTY: 0.1,
        Setting.PRESENCE_PENALTY: 0.2,
        Setting.STOP: ("x",),
    }
    assert found.names[Setting.TOP_K] == "generationConfig.topK"


def test_formats() -> None:
    found = read(config(responseMimeType="application/json"))
    assert found.settings[Setting.FORMAT] == Format(kind="json_object")
    found = read(config(responseMimeType="application/json", responseSchema={"type": "STRING"}))
    asked = found.settings[Setting.FORMAT]
    assert asked.kind == "json_schema" and json.loads(bytes(asked.schema)) == {"type": "string"}
    found = read(config(response_mime_type="application/json", responseJsonSchema={"type": "string"}))
    assert bytes(found.settings[Setting.FORMAT].schema) == b'{"type": "string"}'
    enum = read(config(responseMimeType="text/x.enum", responseSchema={"enum": ["a"]}))
    assert Setting.FORMAT not in enum.settings
    with pytest.raises(CallerFault, match=r"generationConfig\.responseMimeType"):
        leave_out(enum, set())


@pytest.mark.parametrize(
    ("members", "asked"),
    [
        ({"thinkingBudget": 0}, Reasoning(is_on=False)),
        ({"thinkingBudget": -1}, Reasoning(is_on=True)),
        ({"thinking_budget": 100}, Reasoning(is_on=True, budget_tokens=100)),
        ({"thinkingLevel": "HIGH"}, Reasoning(effort="high")),
        ({"includeThoughts": True}, Reasoning(is_shown=True)),
    ],
)
def test_thinking(members: dict[str, Any], asked: Reasoning) -> None:
    assert read(config(thinkingConfig=members)).settings[Setting.REASONING] == asked


@pytest.mark.parametrize(
    ("calling", "choice"),
    [
        ({"mode": "ANY"}, ToolChoice("required")),
        ({"mode": "ANY", "allowedFunctionNames": ["f"]}, ToolChoice("named", ("f",))),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}, ToolChoice("required", ("f", "g"))),
        ({"mode": "NONE"}, ToolChoice("none")),
        ({"mode": "AUTO"}, None),
        ({"mode": "VALIDATED"}, None),
    ],
)
def test_tool_choice(calling: dict[str, Any], choice: ToolChoice | None) -> None:
    found = read({**SAID, "toolConfig": {"functionCallingConfig": calling}})
    assert found.settings.get(Setting.TOOL_CHOICE) == choice
    hints = ["toolConfig.functionCallingConfig.mode"] if calling["mode"] == "VALIDATED" else []
    assert leave_out(found, {Setting.TOOL_CHOICE}) == hints


def test_tools() -> None:
    openapi = {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "nullable": True}}}
    tools = [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parameters": openapi},
                {"name": "g", "parameters_json_schema": {"type": "object"}, "behavior": "BLOCKING"},
                {"name": "h"},
            ]
        },
        {"googleSearch": {}},
    ]
    found = read({**SAID, "tools": tools})
    first, second, third, search = found.tools
    assert json.loads(bytes(first.schema or b"")) == {
        "type": "object",
        "properties": {"a": {"type": ["integer", "null"]}},
    }
    assert bytes(second.schema or b"") == b'{"type": "object"}' and third.schema is None
    assert search.kind == "googleSearch" and json.loads(bytes(search.raw or b"")) == {"googleSearch": {}}
    assert found.unread == ["tools[0].functionDeclarations[1].behavior"]


def test_what_decides_the_answer_and_is_geminis_alone_is_refused_elsewhere() -> None:
    for request in (
        {**SAID, "cachedContent": "cachedContents/x"},
        config(imageConfig={"aspectRatio": "1:1"}),
        {**SAID, "safetySettings": [{"category": "A", "threshold": "BLOCK_LOW_AND_ABOVE"}]},
        config(candidateCount=2),
        config(speechConfig={}),
        config(responseModalities=["IMAGE"]),
        config(responseLogprobs=True, logprobs=3),
    ):
        with pytest.raises(CallerFault) as caught:
            leave_out(read(request), set())
        assert caught.value.param


def test_hints_are_geminis_alone_and_only_reported() -> None:
    request = {
        **config(mediaResolution="MEDIA_RESOLUTION_LOW"),
        "safetySettings": [{"category": "A", "threshold": "BLOCK_NONE"}],
        "labels": {"team": "x"},
        "serviceTier": "flex",
        "toolConfig": {"includeServerSideToolInvocations": True},
    }
    assert set(leave_out(read(request), set())) == {
        "generationConfig.mediaResolution",
        "safetySettings",
        "labels",
        "serviceTier",
        "toolConfig.includeServerSideToolInvocations",
    }


def test_unknown_top_level_fields_are_kept_and_ours_are_not() -> None:
    found = read({**SAID, "brandNew": 1, "model": "m", "stream": True, "models": ["a"]})
    assert list(found.extras) == ["brandNew"]


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({}, "contents"),
        ({"contents": 1}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": [1]}, "contents[0]"),
        (contents(("system", [{"text": "x"}])), "contents[0].role"),
        (contents(("user", [{"text": 1}])), "contents[0].parts[0].text"),
        (contents(("user", [{"inlineData": {"data": "%%"}}])), "contents[0].parts[0].inlineData.data"),
        (contents(("user", [{"inlineData": {"data": ""}}])), "contents[0].parts[0].inlineData"),
        (contents(("model", [{"functionCall": {}}])), "contents[0].parts[0].functionCall.name"),
        (
            contents(("model", [{"functionCall": {"name": "f", "args": []}}])),
            "contents[0].parts[0].functionCall.args",
        ),
        (config(temperature="warm"), "generationConfig.temperature"),
        (config(topK=1.5), "generationConfig.topK"),
        (config(logprobs=2), "generationConfig.logprobs"),
        (config(responseSchema={}), "generationConfig.responseMimeType"),
        (config(thinkingConfig={"thinkingLevel": "HUGE"}), "generationConfig.thinkingConfig.thinkingLevel"),
        (
            {**SAID, "toolConfig": {"functionCallingConfig": {"mode": "X"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        ({**SAID, "tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({**SAID, "labels": {"a": 1}}, "labels"),
    ],
)
def test_bad_input_is_refused_by_name(request_: dict[str, Any], param: str) -> None:
    with pytest.raises(CallerFault) as caught:
        read(request_)
    assert caught.value.param == param and caught.value.status == 400
