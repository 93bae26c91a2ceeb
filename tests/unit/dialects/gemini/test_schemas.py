"""JSON schemas for Gemini: what is kept, what is restated, and that nothing is lost without a word."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wicket.dialects.gemini.openapi_schemas import fit_openapi
from wicket.dialects.gemini.schemas import fit_json_schema, to_json_schema
from wicket.errors import CallerFault


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def fitted(schema: Any) -> tuple[Any, list[str]]:
    found = fit_json_schema(raw(schema), "s")
    return json.loads(bytes(found.schema)), found.losses


def openapi(schema: Any) -> tuple[Any, list[str]]:
    found = fit_openapi(raw(schema), "s")
    return json.loads(bytes(found.schema)), found.losses


def test_a_schema_that_needs_nothing_passes_byte_for_byte() -> None:
    schema = msgspec.Raw(b'{ "type":"object", "properties": {"a": {"type": ["string","null"]}} }')
    assert fit_json_schema(schema, "s").schema == schema


@pytest.mark.parametrize(
    ("schema", "kept", "losses"),
    [
        ({"const": "a"}, {"enum": ["a"]}, []),
        ({"$schema": "x", "type": "string"}, {"type": "string"}, []),
        ({"type": "integer", "exclusiveMinimum": 3}, {"type": "integer", "minimum": 4}, []),
        ({"type": "integer", "exclusiveMaximum": 3, "maximum": 9}, {"type": "integer", "maximum": 2}, []),
        ({"type": "number", "exclusiveMinimum": 3}, {"type": "number"}, ["s.exclusiveMinimum"]),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}, []),
        ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": "a"}, ["s.pattern"]),
        ({"oneOf": [{"type": "string"}]}, {"oneOf": [{"type": "string"}]}, ["s.oneOf"]),
        ({"not": {"type": "string"}}, {}, ["s.not"]),
        ({"allOf": [{"type": "string"}]}, {"type": "string"}, []),
        (
            {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]},
            {"properties": {"a": {}, "b": {}}, "required": ["a"]},
            [],
        ),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, {}, ["s.allOf"]),
        (
            {"type": ["string", "null"], "enum": ["a", None], "description": "d"},
            {"description": "d", "anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}]},
            [],
        ),
        ({"const": None}, {"type": "null"}, []),
        ({"type": "boolean", "enum": [True]}, {"type": "boolean"}, ["s.enum"]),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": False},
            [],
        ),
    ],
)
def test_json_schema(schema: Any, kept: Any, losses: list[str]) -> None:
    assert fitted(schema) == (kept, losses)


def test_references_stay_and_definitions_get_their_newer_name() -> None:
    schema = {"$ref": "#/definitions/A", "definitions": {"A": {"type": "object"}}}
    assert fitted(schema) == ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}}, [])


def test_a_reference_with_siblings_is_replaced_by_what_it_names() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/A", "description": "d"}},
        "$defs": {"A": {"type": "string"}},
    }
    kept, losses = fitted(schema)
    assert kept["properties"]["a"] == {"type": "string", "description": "d"} and losses == []


TREE = {
    "$defs": {"T": {"type": "object", "properties": {"next": {"$ref": "#/$defs/T", "description": "d"}}}},
    "$ref": "#/$defs/T",
}


def test_cyclic_references() -> None:
    kept, losses = fitted(TREE)
    assert kept["$defs"]["T"]["properties"]["next"] == {"$ref": "#/$defs/T"}
    assert losses == ["s.$defs.T.properties.next.description"]
    kept, losses = openapi(TREE)
    assert kept == {
        "type": "OBJECT",
        "properties": {"next": {"type": "object"}},
    }
    assert losses == ["s.properties.next.$ref"]


@pytest.mark.parametrize("reference", ["#/$defs/none", "http://e.com/x", "x", 1, "#/a/b/c"])
def test_references_that_lead_nowhere_are_refused(reference: Any) -> None:
    for fit in (fit_json_schema, fit_openapi):
        with pytest.raises(CallerFault) as caught:
            fit(raw({"properties": {"a": {"$ref": reference}}}), "tools[0].parameters")
        assert caught.value.code == "invalid_schema"
        assert str(caught.value.param).startswith("tools[0].parameters")


def test_references_that_multiply_are_bounded() -> None:
    """A few lines that would unfold to two to the power of forty schemas."""
    names = [f"a{i}" for i in range(41)]
    defs: dict[str, Any] = {
        name: {"properties": {k: {"$ref": f"#/$defs/{after}", "description": "x"} for k in "lr"}}
        for name, after in itertools.pairwise(names)
    }
    schema = {"$ref": "#/$defs/a0", "description": "x", "$defs": {**defs, "a40": {"type": "string"}}}
    for fit in (fit_json_schema, fit_openapi):
        with pytest.raises(CallerFault, match="too"):
            fit(raw(schema), "s")


def test_depth_and_size_are_bounded() -> None:
    deep: Any = {"type": "string"}
    for _ in range(200):
        deep = {"type": "array", "items": deep}
    wide = {"properties": {f"p{i}": {"type": "string"} for i in range(30_000)}}
    for schema in (deep, wide):
        for fit in (fit_json_schema, fit_openapi):
            with pytest.raises(CallerFault, match="too"):
                fit(raw(schema), "s")
    endless = msgspec.Raw(b'{"items":' * 5_000 + b"{}" + b"}" * 5_000)
    with pytest.raises(CallerFault):
        fit_json_schema(endless, "s")


@pytest.mark.parametrize(
    ("schema", "kept", "losses"),
    [
        ({"type": ["string", "null"]}, {"nullable": True, "type": "STRING"}, []),
        ({"const": "a"}, {"enum": ["a"], "type": "STRING"}, []),
        ({"enum": [1, 2]}, {}, ["s.enum"]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"nullable": True, "type": "STRING"}, []),
        (
            {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
            [],
        ),
        ({"type": "object", "additionalProperties": False}, {"type": "OBJECT"}, ["s.additionalProperties"]),
        ({"type": "string", "format": "uri"}, {"type": "STRING"}, ["s.format"]),
        ({"type": "string", "format": "date-time"}, {"type": "STRING", "format": "date-time"}, []),
        (
            {"type": "array", "items": {"type": "integer"}},
            {"type": "ARRAY", "items": {"type": "INTEGER"}},
            [],
        ),
        ({"type": "array", "prefixItems": []}, {"type": "ARRAY"}, ["s.prefixItems"]),
    ],
)
def test_openapi(schema: Any, kept: Any, losses: list[str]) -> None:
    assert openapi(schema) == (kept, losses)


def test_openapi_references_are_resolved() -> None:
    schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    assert openapi(schema) == ({"properties": {"a": {"type": "STRING"}}}, [])


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        ({"type": "STRING"}, {"type": "string"}),
        ({"type": 6}, {"type": "object"}),
        (
            {"type": "STRING", "nullable": True, "enum": ["a"]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"any_of": [{"type": "STRING"}], "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        ({"type": "ARRAY", "min_items": "2", "items": {}}, {"type": "array", "minItems": 2, "items": {}}),
        ({"type": "STRING", "example": "x"}, {"type": "string", "examples": ["x"]}),
    ],
)
def test_geminis_own_schema_as_json_schema(schema: Any, kept: Any) -> None:
    assert json.loads(bytes(to_json_schema(raw(schema), "s"))) == kept


def test_the_order_of_properties_is_kept() -> None:
    schema = {"properties": {"a": {}, "b": {}}, "property_ordering": ["b", "a"]}
    assert list(json.loads(bytes(to_json_schema(raw(schema), "s")))["properties"]) == ["b", "a"]


WORDS = [
    "type",
    "properties",
    "items",
    "anyOf",
    "oneOf",
    "allOf",
    "enum",
    "const",
    "$ref",
    "$defs",
    "required",
]
WORDS += [
    "nullable",
    "minimum",
    "exclusiveMinimum",
    "additionalProperties",
    "definitions",
    "prefixItems",
    "format",
]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["string", "object", "#", "#/$defs/type", "a"])
)
SCHEMAS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=25,
)


def param_of(function: Callable[[msgspec.Raw, str], object], schema: Any) -> str | None:
    """The param of the fault it raises; "" if it raises none."""
    try:
        function(raw(schema), "s")
    except CallerFault as fault:
        return fault.param
    return ""


@settings(max_examples=200, deadline=None)
@example(schema={"allOf": [{"properties": "a", "required": None}, {"properties": None}]})
@given(schema=st.dictionaries(st.sampled_from(WORDS), SCHEMAS, max_size=5))
def test_any_json_is_fitted_or_refused(schema: Any) -> None:
    for function in (fit_json_schema, fit_openapi, to_json_schema):
        assert param_of(function, schema) is not None
