"""Which JSON schemas can be judged here; checked when cases are read, before anything is asked.

A schema with a keyword that would narrow the form and is not known here is refused: an answer that was never
held against it must not count as right. `format` is a remark in the standard, and so here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wicket.errors import CallerFault
from wicket.suites.json_schema import LIMITS, MAX_DEPTH, TYPES, read_pattern, referred

_REMARKS = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "$schema",
        "$id",
        "$comment",
        "format",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$defs",
        "definitions",
        "contentMediaType",
        "contentEncoding",
        "$anchor",
    ]
)
_WITH_SCHEMA = ("items", "additionalProperties", "not")
_WITH_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
_WITH_NAMED = ("properties", "$defs", "definitions")
_STRUCTURE = frozenset(
    {"type", "enum", "const", "required", "$ref", *_WITH_SCHEMA, *_WITH_SCHEMAS, "properties"}
)


def require_schema(schema: Any) -> None:
    """Raises `CallerFault` for a schema that can't be judged."""
    _require_known(schema, 0)
    _require_references(schema, schema, 0)


def _require_known(schema: Any, depth: int) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise CallerFault("bad_schema", "A JSON schema must be an object.")
    if depth > MAX_DEPTH:
        raise CallerFault("bad_schema", f"The JSON schema is nested deeper than {MAX_DEPTH}.")
    for name, value in schema.items():
        if name in LIMITS:
            _require_limit(name, value)
        elif name not in _STRUCTURE and name not in _REMARKS:
            raise CallerFault("bad_schema", f"The JSON schema has {name!r}, which can't be checked here.")
    for name in _WITH_SCHEMA:
        if name in schema:
            _require_known(schema[name], depth + 1)
    for name in _WITH_SCHEMAS:
        for part in _listed(schema, name):
            _require_known(part, depth + 1)
    for name in _WITH_NAMED:
        named = schema.get(name, {})
        if not isinstance(named, dict):
            raise CallerFault("bad_schema", f"The JSON schema's {name!r} must be an object.")
        for part in named.values():
            _require_known(part, depth + 1)
    _require_structure(schema)


def _require_references(schema: Any, root: Any, depth: int) -> None:
    parts = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
        try:
            if not reference.startswith("#"):
                raise KeyError
            referred(root, reference)
        except (KeyError, IndexError, ValueError, TypeError):
            message = f"The JSON schema's reference {reference[:80]!r} leads nowhere in it."
            raise CallerFault("bad_schema", message) from None
    if depth <= 2 * MAX_DEPTH:
        for part in parts:
            _require_references(part, root, depth + 1)


def _listed(schema: Mapping[str, Any], name: str) -> list[Any]:
    parts = schema.get(name, [])
    if not isinstance(parts, list):
        raise CallerFault("bad_schema", f"The JSON schema's {name!r} must be an array.")
    return parts


def _require_structure(schema: Mapping[str, Any]) -> None:
    types = schema.get("type", [])
    names = [types] if isinstance(types, str) else types
    if not isinstance(names, list) or not all(isinstance(name, str) and name in TYPES for name in names):
        raise CallerFault("bad_schema", "The JSON schema's 'type' names no type of JSON.")
    _listed(schema, "enum")
    if not all(isinstance(name, str) for name in _listed(schema, "required")):
        raise CallerFault("bad_schema", "The JSON schema's 'required' must list names.")
    if not isinstance(schema.get("$ref", ""), str):
        raise CallerFault("bad_schema", "The JSON schema's '$ref' must be a string.")


def _require_limit(name: str, value: Any) -> None:
    if name == "pattern":
        if not isinstance(value, str):
            raise CallerFault("bad_schema", "The JSON schema's 'pattern' must be a string.")
        read_pattern(value)
    elif name == "uniqueItems":
        if not isinstance(value, bool):
            raise CallerFault("bad_schema", "The JSON schema's 'uniqueItems' must be true or false.")
    elif not TYPES["number"](value) or (name == "multipleOf" and value <= 0):
        raise CallerFault("bad_schema", f"The JSON schema's {name!r} must be a number.")
