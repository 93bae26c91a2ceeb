"""Whether a JSON value satisfies a caller's JSON schema, for answers that were not held to it. Pure.

Keywords and their meaning follow JSON Schema 2020-12 (core and validation). What is not known here, a
`format` or a `pattern` among it, is never taken as satisfied: `Uncheckable` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wicket.engines.host import schema as schemas

MAX_STEPS = 20_000  # parts of a schema looked at; references and choices could multiply without end
_SILENT = frozenset(
    {"$schema", "$comment", "$defs", "definitions", "title", "description", "default", "examples"}
    | {"deprecated", "readOnly", "writeOnly"}
)


class Uncheckable(Exception):
    """Whether the value satisfies the schema can't be told here; the message says why."""


def satisfies(schema: Any, value: Any) -> bool:
    """Whether it does. Raises `Uncheckable`."""
    try:
        return _Check(schema).fits(schema, value)
    except (TypeError, AttributeError, RecursionError):
        raise Uncheckable("the schema is malformed") from None


class _Check:
    """One value against one document, whose root references start from."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._steps = 0

    def fits(self, schema: Any, value: Any) -> bool:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise Uncheckable("the schema is too costly")
        if isinstance(schema, bool):
            return schema
        fits = True
        for keyword, argument in schema.items():
            if keyword in _SILENT:
                continue
            rule = _RULES.get(keyword)
            if rule is None:
                raise Uncheckable(f"the schema uses {keyword[:40]!r}")
            fits = rule(self, argument, value, schema) and fits
        return fits

    def reference(self, target: str, value: Any) -> bool:
        found = schemas.resolve(target, self._root) if target.startswith("#") else None
        if found is None:
            raise Uncheckable("a reference of the schema leads nowhere")
        return self.fits(found, value)

    def properties(self, argument: dict[str, Any], value: Any) -> bool:
        if not isinstance(value, dict):
            return True
        return all(self.fits(argument[name], value[name]) for name in argument if name in value)

    def others(self, argument: Any, value: Any, known: Any) -> bool:
        if not isinstance(value, dict):
            return True
        return all(self.fits(argument, item) for name, item in value.items() if name not in known)

    def items(self, argument: Any, value: Any) -> bool:
        return not isinstance(value, list) or all(self.fits(argument, item) for item in value)

    def number_that_fit(self, choices: list[Any], value: Any) -> int:
        return sum([self.fits(choice, value) for choice in choices])


def _is(kind: str, value: Any) -> bool:
    if kind in ("integer", "number"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (kind == "number" or float(value).is_integer())
    kinds: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}
    if kind not in kinds and kind != "null":
        raise Uncheckable(f"the schema has a type {kind[:40]!r}")
    return value is None if kind == "null" else isinstance(value, kinds[kind])


def same(one: Any, other: Any) -> bool:
    """JSON's equality: 1 and 1.0 are the same, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[name]) for name, item in one.items())
    return bool(one == other)


def _types(argument: str | list[str]) -> list[str]:
    return [argument] if isinstance(argument, str) else argument


def _compared(holds: Callable[[Any, Any], bool], kind: type | tuple[type, ...], size: Any) -> _Rule:
    """A rule that compares a size of values of one kind with a number."""

    def rule(check: _Check, argument: Any, value: Any, schema: Any) -> bool:
        if not isinstance(argument, int | float) or isinstance(argument, bool):
            raise Uncheckable("the schema is malformed")
        return not isinstance(value, kind) or isinstance(value, bool) or holds(size(value), argument)

    return rule


def _at_least(have: Any, wanted: Any) -> bool:
    return bool(have >= wanted)


def _at_most(have: Any, wanted: Any) -> bool:
    return bool(have <= wanted)


_Rule = Callable[[_Check, Any, Any, Any], bool]
_NUMBER = (int, float)
_RULES: dict[str, _Rule] = {
    "type": lambda check, argument, value, schema: any(_is(kind, value) for kind in _types(argument)),
    "enum": lambda check, argument, value, schema: any(same(choice, value) for choice in argument),
    "const": lambda check, argument, value, schema: same(argument, value),
    "properties": lambda check, argument, value, schema: check.properties(argument, value),
    "required": lambda check, argument, value, schema: (
        not isinstance(value, dict) or all(name in value for name in argument)
    ),
    "additionalProperties": lambda check, argument, value, schema: check.others(
        argument, value, schema.get("properties", ())
    ),
    "items": lambda check, argument, value, schema: check.items(argument, value),
    "anyOf": lambda check, argument, value, schema: check.number_that_fit(argument, value) >= 1,
    "oneOf": lambda check, argument, value, schema: check.number_that_fit(argument, value) == 1,
    "allOf": lambda check, argument, value, schema: check.number_that_fit(argument, value) == len(argument),
    "$ref": lambda check, argument, value, schema: check.reference(argument, value),
    "minimum": _compared(_at_least, _NUMBER, lambda value: value),
    "maximum": _compared(_at_most, _NUMBER, lambda value: value),
    "exclusiveMinimum": _compared(lambda have, wanted: have > wanted, _NUMBER, lambda value: value),
    "exclusiveMaximum": _compared(lambda have, wanted: have < wanted, _NUMBER, lambda value: value),
    "minLength": _compared(_at_least, str, len),
    "maxLength": _compared(_at_most, str, len),
    "minItems": _compared(_at_least, list, len),
    "maxItems": _compared(_at_most, list, len),
    "minProperties": _compared(_at_least, dict, len),
    "maxProperties": _compared(_at_most, dict, len),
}
