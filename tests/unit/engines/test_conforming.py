from typing import Any

import pytest

from wicket.engines.host.conforming import Uncheckable, same, satisfies

SLOTS = {
    "type": "object",
    "properties": {
        "people": {"type": "integer", "minimum": 1, "exclusiveMaximum": 100},
        "name": {"type": ["string", "null"], "minLength": 1, "maxLength": 5},
        "tags": {"type": "array", "items": {"enum": ["a", "b", 1]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["people"],
    "additionalProperties": False,
}
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["next"],
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (SLOTS, {"people": 4}, True),
        (SLOTS, {"people": 4.0, "name": None, "tags": ["a", 1.0]}, True),
        (SLOTS, {}, False),
        (SLOTS, [], False),
        (SLOTS, {"people": "4"}, False),
        (SLOTS, {"people": True}, False),
        (SLOTS, {"people": 0}, False),
        (SLOTS, {"people": 100}, False),
        (SLOTS, {"people": 4.5}, False),
        (SLOTS, {"people": 4, "time": "7"}, False),
        (SLOTS, {"people": 4, "name": ""}, False),
        (SLOTS, {"people": 4, "name": "abcdef"}, False),
        (SLOTS, {"people": 4, "tags": []}, False),
        (SLOTS, {"people": 4, "tags": ["a", "b", "a"]}, False),
        (SLOTS, {"people": 4, "tags": ["c"]}, False),
        (SLOTS, {"people": 4, "tags": [True]}, False),
        (TREE, {"next": {"next": None}}, True),
        (TREE, {"next": {"next": 1}}, False),
        ({"additionalProperties": {"type": "number"}}, {"a": 1.5}, True),
        ({"additionalProperties": {"type": "number"}}, {"a": "x"}, False),
        ({"const": {"a": [1, None]}}, {"a": [1.0, None]}, True),
        ({"const": 1}, True, False),
        ({"allOf": [{"type": "number"}, {"maximum": 3}]}, 2, True),
        ({"allOf": [{"type": "number"}, {"maximum": 3}]}, 4, False),
        ({"oneOf": [{"type": "number"}, {"maximum": 3}]}, 4, True),
        ({"oneOf": [{"type": "number"}, {"maximum": 3}]}, 2, False),
        ({"exclusiveMinimum": 0, "maximum": 1}, 0, False),
        ({"minProperties": 1, "maxProperties": 1}, {"a": 1, "b": 2}, False),
        ({"minProperties": 1, "maxProperties": 1}, {"a": 1}, True),
        ({"title": "anything", "description": "at all"}, "x", True),
        (True, 1, True),
        (False, 1, False),
        ({"properties": {"a": False}}, {"a": 1}, False),
    ],
)
def test_what_satisfies(schema: Any, value: Any, expected: bool) -> None:
    assert satisfies(schema, value) is expected


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "string", "pattern": "^a$"}, "'pattern'"),
        ({"type": "string", "format": "date"}, "'format'"),
        ({"not": {}}, "'not'"),
        ({"type": "date"}, "a type 'date'"),
        ({"$ref": "#/nowhere"}, "leads nowhere"),
        ({"$ref": "other.json"}, "leads nowhere"),
        ({"anyOf": [{"$ref": "#"}]}, "malformed|costly"),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "malformed|costly"),
        ({"maximum": "3"}, "malformed"),
        ({"enum": 5}, "malformed"),
        ({"anyOf": {"type": "string"}}, "malformed"),
        ([], "malformed"),
    ],
)
def test_what_can_not_be_told_is_never_taken_as_satisfied(schema: Any, word: str) -> None:
    with pytest.raises(Uncheckable, match=word):
        satisfies(schema, 1)


def test_equality_is_that_of_json() -> None:
    assert same(1, 1.0) and same([{"a": None}], [{"a": None}]) and same("a", "a")
    assert not same(0, False) and not same([1], [1, 1]) and not same({"a": 1}, {"b": 1}) and not same(None, 0)
