"""Any conversation, written for any family of models, keeps the API's rules, or is refused by name."""

import json
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.gemini.speaking import VERTEX, deployment
from wicket.dialects import gemini
from wicket.dialects.contract import Body
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

MODELS = ["gemini-1.5-pro", "gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-3-pro-preview"]
MODELS += ["gemini-3.8-flash", "gemini-4-argon", "something"]
WORDS = st.text(alphabet="ab \n\u00e9", max_size=4)
SIGNATURES = st.sampled_from(["", "", "QUJD"])
SCHEMA = msgspec.Raw(
    b'{"type":"object","properties":{"a":{"type":"string","const":"x"}},"additionalProperties":false}'
)

texts = st.builds(Text, text=WORDS, signature=SIGNATURES, origin=st.sampled_from(["gemini", "other"]))
media = st.builds(
    Media,
    kind=st.just("image"),
    media_type=st.sampled_from(["image/png", ""]),
    data=st.sampled_from(["QUJD", "QQ==", ""]),
    url=st.sampled_from(["", "https://e.com/a.png", "gs://b/a.png", "http://e.com/a.png"]),
    path=st.just("m"),
)
thoughts = st.builds(
    Thinking,
    origin=st.sampled_from(["gemini", "anthropic"]),
    text=WORDS,
    signature=SIGNATURES,
    path=st.just("t"),
)


@st.composite
def exchanges(draw: st.DrawFn, number: int) -> list[Turn]:
    """A user's turn, perhaps calls and their results in any order, perhaps an answer."""
    user: list[Part] = draw(st.lists(texts | media, min_size=1, max_size=3))
    turns = [Turn(role="user", parts=user)]
    ids = [f"call_{number}_{i}" for i in range(draw(st.integers(0, 3)))]
    before: list[Part] = draw(st.lists(texts | thoughts | st.builds(Refusal, text=WORDS), max_size=2))
    calls: list[Part] = [
        ToolCall(
            id=id,
            name=draw(st.sampled_from(["f", "g"])),
            arguments=draw(st.sampled_from(["{}", "", '{"a": 1.0}'])),
            signature=draw(SIGNATURES),
        )
        for id in ids
    ]
    if before or calls:
        turns.append(Turn(role="assistant", parts=[*before, *calls]))
    if calls:
        results: list[Part] = [
            ToolResult(
                id=id,
                parts=tuple(draw(st.lists(texts | media, max_size=2))),
                is_error=draw(st.booleans()),
            )
            for id in draw(st.permutations(ids))
        ]
        turns.append(Turn(role="tool", parts=results))
    return turns


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        Setting.TEMPERATURE: st.floats(0, 2),
        Setting.MAX_OUTPUT_TOKENS: st.integers(1, 9),
        Setting.REASONING: st.builds(
            Reasoning,
            effort=st.sampled_from([None, "none", "minimal", "low", "medium", "high", "xhigh", "max"]),
            budget_tokens=st.none() | st.integers(1, 100_000),
            is_shown=st.none() | st.booleans(),
        ),
        Setting.TOOL_CHOICE: st.sampled_from(
            [ToolChoice("auto"), ToolChoice("required"), ToolChoice("named", ("f",))]
        ),
        Setting.FORMAT: st.sampled_from(
            [Format(kind="json_object"), Format(kind="json_schema", schema=SCHEMA)]
        ),
        Setting.USER: st.just("u"),
    },
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    turns: list[Turn] = []
    for number in range(draw(st.integers(1, 3))):
        if draw(st.integers(0, 3)) == 0:
            turns.append(Turn(role="system", parts=[draw(texts)]))
        turns += draw(exchanges(number))
    tools = [Tool(name=name, schema=schema) for name, schema in (("f", SCHEMA), ("g", None))]
    return Conversation(
        origin="openai_chat",
        turns=turns,
        tools=tools[: draw(st.integers(0, 2))],
        settings=draw(SETTINGS),
    )


def made(conversation: Conversation, model: str, base_path: str) -> Body | str | None:
    """The body, or the param of the fault."""
    try:
        return gemini.write_request(conversation, deployment(model, base_path), streamed=False)
    except CallerFault as fault:
        return fault.param


def check(body: dict[str, Any], model: str) -> None:
    """The API's structural rules (ai.google.dev: function calling, thought signatures, structured output)."""
    contents = body["contents"]
    assert contents and all(content["parts"] for content in contents)
    roles = [content["role"] for content in contents]
    assert roles[0] == "user"
    assert all(one != other for one, other in pairwise(roles)), "turns alternate"
    for i, content in enumerate(contents):
        check_parts(content, contents[i - 1] if i else None, model)
    config = body.get("generationConfig", {})
    thinking = config.get("thinkingConfig", {})
    assert not {"thinkingBudget", "thinkingLevel"} <= set(thinking), "one or the other"
    if "responseJsonSchema" in config or "responseSchema" in config:
        assert config["responseMimeType"] == "application/json"
    if model < "gemini-3" and "tools" in body:
        assert "responseMimeType" not in config
    for declared in body.get("tools", []):
        for one in declared["functionDeclarations"]:
            assert len({"parameters", "parametersJsonSchema"} & set(one)) <= 1
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    assert "allowedFunctionNames" not in calling or calling["mode"] in ("ANY", "VALIDATED")


def check_parts(content: dict[str, Any], before: dict[str, Any] | None, model: str) -> None:
    kinds = {"text", "inlineData", "fileData", "functionCall", "functionResponse"}
    for part in content["parts"]:
        assert len(kinds & set(part)) == 1, "a part is of one kind"
    calls = [part for part in content["parts"] if "functionCall" in part]
    results = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
    if calls:
        assert content["role"] == "model" and before is not None and before["role"] == "user"
        if model >= "gemini-3":
            assert any("thoughtSignature" in part for part in calls)
    if results:
        assert content["role"] == "user" and before is not None
        asked = [part["functionCall"] for part in before["parts"] if "functionCall" in part]
        assert [(one["id"], one["name"]) for one in asked] == [(one["id"], one["name"]) for one in results]
        assert all(isinstance(one["response"], dict) for one in results)
        assert "functionResponse" in content["parts"][0], "results come first"


def joined(body: dict[str, Any]) -> dict[str, Any]:
    """A signature that comes alone belongs to the text before it, which the reader knows."""
    contents = []
    for content in body["contents"]:
        parts: list[dict[str, Any]] = []
        for part in content["parts"]:
            last = parts[-1] if parts else {}
            is_alone = part.get("text") == "" and "thoughtSignature" in part
            is_its = "text" in last and "thoughtSignature" not in last
            if content["role"] == "model" and is_alone and is_its and _is_thought(last) is _is_thought(part):
                parts[-1] = {**last, "thoughtSignature": part["thoughtSignature"]}
            else:
                parts.append(part)
        contents.append({**content, "parts": parts})
    return {**body, "contents": contents}


def _is_thought(part: dict[str, Any]) -> bool:
    return bool(part.get("thought"))


@settings(max_examples=80, deadline=None)
@given(
    conversation=conversations(),
    model=st.sampled_from(MODELS),
    base_path=st.sampled_from(["/v1beta", VERTEX]),
)
def test_any_conversation_keeps_the_rules(conversation: Conversation, model: str, base_path: str) -> None:
    found = made(conversation, model, base_path)
    if not isinstance(found, Body):
        return
    assert found == made(conversation, model, base_path), "equal inputs give equal bytes"
    body = json.loads(found.data)
    check(body, model)
    again = gemini.read_request(
        {name: msgspec.Raw(json.dumps(value).encode()) for name, value in body.items()}
    )
    twice = gemini.write_request(again, deployment(model, base_path), streamed=False)
    assert json.loads(twice.data) == joined(body), "what is written reads as what was meant"
