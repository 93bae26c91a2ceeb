"""Whether a value has the form that a JSON schema asks for (2020-12), as far as `schema_reading` goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from wicket.suites.pattern import Pattern, compiled
from wicket.wire import json

MAX_DEPTH = 64
MAX_STEPS = 100_000  # parts of a schema held against parts of a value; references can multiply them


def _is_multiple(value: float, step: float) -> bool:
    quotient = value / step
    return abs(quotient - round(quotient)) < 1e-9 if abs(quotient) < 1e15 else value % step == 0


def _plain(value: Any) -> Any:
    """Whole floats as integers, so that equal values are spelled alike."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value


def _are_unique(values: list[Any]) -> bool:
    spelled = [json.encode_sorted(_plain(value)) for value in values]
    return len(set(spelled)) == len(spelled)


@lru_cache(maxsize=256)
def read_pattern(text: str) -> Pattern:
    """A schema's pattern; raises `CallerFault` for one that is not taken."""
    return compiled(text)


def _matches(value: str, pattern: str) -> bool:
    return read_pattern(pattern).found_in(value)


TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    ),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("number", lambda value, limit: value >= limit),
    "maximum": ("number", lambda value, limit: value <= limit),
    "exclusiveMinimum": ("number", lambda value, limit: value > limit),
    "exclusiveMaximum": ("number", lambda value, limit: value < limit),
    "multipleOf": ("number", _is_multiple),
    "minLength": ("string", lambda value, limit: len(value) >= limit),
    "maxLength": ("string", lambda value, limit: len(value) <= limit),
    "pattern": ("string", _matches),
    "minItems": ("array", lambda value, limit: len(value) >= limit),
    "maxItems": ("array", lambda value, limit: len(value) <= limit),
    "uniqueItems": ("array", lambda value, limit: not limit or _are_unique(value)),
    "minProperties": ("object", lambda value, limit: len(value) >= limit),
    "maxProperties": ("object", lambda value, limit: len(value) <= limit),
}


def mistake(schema: Any, value: Any) -> str:
    """What is wrong with a value, with its place; "" if nothing. The schema has passed `schema_reading`."""
    try:
        return _mistake(schema, value, _Work(schema), "answer", 0)
    except _TooMuch:
        return "the answer takes too many steps to be checked"


class _TooMuch(Exception):
    """The bound on steps or depth was met: nothing can be said of the value, not even under `not`."""


class _Work:
    def __init__(self, root: Any) -> None:
        self.root = root
        self.steps = 0


def same(one: Any, other: Any) -> bool:
    """Equal as JSON values: 1 and 1.0 are, 1 and true are not, the order of an object's keys is nothing."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def _mistake(schema: Any, value: Any, work: _Work, where: str, depth: int) -> str:
    if isinstance(schema, bool):
        return "" if schema else f"{where} may not be there"
    work.steps += 1
    if depth > MAX_DEPTH or work.steps > MAX_STEPS:
        raise _TooMuch
    if "$ref" in schema:
        found = _mistake(referred(work.root, schema["$ref"]), value, work, where, depth + 1)
        if found:
            return found
    return (
        _form(schema, value, where)
        or _choices(schema, value, work, where, depth)
        or _members(schema, value, work, where, depth)
    )


def _form(schema: Mapping[str, Any], value: Any, where: str) -> str:
    if "type" in schema:
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if not any(TYPES[name](value) for name in types):
            return f"{where} is not of type {' or '.join(types)}"
    if "const" in schema and not same(value, schema["const"]):
        return f"{where} is not the one value it must be"
    if "enum" in schema and not any(same(value, choice) for choice in schema["enum"]):
        return f"{where} is none of the values it may be"
    for name, (kind, holds) in LIMITS.items():
        if name in schema and TYPES[kind](value) and not holds(value, schema[name]):
            return f"{where} breaks {name}"
    return ""


def _choices(schema: Mapping[str, Any], value: Any, work: _Work, where: str, depth: int) -> str:
    def fits(part: Any) -> bool:
        return not _mistake(part, value, work, where, depth + 1)

    for part in schema.get("allOf", ()):
        found = _mistake(part, value, work, where, depth + 1)
        if found:
            return found
    if "anyOf" in schema and not any(map(fits, schema["anyOf"])):
        return f"{where} fits none of anyOf"
    if "oneOf" in schema and sum(map(fits, schema["oneOf"])) != 1:
        return f"{where} does not fit exactly one of oneOf"
    return f"{where} fits what it must not" if "not" in schema and fits(schema["not"]) else ""


def _members(schema: Mapping[str, Any], value: Any, work: _Work, where: str, depth: int) -> str:
    inner: list[tuple[Any, Any, str]] = []
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                return f"{where} lacks {name!r}"
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        inner = [(known.get(name, others), member, f"{where}.{name}") for name, member in value.items()]
    elif isinstance(value, list):
        first = schema.get("prefixItems", [])
        rest = schema.get("items", True)
        inner = [
            (first[place] if place < len(first) else rest, member, f"{where}[{place}]")
            for place, member in enumerate(value)
        ]
    for part, member, place in inner:
        found = _mistake(part, member, work, place, depth + 1)
        if found:
            return found
    return ""


def referred(root: Any, reference: str) -> Any:
    """What a reference into the same document names; it is known to exist."""
    found = root
    for step in reference.removeprefix("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        found = found[int(step)] if isinstance(found, list) else found[step]
    return found
