from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.server.house import record
from wicket.errors import CallerFault
from wicket.server import app_console
from wicket.server.admin_query import BackupTarget, NewKey, parse_body
from wicket.server.admin_shapes import record_json
from wicket.server.app import MODULES
from wicket.server.app_paths import all_paths, inference_paths
from wicket.server.example_query import NewFeedback
from wicket.server.openapi import document
from wicket.state.batches import NewBatch

METHODS = {"get", "post", "put", "patch", "delete"}
TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
KEYWORDS = {
    "type",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "anyOf",
    "allOf",
    "oneOf",
    "const",
    "enum",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "description",
    "example",
    "$ref",
}
DOCUMENT = document()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def served() -> set[tuple[str, str]]:
    modules = [module for module in MODULES if module is not app_console]
    routes = [route for module in modules for route in module.ROUTES]
    pairs = {
        (path.replace(":path", ""), method.lower()) for path, _, handlers in routes for method in handlers
    }
    return pairs | {(path, "post") for path in inference_paths()}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(path, method) for path, method, _ in operations()}
    assert described == served()
    assert {path for path, _ in described} == set(all_paths())


def test_the_skeleton_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    assert all(set(item) <= METHODS for item in DOCUMENT["paths"].values())


def test_every_operation_has_its_own_id_and_says_what_it_answers() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    for path, method, operation in operations():
        assert operation["summary"], path
        responses = operation["responses"]
        assert any(status[0] in "23" for status in responses), (path, method)
        for status, response in responses.items():
            assert re.fullmatch("[1-5][0-9][0-9]", status)
            assert response["description"]
            for content in response["content"].values():
                assert content["schema"]
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_path_parameters_are_declared() -> None:
    for path, _, operation in operations():
        named = set(re.findall(r"{(\w+)}", path))
        declared = [p for p in operation.get("parameters", []) if p["in"] == "path"]
        assert {p["name"] for p in declared} == named
        assert all(p["required"] for p in declared)


def test_every_reference_leads_somewhere_and_no_schema_is_idle() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    used = {reference.removeprefix("#/components/schemas/") for reference in references(DOCUMENT)}
    assert used == set(schemas)


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema, itself first."""
    yield schema
    for inner in schema.get("properties", {}).values():
        yield from parts(inner)
    for inner in [*schema.get("anyOf", []), *schema.get("allOf", [])]:
        yield from parts(inner)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from parts(schema[name])


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_uses_known_words_and_requires_what_it_describes(name: str) -> None:
    for schema in parts(DOCUMENT["components"]["schemas"][name]):
        assert schema.keys() <= KEYWORDS
        kinds = schema.get("type", [])
        assert set([kinds] if isinstance(kinds, str) else kinds) <= TYPES
        assert set(schema.get("required", [])) <= schema.get("properties", {}).keys()
        if "pattern" in schema:
            re.compile(schema["pattern"])


def test_a_record_has_the_fields_that_are_described() -> None:
    described = DOCUMENT["components"]["schemas"]["Request"]["properties"]
    assert record_json(record()).keys() == described.keys()
    attempt = DOCUMENT["components"]["schemas"]["Attempt"]["properties"]
    assert record_json(record())["attempts"][0].keys() == attempt.keys()


def test_the_bodies_that_are_read_have_the_fields_that_are_described() -> None:
    for kind in (NewKey, BackupTarget, NewFeedback, NewBatch):
        schema = DOCUMENT["components"]["schemas"][kind.__name__]
        assert tuple(schema["properties"]) == kind.__struct_fields__
        with pytest.raises(CallerFault):
            parse_body(b"{}", kind)


def test_keys_are_sent_as_bearers() -> None:
    assert DOCUMENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert DOCUMENT["security"] == [{"key": []}]
