"""JSON Schema into what Gemini takes, and Gemini's OpenAPI subset into JSON Schema.

Newer models read JSON Schema itself, but keep only a part of it; older ones read the subset of OpenAPI 3.0
(`openapi_schemas`). What a model will not keep is never lost silently: each keyword left out, or sent though
nobody promises to keep it, is named in the result.

Source: the reference of `responseJsonSchema` (the supported keywords; `oneOf` read as `anyOf`; no siblings of
`$ref`; recursion only in optional properties), read 2026-11-27.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from wicket.dialects.gemini import objects
from wicket.errors import CallerFault
from wicket.wire import json

SUPPORTED = frozenset(
    {"$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items"}
    | {"prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "properties"}
    | {"additionalProperties", "required", "propertyOrdering", "default"}
)
CARRIED = frozenset({"pattern", "minLength", "maxLength", "uniqueItems", "oneOf"})
"""Recorded as accepted, but not promised: they are sent, and named as not sure to be kept."""

SILENT = frozenset({"$schema", "$comment", "$vocabulary"})  # they constrain and describe nothing
MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_LOSSES = 50

Schema = dict[str, Any]


class Fitted(msgspec.Struct, frozen=True):
    """A schema as a model takes it, and the paths of what it does not keep."""

    schema: msgspec.Raw
    losses: list[str]


def fit_json_schema(raw: msgspec.Raw, path: str) -> Fitted:
    """For models that read JSON Schema. Raises `CallerFault` for what is no schema, or is too large."""
    root = parse(raw, path)
    fitting = _Fitting(root)
    fitted = fitting.node(root, path, 0)
    if isinstance(fitted, dict) and "definitions" in fitted:
        fitted = {("$defs" if name == "definitions" else name): value for name, value in fitted.items()}
    if fitted == root:
        return Fitted(msgspec.Raw(bytes(raw)), fitting.losses)
    return Fitted(objects.packed(fitted), fitting.losses)


def parse(raw: msgspec.Raw, path: str) -> Schema:
    """The schema as an object. Raises `CallerFault` naming `path`."""
    try:
        value = json.decode(raw)
    except (json.DecodeError, RecursionError):
        raise invalid(path, "it is nested too deeply") from None
    if not isinstance(value, dict):
        raise CallerFault("invalid_type", f"'{path}' must be an object.", param=path)
    return value


def invalid(path: str, why: str) -> CallerFault:
    """A schema that nothing can be made of."""
    return CallerFault("invalid_schema", f"'{path}' is not a usable JSON schema: {why}.", param=path)


class References:
    """Where `$ref`s lead inside one schema, and which of them lead to themselves."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._cyclic: dict[str, bool] = {}

    def target(self, reference: Any, path: str) -> Schema:
        """The schema that a reference names. Raises `CallerFault`."""
        if reference == "#":
            return self._root
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise invalid(path, "a '$ref' must point into the schema itself")
        found: Any = self._root
        for step in reference[2:].split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            found = _child(found, step)
        if not isinstance(found, dict):
            raise invalid(path, "a '$ref' leads nowhere")
        return found

    def is_cyclic(self, reference: str, path: str) -> bool:
        """Whether what a reference names comes back to it."""
        if reference not in self._cyclic:
            self._cyclic[reference] = self._reaches(reference, path)
        return self._cyclic[reference]

    def _reaches(self, goal: str, path: str) -> bool:
        seen: set[str] = set()
        waiting = list(references_in(self.target(goal, path), path))
        while waiting:
            reference = waiting.pop()
            if reference == goal:
                return True
            if reference not in seen:
                seen.add(reference)
                waiting += references_in(self.target(reference, path), path)
        return False


def _child(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdigit() and len(step) < 6 and int(step) < len(value):
        return value[int(step)]
    return None


def references_in(schema: Any, path: str) -> Iterator[str]:
    """Every `$ref` inside, wherever it stands."""
    waiting = [schema]
    num_seen = 0
    while waiting:
        value = waiting.pop()
        num_seen += 1
        if num_seen > MAX_NODES:
            raise invalid(path, "it is too large")
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str):
                yield reference
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


class _Fitting:
    """One walk over one schema."""

    def __init__(self, root: Schema) -> None:
        self.losses: list[str] = []
        self._references = References(root)
        self._num_nodes = 0

    def lose(self, path: str) -> None:
        if len(self.losses) < MAX_LOSSES:
            self.losses.append(path)

    def node(self, schema: Any, path: str, depth: int) -> Any:
        """One subschema; booleans stand for "anything" and "nothing" and pass."""
        self._num_nodes += 1
        if self._num_nodes > MAX_NODES:
            raise invalid(path, "it is too large")
        if depth > MAX_DEPTH:
            raise invalid(path, "it is nested too deeply")
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return self._reference(schema, path, depth)
        schema = without_all_of(schema)
        fitted: Schema = {}
        for name, value in schema.items():
            self._keyword(name, value, path, depth, fitted)
        restate_bounds(schema, fitted, path, self.lose)
        return _split_enum(_nullable(schema, fitted), path, self.lose)

    def _keyword(self, name: str, value: Any, path: str, depth: int, fitted: Schema) -> None:
        where = f"{path}.{name}"
        if name in ("properties", "$defs", "definitions") and isinstance(value, dict):
            fitted[name] = {
                key: self.node(inner, f"{where}.{key}", depth + 1) for key, inner in value.items()
            }
        elif name in ("anyOf", "oneOf", "prefixItems") and isinstance(value, list):
            fitted[name] = [self.node(inner, f"{where}[{i}]", depth + 1) for i, inner in enumerate(value)]
        elif name in ("items", "additionalProperties"):
            fitted[name] = self.node(value, where, depth + 1)
        elif name == "const":
            fitted["enum"] = [value]
        elif name in SUPPORTED or name in CARRIED:
            fitted[name] = value
        elif name not in SILENT and name not in RESTATED:
            self.lose(where)
        if name in CARRIED and not (name == "uniqueItems" and value is False):
            self.lose(where)

    def _reference(self, schema: Schema, path: str, depth: int) -> Any:
        """Alone it stays a reference into `$defs`; with siblings or leading elsewhere, it is replaced."""
        reference = schema["$ref"]
        target = self._references.target(reference, path)
        defined: Schema = {}
        for name in ("$defs", "definitions"):
            if name in schema:
                self._keyword(name, schema[name], path, depth, defined)
        siblings = {name: value for name, value in schema.items() if name[:1] != "$" and name not in defined}
        is_cyclic = self._references.is_cyclic(reference, path)
        if reference == "#" or _is_defined(reference):
            kept = {"$ref": reference.replace("#/definitions/", "#/$defs/"), **defined}
            if not siblings:
                return kept
            if is_cyclic:
                return {**kept, **self._beside(siblings, path)}
        elif is_cyclic:
            raise invalid(path, "it refers to itself in a way that Gemini has no word for")
        inner = {name: value for name, value in target.items() if name not in ("$defs", "definitions")}
        return {**self.node({**inner, **siblings}, path, depth + 1), **defined}

    def _beside(self, siblings: Schema, path: str) -> Schema:
        """What may stand beside a reference that can't be replaced: a title, as recordings show."""
        for name in siblings:
            if name != "title":
                self.lose(f"{path}.{name}")
        return {"title": siblings["title"]} if "title" in siblings else {}


def _is_defined(reference: str) -> bool:
    return reference.startswith(("#/$defs/", "#/definitions/")) and reference.count("/") == 2


RESTATED = frozenset({"nullable", "exclusiveMinimum", "exclusiveMaximum"})


def restate_bounds(schema: Schema, fitted: Schema, path: str, lose: Any) -> None:
    """`x > 3` is `x >= 4` for whole numbers; for others there is no word."""
    is_whole = schema.get("type") == "integer"
    for name, plain, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
        bound = schema.get(name)
        if bound is None:
            continue
        if is_whole and isinstance(bound, int) and not isinstance(bound, bool):
            limit = bound + step
            known = fitted.get(plain)
            if not isinstance(known, int | float) or (limit - known) * step > 0:
                fitted[plain] = limit
        else:
            lose(f"{path}.{name}")


def without_all_of(schema: Schema) -> Schema:
    """`allOf` folded into the schema where no keyword stands twice; as it was where one does."""
    inner = schema.get("allOf")
    if not isinstance(inner, list) or not all(isinstance(one, dict) for one in inner):
        return schema
    merged = {name: value for name, value in schema.items() if name != "allOf"}
    for one in inner:
        if "$ref" in one and len(inner) + len(merged) > 1 + len(_annotations(merged)):
            return schema
        for name, value in one.items():
            known = merged.get(name, {} if name == "properties" else [])
            are_objects = isinstance(value, dict) and isinstance(known, dict)
            are_lists = isinstance(value, list) and isinstance(known, list)
            if name == "properties" and are_objects and not set(value) & set(known):
                merged[name] = {**known, **value}
            elif name == "required" and are_lists:
                merged[name] = [*known, *(key for key in value if key not in known)]
            elif name not in merged or merged[name] == value:
                merged[name] = value
            else:
                return schema
    return merged


def _annotations(schema: Schema) -> list[str]:
    return [name for name in schema if name in ("title", "description", "default")]


def _nullable(schema: Schema, fitted: Schema) -> Schema:
    """OpenAPI's `nullable` as JSON Schema says it."""
    kind = schema.get("type")
    if schema.get("nullable") is True and isinstance(kind, str) and kind != "null":
        fitted["type"] = [kind, "null"]
    return fitted


def _split_enum(fitted: Schema, path: str, lose: Any) -> Schema:
    """Enumerations are of strings and numbers: null becomes a type of its own, anything else is left out."""
    values = fitted.get("enum")
    if not isinstance(values, list):
        return fitted
    plain = [
        value for value in values if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    if len(plain) == len(values):
        return fitted
    rest = {name: value for name, value in fitted.items() if name != "enum"}
    if len(plain) == len([value for value in values if value is not None]):
        if not plain:
            return {**rest, "type": "null"}
        types = rest.pop("type", None)
        if isinstance(types, list):
            types = [kind for kind in types if kind != "null"]
            types = types[0] if len(types) == 1 else types
        outer = {name: rest.pop(name) for name in _annotations(rest)}
        named = {"type": types, **rest} if types else rest
        return {**outer, "anyOf": [{**named, "enum": plain}, {"type": "null"}]}
    if set(map(repr, values)) != {"True", "False"}:  # both booleans say no more than the type does
        lose(f"{path}.enum")
    return {"type": "boolean", **rest} if all(isinstance(value, bool) for value in values) else rest


_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def to_json_schema(raw: msgspec.Raw, path: str) -> msgspec.Raw:
    """Gemini's `Schema` (types in capitals, `nullable`, either spelling) as JSON Schema."""
    return objects.packed(_opened(parse(raw, path), path, 0))


def _opened(schema: Any, path: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise invalid(path, "it is nested too deeply")
    if not isinstance(schema, dict):
        return schema
    opened: Schema = {}
    ordering = None
    is_nullable = False
    for spelled, value in schema.items():
        name = objects.camel(spelled)
        where = f"{path}.{spelled}"
        if name in ("properties", "defs", "$defs") and isinstance(value, dict):
            inner = {key: _opened(one, f"{where}.{key}", depth + 1) for key, one in value.items()}
            opened["properties" if name == "properties" else "$defs"] = inner
        elif name in ("anyOf", "prefixItems") and isinstance(value, list):
            opened[name] = [_opened(one, where, depth + 1) for one in value]
        elif name in ("items", "additionalProperties"):
            opened[name] = _opened(value, where, depth + 1)
        elif name == "type":
            if value != "TYPE_UNSPECIFIED":
                opened["type"] = _type_name(value, where)
        elif name == "propertyOrdering":
            ordering = value
        elif name == "nullable":
            is_nullable = value is True
        elif name in _COUNTS and isinstance(value, str):  # 64-bit numbers are strings in Google's JSON
            opened[name] = int(value) if value.isdecimal() and len(value) < 20 else value
        elif name == "example":
            opened["examples"] = [value]
        else:
            opened["$ref" if name == "ref" else name] = value
    return _finished(opened, ordering, is_nullable)


def _type_name(value: Any, path: str) -> Any:
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, list):
        return [one.lower() if isinstance(one, str) else one for one in value]
    names = {1: "string", 2: "number", 3: "integer", 4: "boolean", 5: "array", 6: "object", 7: "null"}
    if isinstance(value, int) and value in names:
        return names[value]
    raise invalid(path, "this is no type")


def _finished(opened: Schema, ordering: Any, is_nullable: bool) -> Schema:
    properties = opened.get("properties")
    if isinstance(ordering, list) and isinstance(properties, dict):  # the order is the meaning of it
        first = {key: properties[key] for key in ordering if isinstance(key, str) and key in properties}
        opened["properties"] = {**first, **properties}
    if is_nullable:
        if isinstance(opened.get("type"), str):
            opened["type"] = [opened["type"], "null"]
            if isinstance(opened.get("enum"), list) and None not in opened["enum"]:
                opened["enum"] = [*opened["enum"], None]
        elif isinstance(opened.get("anyOf"), list):
            opened["anyOf"] = [*opened["anyOf"], {"type": "null"}]
    return opened
