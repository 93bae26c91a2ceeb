"""From a parsed TOML table to a typed section, noting every mistake instead of stopping at the first."""

from __future__ import annotations

import re
import typing
from typing import Any, TypeVar

import msgspec

from wicket.config.lines import Path
from wicket.config.mistakes import Mistakes, did_you_mean, printable

_Section = TypeVar("_Section", bound=msgspec.Struct)

_SECRET_FIELDS = frozenset(
    {"api_key", "access_key_id", "secret_access_key", "session_token", "secret", "headers", "proxy"}
)
_TYPE_NAMES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}
_AT = re.compile(r" - at `\$(.*)`$")
_TYPE = re.compile(r"`([a-z |]+)`")
_INDEX = re.compile(r"\[(\d+)\]")


def convert(section: type[_Section], value: Any, path: Path, mistakes: Mistakes) -> _Section:
    """`value` as a `section`; fields with mistakes keep their defaults."""
    if not isinstance(value, dict):
        mistakes.add(path, f"expected a table, got {_kind(value)}")
        return _filled(section, {})
    fields = {field.encode_name: field for field in msgspec.structs.fields(section)}
    good = {}
    for name, item in value.items():
        if name not in fields:
            near = did_you_mean(name, fields)
            mistakes.add((*path, name), f"unknown field{near or '; known: ' + ', '.join(fields)}")
            continue
        before = len(mistakes)
        converted = _field(fields[name].type, item, (*path, name), mistakes)
        if len(mistakes) == before or isinstance(converted, (msgspec.Struct, dict)):
            good[fields[name].name] = converted
    for name, field in fields.items():
        if field.required and name not in value:
            mistakes.add(path, f"{name} is missing")
    return _filled(section, good)


def _filled(section: type[_Section], good: dict[str, Any]) -> _Section:
    """With nothing where a needed field has a mistake: it is noted, and what is made here is thrown away."""
    needed = {field.name: None for field in msgspec.structs.fields(section) if field.required}
    return section(**(needed | good))


def _field(kind: Any, value: Any, path: Path, mistakes: Mistakes) -> Any:
    section = _section_of(kind)
    if section is not None:
        return convert(section, value, path, mistakes)
    if typing.get_origin(kind) is tuple and _section_of(typing.get_args(kind)[0]) is not None:
        return _list_with_sections(typing.get_args(kind)[0], value, path, mistakes)
    inner = typing.get_args(kind)[1] if typing.get_origin(kind) is dict else None
    if inner is not None and _section_of(inner) is not None:
        return _table_of_sections(_section_of(inner), value, path, mistakes)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        where, what = _explain(str(error), kind, value, path)
        mistakes.add(where, what)
        return None


def _table_of_sections(section: Any, value: Any, path: Path, mistakes: Mistakes) -> dict[str, Any]:
    if not isinstance(value, dict):
        mistakes.add(path, f"expected a table, got {_kind(value)}")
        return {}
    found = {}
    for name, item in value.items():
        if isinstance(item, dict):
            found[name] = convert(section, item, (*path, name), mistakes)
        else:
            mistakes.add((*path, name), f"expected a table, got {_kind(item)}")
    return found


def _list_with_sections(kind: Any, value: Any, path: Path, mistakes: Mistakes) -> tuple[Any, ...]:
    """A list whose items are tables, or texts too, as in `["a", { id = "b" }]`."""
    if not isinstance(value, list):
        mistakes.add(path, f"expected a list, got {_kind(value)}")
        return ()
    section: Any = _section_of(kind)
    found: list[Any] = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            found.append(convert(section, item, (*path, index), mistakes))
        elif isinstance(item, str) and kind is not section:
            found.append(item)
        else:
            wanted = "a table" if kind is section else "text in quotes or a table"
            mistakes.add((*path, index), f"expected {wanted}, got {_kind(item)}")
    return tuple(found)


def _section_of(kind: Any) -> type[msgspec.Struct] | None:
    for option in typing.get_args(kind) or (kind,):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option if typing.get_origin(kind) not in (dict, tuple) else None
    return None


def _explain(message: str, kind: Any, value: Any, path: Path) -> tuple[Path, str]:
    match = _AT.search(message)
    where = path
    if match:
        message = message[: match.start()]
        indices = [int(i) for i in _INDEX.findall(match.group(1))]
        where = (*path, *indices)
    choices = [c for c in _literals(kind) if c]
    if choices and isinstance(value, str):
        near = did_you_mean(value, choices)
        return where, f'"{printable(value)}" is not one of {", ".join(choices)}{near}'
    text = _TYPE.sub(_plain_type, message)
    text = text.replace("Expected ", "expected ", 1)
    shown = "" if _SECRET_FIELDS.intersection(map(str, path)) else _shown(value)
    return where, text + shown


def _literals(kind: Any) -> list[str]:
    if typing.get_origin(kind) is typing.Literal:
        return list(typing.get_args(kind))
    return [choice for option in typing.get_args(kind) for choice in _literals(option)]


def _plain_type(match: re.Match[str]) -> str:
    names = [_TYPE_NAMES.get(name.strip(), name.strip()) for name in match.group(1).split("|")]
    return " or ".join(name for name in names if name != "nothing")


def _shown(value: Any) -> str:
    return f" (it is {value})" if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "something else")
