"""JSON Schema into the subset of OpenAPI that Gemini's older models read (`parameters`, `responseSchema`).

Source: the reference of `Schema`: no references, one type each, enumerations of strings only.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.gemini import objects
from wicket.dialects.gemini.schemas import (
    MAX_DEPTH,
    MAX_LOSSES,
    MAX_NODES,
    RESTATED,
    SILENT,
    Fitted,
    References,
    Schema,
    invalid,
    parse,
    restate_bounds,
    without_all_of,
)

_KEPT = frozenset(
    {"title", "description", "required", "minItems", "maxItems", "minLength", "maxLength", "pattern"}
    | {"minimum", "maximum", "minProperties", "maxProperties", "propertyOrdering", "default", "nullable"}
)
_FORMATS = frozenset({"float", "double", "int32", "int64", "enum", "date-time"})


def fit_openapi(raw: msgspec.Raw, path: str) -> Fitted:
    """For models that read OpenAPI's subset. Raises `CallerFault` for what is no schema, or is too large."""
    root = parse(raw, path)
    fitting = _Fitting(root)
    return Fitted(objects.packed(fitting.node(root, path, ())), fitting.losses)


class _Fitting:
    """One walk over one schema; every reference is replaced by what it names."""

    def __init__(self, root: Schema) -> None:
        self.losses: list[str] = []
        self._references = References(root)
        self._num_nodes = 0
        self._depth = 0

    def lose(self, path: str) -> None:
        if len(self.losses) < MAX_LOSSES:
            self.losses.append(path)

    def node(self, schema: Any, path: str, inside: tuple[str, ...]) -> Schema:
        """`inside`: the references that led here; one that comes again is cut off and named."""
        self._num_nodes += 1
        if self._num_nodes > MAX_NODES or len(path) > 10_000:
            raise invalid(path[:200], "it is too large")
        if not isinstance(schema, dict):
            if schema is not True:
                self.lose(path)
            return {}
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise invalid(path[:200], "it is nested too deeply")
        while "$ref" in schema:
            reference = schema["$ref"]
            target = self._references.target(reference, path)
            if reference in inside:
                self.lose(f"{path}.$ref")
                self._depth -= 1
                return {"type": "object"}
            inside = (*inside, reference)
            siblings = {name: value for name, value in schema.items() if name[:1] != "$"}
            schema = {**target, **siblings}
        fitted: Schema = {}
        schema = without_all_of(schema)
        for name, value in schema.items():
            self._keyword(name, value, path, inside, fitted)
        restate_bounds(schema, fitted, path, self.lose)
        self._depth -= 1
        return fitted

    def _keyword(self, name: str, value: Any, path: str, inside: tuple[str, ...], fitted: Schema) -> None:
        where = f"{path}.{name}"
        if name == "properties" and isinstance(value, dict):
            inner = {key: self.node(one, f"{where}.{key}", inside) for key, one in value.items()}
            if inner:
                fitted[name] = inner
        elif name == "items":
            fitted[name] = self.node(value, where, inside)
        elif name in ("anyOf", "oneOf") and isinstance(value, list):
            self._any_of(name, value, path, inside, fitted)
        elif name == "type":
            self._type(value, where, fitted)
        elif name in ("enum", "const"):
            self._enum(value if name == "enum" else [value], where, fitted)
        elif name == "format":
            if isinstance(value, str) and value in _FORMATS:
                fitted[name] = value
            else:
                self.lose(where)
        elif name in _KEPT:
            fitted[name] = value
        elif name not in SILENT and name not in RESTATED and name not in ("$defs", "definitions"):
            self.lose(where)

    def _any_of(
        self, name: str, value: list[Any], path: str, inside: tuple[str, ...], fitted: Schema
    ) -> None:
        where = f"{path}.{name}"
        if name == "oneOf":
            self.lose(where)
        options = [one for one in value if one != {"type": "null"}]
        if len(options) < len(value):
            fitted["nullable"] = True
        inner = [self.node(one, f"{where}[{i}]", inside) for i, one in enumerate(options)]
        if len(inner) == 1 and not set(inner[0]) & (set(fitted) - {"nullable"}):
            fitted.update({**inner[0], **fitted})
        else:
            fitted["anyOf"] = inner

    def _type(self, value: Any, where: str, fitted: Schema) -> None:
        kinds = value if isinstance(value, list) else [value]
        if "null" in kinds:
            fitted["nullable"] = True
        kinds = [kind.upper() for kind in kinds if isinstance(kind, str) and kind != "null"]
        if len(kinds) == 1:
            fitted["type"] = kinds[0]
        elif kinds:
            fitted["anyOf"] = [{"type": kind} for kind in kinds]
        else:
            fitted["type"] = "NULL"

    def _enum(self, values: Any, where: str, fitted: Schema) -> None:
        if not isinstance(values, list):
            raise invalid(where, "an enumeration is an array")
        if None in values:
            fitted["nullable"] = True
        plain = [value for value in values if value is not None]
        if plain and all(isinstance(value, str) for value in plain):
            fitted["enum"] = plain
            fitted.setdefault("type", "STRING")
        elif plain:
            self.lose(where)
