import itertools
import json as plain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicket.engines.host import request, tools
from wicket.engines.host.calls import (
    CallArguments,
    CallStart,
    ChoiceReader,
    Reader,
    TaggedReader,
    Text,
    decode_string,
    reader,
)
from wicket.errors import CallerFault
from wicket.wire import json

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}  # fmt: skip
CLOCK = {"type": "function", "function": {"name": "clock"}}


def shape(has_template_tools: bool = False, messages: Any = None, **fields: Any) -> tools.Shape:
    body = {"messages": messages or [{"role": "user", "content": "hi"}], "tools": [WEATHER, CLOCK], **fields}
    return tools.shape(request.chat(json.encode(body)), has_template_tools=has_template_tools)


def schema_of(found: tools.Shape) -> Any:
    assert found.schema is not None
    return json.decode(found.schema)


def test_auto_without_template_tools_lets_the_grammar_offer_both() -> None:
    found = shape()
    offered = [set(option["properties"]) for option in schema_of(found)["anyOf"]]
    assert offered == [{"answer"}, {"name", "arguments"}, {"name", "arguments"}]
    assert found.turns[0].role == "system" and '"name":"weather"' in found.turns[0].content
    assert found.reading == "choice" and found.tools == []


def test_a_named_or_required_tool_leaves_no_answer() -> None:
    named = schema_of(shape(tool_choice={"type": "function", "function": {"name": "clock"}}))
    assert named["properties"]["name"] == {"const": "clock"}
    assert len(schema_of(shape(tool_choice="required"))["anyOf"]) == 2
    assert shape(tool_choice="none").schema is None


def test_the_callers_system_message_is_kept() -> None:
    messages = [{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi"}]
    found = shape(messages=messages)
    assert found.turns[0].content.startswith("be brief\n\n") and len(found.turns) == 2


def test_a_template_that_knows_tools_gets_them() -> None:
    found = shape(has_template_tools=True)
    assert [tool["function"]["name"] for tool in found.tools] == ["weather", "clock"]
    assert found.reading == "tagged" and found.schema is None and found.turns[0].role == "user"
    assert shape(has_template_tools=True, tool_choice="required").reading == "choice"
    with pytest.raises(CallerFault):
        shape(has_template_tools=True, response_format={"type": "json_object"})


def test_references_still_point_into_their_own_schema() -> None:
    parameters = {
        "$defs": {"c": {"type": "string"}},
        "type": "object",
        "properties": {"city": {"$ref": "#/$defs/c"}},
    }
    tool = {"type": "function", "function": {"name": "w", "parameters": parameters}}
    found = schema_of(shape(tools=[tool], tool_choice="required"))
    assert found["properties"]["arguments"] == {"$ref": "#/$defs/tool0"}
    inner = found["$defs"]["tool0"]
    assert inner["properties"]["city"] == {"$ref": "#/$defs/tool0/$defs/c"}
    assert inner["$defs"]["c"] == {"type": "string"}


def test_earlier_calls_become_text_or_stay_calls() -> None:
    call = {"name": "weather", "arguments": '{"city":"Rome"}'}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    plain = shape(messages=messages, tool_choice="none").turns
    assert plain[1].content == '{"name": "weather", "arguments": {"city":"Rome"}}'
    assert (plain[2].role, plain[2].content) == ("user", "Result of the function call: sunny")
    seen = tools.variables(shape(True, messages=messages))["messages"]
    assert seen[1]["tool_calls"][0]["function"]["arguments"] == {"city": "Rome"}
    assert (seen[2]["role"], seen[2]["tool_call_id"]) == ("tool", "c1")


def test_after_a_result_the_answer_is_free_text() -> None:
    call = {"name": "weather", "arguments": "{}"}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    found = shape(messages=messages)
    assert (found.reading, found.schema, len(found.turns)) == ("text", None, 3)
    assert shape(messages=messages, tool_choice="required").reading == "choice"
    assert shape(True, messages=messages).reading == "tagged"


def read(machine: Reader, pieces: list[str]) -> tuple[str, list[tuple[str, str]]]:
    deltas = [delta for piece in pieces for delta in machine.feed(piece)] + machine.finish()
    text = "".join(delta.text for delta in deltas if isinstance(delta, Text))
    names = [delta.name for delta in deltas if isinstance(delta, CallStart)]
    arguments = [""] * len(names)
    for delta in deltas:
        if isinstance(delta, CallArguments):
            arguments[delta.index] += delta.text
    return text, list(zip(names, arguments, strict=True))


def cut(text: str, places: list[int]) -> list[str]:
    marks = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in itertools.pairwise(marks)]


CUTS = st.lists(st.integers(min_value=0, max_value=200), max_size=30)


@given(st.text(), CUTS, st.booleans())
def test_an_answer_is_unwrapped_however_it_is_split(answer: str, cuts: list[int], is_ascii: bool) -> None:
    whole = plain.dumps({"answer": answer}, ensure_ascii=is_ascii)
    text, calls = read(ChoiceReader(is_answer_json=False), cut(whole, cuts))
    assert (text, calls) == (answer, [])


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.text() | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, CUTS, st.sampled_from([None, 2]))
def test_a_call_is_read_however_it_is_split(value: Any, cuts: list[int], indent: int | None) -> None:
    whole = plain.dumps({"name": "f", "arguments": {"a": value}}, indent=indent)
    text, calls = read(ChoiceReader(is_answer_json=False), cut(whole, cuts))
    assert text == "" and [name for name, _ in calls] == ["f"]
    arguments = calls[0][1]
    assert plain.loads(arguments) == {"a": value} and arguments == arguments.strip()


@given(st.integers() | st.text() | st.lists(st.integers()), CUTS)
def test_a_json_answer_stays_json(value: Any, cuts: list[int]) -> None:
    text, _ = read(ChoiceReader(is_answer_json=True), cut(plain.dumps({"answer": value}), cuts))
    assert plain.loads(text) == value


def test_lone_surrogates_do_not_stop_a_string() -> None:
    assert decode_string('a\\ud83d\\ude00b"') == ("a😀b", "", True)
    assert decode_string('\\ud83dx"')[0] == "\ufffdx"
    assert decode_string('\\ude00x"')[0] == "\ufffdx"
    assert decode_string('\\ud83d\\n"')[0] == "\ufffd\n"
    assert decode_string('\\ud83d"') == ("\ufffd", "", True)
    assert decode_string("ab\\") == ("ab", "\\", False)
    assert decode_string("ab\\ud83d\\u") == ("ab", "\\ud83d\\u", False)


@given(CUTS)
def test_tagged_calls_and_words_around_them(cuts: list[int]) -> None:
    whole = (
        'Let me see <b>.<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n'
        '<tool_call>{"name": "g", "parameters": {}}</tool_call>'
    )
    text, calls = read(TaggedReader(), cut(whole, cuts))
    assert text == "Let me see <b>."
    assert calls == [("f", '{"a": 1}'), ("g", "{}")]


def test_a_tag_without_a_call_is_text() -> None:
    assert read(TaggedReader(), ["<tool_call>nonsense</tool_call> a"])[0] == "<tool_call>nonsense a"
    assert read(TaggedReader(), ["a <tool"]) == ("a <tool", [])
    assert read(TaggedReader(), ['<tool_call>{"name":"f","arguments":{}}']) == ("", [("f", "{}")])


def test_each_shape_has_its_reader() -> None:
    assert isinstance(reader(shape()), ChoiceReader)
    assert isinstance(reader(shape(True)), TaggedReader)
    assert read(reader(shape(tool_choice="none")), ["a", "b"]) == ("ab", [])
