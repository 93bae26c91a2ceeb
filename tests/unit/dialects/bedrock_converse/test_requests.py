"""Conversations as Converse gets them: its rules always, each family's own where it differs."""

from __future__ import annotations

import base64
import itertools
import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.dialects.bedrock_converse import APIS, target, write_request
from wicket.dialects.bedrock_converse.names import call_id, callers_name, tool_name
from wicket.dialects.hub import (
    Conversation,
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
from wicket.routing.deployment import Deployment
from wicket.wire.origin import Origin

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-2-lite-v1:0"
PLAIN = "writer.palmyra-x4-v1:0"
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}}}')
FIND = Tool(name="find", schema=SCHEMA, path="tools[0]")
ASK = Turn(role="user", parts=[Text(text="hello", path="m0")], path="m0")
CALL = ToolCall(id="call_1", name="find", arguments='{"a":1.0}', path="m1")
RESULT = ToolResult(id="call_1", parts=(Text(text="r"),), path="m2")
CALLED = [
    Turn(role="assistant", parts=[CALL], path="m1"),
    Turn(role="tool", parts=[RESULT], path="m2"),
]


def deployment(model: str, **more: Any) -> Deployment:
    return Deployment(
        id=f"p/{model}",
        provider="p",
        model=model,
        origin=Origin("https", "a.example", 443),
        base_path="",
        **more,
    )


def written(
    *turns: Turn, model: str = CLAUDE, tools: list[Tool] | None = None, **settings: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    asked = {Setting(name): value for name, value in settings.items()}
    names = {setting: setting.value for setting in asked}
    made = Conversation(
        origin="openai_chat", turns=list(turns or (ASK,)), tools=tools or [], settings=asked, names=names
    )
    body = write_request(made, deployment(model), streamed=False)
    return json.loads(body.data), body.dropped


def user(*parts: Part) -> Turn:
    return Turn(role="user", parts=list(parts), path="m")


# Any conversation keeps Converse's rules

TEXTS = st.sampled_from(["", " ", "a", "two words"]).map(lambda text: Text(text=text, path="here"))
IMAGES = st.just(Media(kind="image", media_type="image/png", data="aGk=", path="here"))
PAPERS = st.sampled_from(["a.pdf", "b.pdf", "a.b_c.pdf", "", "äö"]).map(
    lambda name: Media(kind="document", media_type="application/pdf", data="aGk=", name=name, path="here")
)
IDS = st.sampled_from(["call_1", "toolu_2", "a b", "ü", "x" * 80])
NAMES = st.sampled_from(["find", "look.up", "wk-x", "überall"])
CALLS = st.builds(
    ToolCall, id=IDS, name=NAMES, arguments=st.sampled_from(["{}", '{"a":1}', ""]), path=st.just("here")
)
RESULTS = st.builds(
    ToolResult, id=IDS, parts=st.lists(TEXTS | IMAGES, max_size=2).map(tuple), path=st.just("here")
)
THOUGHTS = st.builds(
    Thinking,
    origin=st.sampled_from(["bedrock_converse", "gemini", "anthropic"]),
    text=st.just("t"),
    signature=st.sampled_from(["", "s"]),
    path=st.just("here"),
)
TURNS = st.one_of(
    st.builds(Turn, role=st.just("user"), parts=st.lists(TEXTS | IMAGES | PAPERS, max_size=3)),
    st.builds(Turn, role=st.just("system"), parts=st.lists(TEXTS, max_size=2)),
    st.builds(Turn, role=st.just("assistant"), parts=st.lists(TEXTS | CALLS | THOUGHTS, max_size=3)),
    st.builds(Turn, role=st.just("tool"), parts=st.lists(RESULTS, max_size=2)),
)


def check(body: dict[str, Any]) -> None:
    """The structure that the service model and the user guide demand."""
    roles = [message["role"] for message in body["messages"]]
    assert roles and roles[0] == "user" and all(one != other for one, other in itertools.pairwise(roles))
    has_tools = False
    names: list[str] = []
    for message in body["messages"]:
        blocks = message["content"]
        assert blocks and all(len(block) == 1 for block in blocks)
        kinds = [next(iter(block)) for block in blocks if "cachePoint" not in block]
        results = [kind == "toolResult" for kind in kinds]
        assert results == sorted(results, reverse=True)  # results stand first
        has_tools = has_tools or "toolUse" in kinds or "toolResult" in kinds
        assert "document" not in kinds or "text" in kinds
        for block in blocks:
            if "text" in block:
                assert block["text"].strip()
            if "document" in block:
                name = block["document"]["name"]
                names.append(name)
                assert re.fullmatch(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*", name)
            use = block.get("toolUse") or block.get("toolResult")
            if use is not None:
                assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", use["toolUseId"])
                assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", use.get("name", "x"))
                assert isinstance(use.get("input", {}), dict)
            if "reasoningContent" in block:
                assert message["role"] == "assistant"
                assert block["reasoningContent"]["reasoningText"]["signature"] == "s"
    assert len(names) == len(set(names))
    assert "toolConfig" in body or not has_tools
    assert all(block["text"].strip() for block in body.get("system", ()))
    if "toolConfig" in body:
        assert body["toolConfig"]["tools"]


@settings(max_examples=300, deadline=None)
@given(turns=st.lists(TURNS, max_size=6), model=st.sampled_from([CLAUDE, NOVA, PLAIN]), offered=st.booleans())
def test_every_conversation_is_written_by_the_rules_or_refused(
    turns: list[Turn], model: str, offered: bool
) -> None:
    made = Conversation(origin="openai_chat", turns=turns, tools=[FIND] if offered else [])
    try:
        body = write_request(made, deployment(model), streamed=True)
    except CallerFault as fault:
        if fault.message != "There is no message to answer.":
            raise
        return
    assert body == write_request(made, deployment(model), streamed=True)
    check(json.loads(body.data))


# Single things


def test_the_target_escapes_a_model_as_one_step() -> None:
    model = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x?y"
    escaped = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fx%3Fy"
    assert target(deployment(model), APIS[0]) == f"/model/{escaped}/converse"
    assert target(deployment(CLAUDE), APIS[0], streamed=True).endswith("-v1%3A0/converse-stream")
    assert target(deployment(".."), APIS[0]) == "/model/%2E%2E/converse"


@given(st.text(min_size=1, max_size=11))
def test_a_tool_s_name_comes_back_as_it_was(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    made = tool_name(name, "p")
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", made) and callers_name(made) == name


@given(st.text(max_size=100), st.text(max_size=100))
def test_ids_stay_apart(one: str, other: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", call_id(one))
    assert (call_id(one) == call_id(other)) == (one == other)


def test_arguments_and_schemas_go_as_they_came() -> None:
    made = Conversation(origin="openai_chat", turns=[ASK, *CALLED], tools=[FIND])
    data = write_request(made, deployment(CLAUDE), streamed=False).data
    assert b'"input":{"a":1.0}' in data and data.index(b'"z"') < data.index(b'"a":{"type"')


def test_a_history_of_calls_brings_its_tools_back() -> None:
    body, _ = written(ASK, *CALLED)
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["find"]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (ToolChoice("auto"), {"auto": {}}),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("named", ("find",)), {"tool": {"name": "find"}}),
    ],
)
def test_choices(choice: ToolChoice, wanted: Any) -> None:
    body, _ = written(tools=[FIND], tool_choice=choice)
    assert body["toolConfig"]["toolChoice"] == wanted


def test_no_calls_at_all_is_said_by_offering_nothing_or_refused() -> None:
    body, dropped = written(tools=[FIND], tool_choice=ToolChoice("none"))
    assert "toolConfig" not in body and dropped == ()
    with pytest.raises(CallerFault) as caught:
        written(ASK, *CALLED, tools=[FIND], tool_choice=ToolChoice("none"))
    assert caught.value.param == "tool_choice"


def test_one_call_at_a_time() -> None:
    body, _ = written(tools=[FIND], parallel_tools=False, tool_choice=ToolChoice("required"))
    assert "toolChoice" not in body["toolConfig"]
    assert body["additionalModelRequestFields"]["tool_choice"] == {
        "type": "any",
        "disable_parallel_tool_use": True,
    }
    with pytest.raises(CallerFault):
        written(model=NOVA, tools=[FIND], parallel_tools=False)
    assert written(model=NOVA, parallel_tools=False)[1] == ()


@pytest.mark.parametrize(
    ("model", "asked", "fields"),
    [
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", Reasoning(effort="low"),
         {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (CLAUDE, Reasoning(budget_tokens=500), {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("us.anthropic.claude-sonnet-4-6", Reasoning(effort="high"),
         {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("anthropic.claude-opus-5", Reasoning(effort="none"), {"thinking": {"type": "disabled"}}),
        (NOVA, Reasoning(effort="low"),
         {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        ("openai.gpt-oss-120b-1:0", Reasoning(effort="xhigh"), {"reasoning_effort": "high"}),
        ("qwen.qwen3-32b-v1:0", Reasoning(is_on=True), {"reasoning_config": "medium"}),
        (PLAIN, Reasoning(effort="none"), None),
    ],
)  # fmt: skip
def test_thinking_by_family(model: str, asked: Reasoning, fields: Any) -> None:
    body, dropped = written(model=model, reasoning=asked)
    assert body.get("additionalModelRequestFields") == fields and dropped == ()


def test_thinking_that_can_t_be_had_is_refused() -> None:
    for model, more in ((PLAIN, {}), (CLAUDE, {"max_output_tokens": 500}), (CLAUDE, {"temperature": 0.3})):
        with pytest.raises(CallerFault):
            written(model=model, reasoning=Reasoning(effort="high"), **more)


def test_settings_by_family() -> None:
    body, dropped = written(
        max_output_tokens=9, temperature=1.5, stop=("x",), top_k=5, model="amazon.nova-pro-v1:0"
    )
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 1.0, "stopSequences": ["x"]}
    assert body["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 5}} and dropped == (
        "temperature",
    )
    body, dropped = written(temperature=0.5, top_p=0.5, top_k=5)  # this Claude takes one of the two
    assert body["inferenceConfig"] == {"temperature": 0.5} and dropped == ("top_p",)
    assert body["additionalModelRequestFields"] == {"top_k": 5}
    with pytest.raises(CallerFault):
        written(model=PLAIN, top_k=5)


def test_an_answer_by_a_schema() -> None:
    body, _ = written(format=Format(kind="json_schema", name="n", description="d", schema=SCHEMA))
    text = body["outputConfig"]["textFormat"]
    assert text["type"] == "json_schema" and text["structure"]["jsonSchema"]["name"] == "n"
    assert json.loads(text["structure"]["jsonSchema"]["schema"]) == json.loads(bytes(SCHEMA))
    for model, kind in ((PLAIN, "json_schema"), (CLAUDE, "json_object")):
        with pytest.raises(CallerFault):
            written(model=model, format=Format(kind=kind, schema=SCHEMA if kind == "json_schema" else None))


def test_caching_marks_stand_behind_what_they_mark() -> None:
    mark = msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')
    tool = Tool(name="find", cache=mark, path="tools[0]")
    system = Turn(role="system", parts=[Text(text="s", cache=mark, path="s")])
    body, dropped = written(system, user(Text(text="a", cache=mark, path="m")), tools=[tool])
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["system"][1] == body["messages"][0]["content"][1] == body["toolConfig"]["tools"][1] == point
    assert dropped == ()
    _, dropped = written(system, ASK, tools=[tool], model=PLAIN)
    assert dropped == ("s.cache_control", "tools[0].cache_control")


def test_thoughts_go_back_to_whom_they_belong() -> None:
    ours = Thinking(origin="bedrock_converse", text="t", signature="s", path="a")
    claude = Thinking(origin="anthropic_messages", is_redacted=True, signature="opaque", path="b")
    other = Thinking(origin="gemini", text="t", signature="s", path="c")
    body, dropped = written(
        ASK, Turn(role="assistant", parts=[ours, claude, other, CALL]), *CALLED[1:], tools=[FIND]
    )
    first, second, *_ = body["messages"][1]["content"]
    assert first == {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}
    assert base64.b64decode(second["reasoningContent"]["redactedContent"]) == b"opaque" and dropped == ("c",)
    _, dropped = written(ASK, Turn(role="assistant", parts=[ours, Text(text="x")]), ASK, model=NOVA)
    assert dropped == ("a",)


def test_media_go_as_bytes_or_from_s3() -> None:
    body, _ = written(
        user(
            Media(kind="image", media_type="image/jpg", data="aGk", path="p"),
            Media(kind="video", url="s3://bucket/film.mp4", path="p"),
            Media(kind="document", text="words", path="p"),
            Text(text="look"),
        )
    )
    image, film, paper, _ = body["messages"][0]["content"]
    assert image == {"image": {"format": "jpeg", "source": {"bytes": "aGk="}}}
    assert film == {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/film.mp4"}}}}
    assert (
        paper["document"]["format"] == "txt"
        and base64.b64decode(paper["document"]["source"]["bytes"]) == b"words"
    )


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="image", url="https://a.example/x.png", path="here"),
        Media(kind="image", media_type="image/tiff", data="aGk=", path="here"),
        Media(kind="image", media_type="image/png", data="%%%", path="here"),
        Media(kind="image", media_type="image/png", file_id="f", path="here"),
        ToolCall(id="c", name="n" * 65, path="here"),
        ToolCall(id="c", name="n", arguments="[1]", path="here"),
    ],
)
def test_what_has_no_word_is_refused_by_its_path(part: Part) -> None:
    turn = Turn(role="assistant" if isinstance(part, ToolCall) else "user", parts=[part], path="here")
    with pytest.raises(CallerFault) as caught:
        written(ASK, turn)
    assert caught.value.param == "here"


def test_a_failed_result_says_so_where_the_family_knows_it() -> None:
    failed = Turn(
        role="tool", parts=[ToolResult(id="call_1", is_error=True, parts=(Text(text="r"),), path="m2")]
    )
    body, dropped = written(ASK, CALLED[0], failed)
    assert body["messages"][2]["content"][0]["toolResult"]["status"] == "error" and dropped == ()
    assert written(ASK, CALLED[0], failed, model=PLAIN)[1] == ("m2.is_error",)
