"""JSON schemas as structured outputs and strict tools want them.

Source: Claude's "structured outputs" guide: every object says `additionalProperties: false`; bounds of
numbers, lengths and counts, `oneOf`, `not` and patterned properties are answered with a 400.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wicket.dialects.hub import unsayable

MAX_DEPTH = 64
_OF_SCHEMAS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_UNKNOWN = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
        "maxItems", "uniqueItems", "contains", "patternProperties", "minProperties", "maxProperties",
        "propertyNames", "oneOf", "not", "if", "dependentSchemas", "dependentRequired",
    }
)  # fmt: skip


def closed(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """The schema with its objects closed where they did not say; whatever fits it fits the original too.

    Raises `CallerFault` naming `path` for a schema that is nested too deeply to be looked through.
    """
    if _is_deep(schema):
        raise unsayable(path, f"the schema is nested deeper than {MAX_DEPTH} levels")
    return _with_closed(schema)


def _is_deep(schema: dict[str, Any]) -> bool:
    level = [schema]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inner(each)]
        if not level:
            return False
    return True


def _with_closed(schema: dict[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _OF_SCHEMAS and isinstance(value, dict):
            done[name] = {key: _closed(each) for key, each in value.items()}
        elif name in _LISTS and isinstance(value, list):
            done[name] = [_closed(each) for each in value]
        elif name == "items":
            done[name] = _closed(value)
        else:
            done[name] = value
    if done.get("type") == "object" or "properties" in done:
        done.setdefault("additionalProperties", False)
    return done


def _closed(value: Any) -> Any:
    return _with_closed(value) if isinstance(value, dict) else value


def is_expressible(schema: dict[str, Any]) -> bool:
    """Whether structured outputs know everything that the schema says."""
    return not _is_deep(schema) and _is_known(schema)


def _is_known(schema: dict[str, Any]) -> bool:
    if _UNKNOWN & schema.keys() or schema.get("additionalProperties", False) is not False:
        return False
    if schema.get("type") == "object" and not schema.get("properties"):
        return False  # an object of any form: closed, it could only be empty
    if schema.get("minItems", 0) not in (0, 1):
        return False
    return all(_is_known(each) for each in _inner(schema))


def _inner(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in schema.items():
        if name in _OF_SCHEMAS and isinstance(value, dict):
            found: Any = value.values()
        elif name in _LISTS and isinstance(value, list):
            found = value
        else:
            found = [value] if name == "items" else ()
        for each in found:
            if isinstance(each, dict):
                yield each
