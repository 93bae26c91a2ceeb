"""Schemas: every keyword holds something back, unknown ones are refused; agreement with another validator."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicket.errors import CallerFault
from wicket.suites.json_schema import mistake, same
from wicket.suites.schema_reading import require_schema

TABLE: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({"type": "integer"}, [1, 1.0, -3], [1.5, "1", True, None]),
    ({"type": ["string", "null"]}, ["", None], [0, []]),
    ({"enum": [1, "a", None]}, [1, 1.0, "a", None], [True, "b"]),
    ({"const": {"a": [1]}}, [{"a": [1.0]}], [{"a": [True]}, {}]),
    ({"minimum": 1, "exclusiveMaximum": 3}, [1, 2.9, "text"], [0.9, 3]),
    ({"maximum": 3, "exclusiveMinimum": 1}, [3], [1, 4]),
    ({"multipleOf": 0.1}, [0.3, 1, 0], [0.25]),
    ({"minLength": 2, "maxLength": 3}, ["ab", "abc", 5], ["a", "abcd"]),
    ({"pattern": "^[A-Z]\\d+$"}, ["A1", 7], ["a1", "A"]),
    (
        {"minItems": 1, "maxItems": 2, "uniqueItems": True},
        [[1], [1, True], [{"a": 1}, {"a": 2}]],
        [[], [1, 1.0], [1, 2, 3]],
    ),
    ({"properties": {"a": {"type": "string"}}, "required": ["a"]}, [{"a": "x", "b": 1}], [{}, {"a": 1}]),
    ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {}], [{"b": 1}]),
    ({"additionalProperties": {"type": "number"}}, [{"x": 1}], [{"x": "1"}]),
    ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 2}]),
    ({"prefixItems": [{"type": "string"}], "items": {"type": "number"}}, [["a", 1], []], [[1], ["a", "b"]]),
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 6], [4]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 5}]}, [4, 5.5], [6, 2.5]),
    ({"allOf": [{"minimum": 1}, {"maximum": 2}], "not": {"const": 2}}, [1], [0, 2]),
    (
        {
            "$defs": {
                "n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}, "required": ["v"]}
            },
            "$ref": "#/$defs/n",
        },
        [{"v": 1, "next": {"v": 2}}],
        [{"v": 1, "next": {}}],
    ),
    ({"title": "t", "format": "email", "default": 1}, ["no mail at all"], []),
]


@pytest.mark.parametrize(("schema", "good", "bad"), TABLE, ids=[",".join(s) for s, _, _ in TABLE])
def test_every_keyword_holds_what_it_should(schema: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    require_schema(schema)
    other = jsonschema_rs.validator_for(schema)
    for value in good:
        assert mistake(schema, value) == "" and other.is_valid(value), value
    for value in bad:
        assert mistake(schema, value) and not other.is_valid(value), value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 6) | st.sampled_from(["", "a", "ab"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
LEAVES = st.one_of(
    st.builds(
        lambda t: {"type": t}, st.sampled_from(["string", "integer", "object", "array", "null", "boolean"])
    ),
    st.builds(lambda n: {"minimum": n}, st.integers(-2, 4)),
    st.builds(lambda v: {"enum": [v, 1]}, VALUES),
    st.just({"uniqueItems": True}),
    st.just({"required": ["a"]}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
        st.builds(lambda a, b: {"oneOf": [a, b]}, inner, inner),
        st.builds(lambda a: {"not": a}, inner),
        st.builds(lambda a, b: {"properties": {"a": a}, "additionalProperties": b}, inner, inner),
        st.builds(lambda a: {"items": a}, inner),
    ),
    max_leaves=4,
)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, VALUES)
def test_two_validators_agree(schema: dict[str, Any], value: Any) -> None:
    require_schema(schema)
    assert (mistake(schema, value) == "") == jsonschema_rs.validator_for(schema).is_valid(value)


def test_the_place_of_a_mistake_is_told() -> None:
    schema = {"properties": {"a": {"items": {"type": "number"}}}}
    assert mistake(schema, {"a": [1, "x"]}) == "answer.a[1] is not of type number"


@pytest.mark.parametrize(
    "schema",
    [
        [],
        {"patternProperties": {}},
        {"if": {}},
        {"type": "text"},
        {"type": 3},
        {"minimum": "1"},
        {"multipleOf": 0},
        {"pattern": "(?=a)"},
        {"pattern": 3},
        {"required": [1]},
        {"anyOf": {}},
        {"properties": []},
        {"items": 5},
        {"uniqueItems": 1},
        {"$ref": "https://elsewhere.example/schema"},
        {"$ref": "#/$defs/missing"},
        {"$ref": 1},
    ],
    ids=str,
)
def test_what_can_not_be_judged_is_refused(schema: Any) -> None:
    with pytest.raises(CallerFault):
        require_schema(schema)


def test_deep_schemas_and_values_are_bounded() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"items": deep}
    with pytest.raises(CallerFault):
        require_schema(deep)
    doubling = {
        "$defs": {"d": {"anyOf": [{"$ref": "#/$defs/d"}, {"$ref": "#/$defs/d"}]}},
        "not": {"$ref": "#/$defs/d"},
    }
    require_schema(doubling)
    assert "too many steps" in mistake(doubling, 1)  # neither right for ever nor right by mistake


def test_equal_as_json() -> None:
    assert same({"a": [1, None]}, {"a": [1.0, None]}) and not same([1], [True]) and not same("1", 1)
    assert not same({"a": 1}, {"a": 1, "b": 2}) and not same([1, 2], [2, 1])
