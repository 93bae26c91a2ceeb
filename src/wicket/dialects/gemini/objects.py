"""JSON objects as Google's APIs read them: names in either spelling, one thing in place of a list of one.

camelCase and snake_case are what protocol buffers' JSON mapping accepts; recorded requests use both in one
body.
Values inside a function's arguments, its result and a JSON schema are the caller's own and are never renamed.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.wire import json

Members = dict[str, msgspec.Raw]

_SNAKE = re.compile(r"_([a-z0-9])")
_decode_members = msgspec.json.Decoder(Members).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_number = msgspec.json.Decoder(float).decode
_decode_flag = msgspec.json.Decoder(bool).decode


def camel(name: str) -> str:
    """`top_k` → `topK`; a name that is camelCase already stays."""
    return _SNAKE.sub(lambda found: found.group(1).upper(), name) if "_" in name else name


def members(raw: msgspec.Raw, path: str) -> Members:
    """The object's members by their camelCase names, nulls left out. Raises `CallerFault` naming `path`."""
    try:
        found = _decode_members(raw)
    except (msgspec.DecodeError, RecursionError):
        raise CallerFault("invalid_type", f"'{path}' must be an object.", param=path) from None
    return {camel(name): value for name, value in found.items() if bytes(value) != b"null"}


def items(raw: msgspec.Raw | None, path: str) -> list[tuple[str, msgspec.Raw]]:
    """The list's items with their paths; an object in its place is a list of one."""
    if raw is None:
        return []
    if bytes(raw)[:1] == b"{":
        return [(path, raw)]
    try:
        return [(f"{path}[{i}]", item) for i, item in enumerate(_decode_list(raw))]
    except (msgspec.DecodeError, RecursionError):
        raise CallerFault("invalid_type", f"'{path}' must be an array.", param=path) from None


def text(raw: msgspec.Raw | None, path: str) -> str:
    """A string's value; "" if absent."""
    if raw is None:
        return ""
    try:
        return _decode_text(raw)
    except msgspec.DecodeError:
        raise CallerFault("invalid_type", f"'{path}' must be a string.", param=path) from None


def number(raw: msgspec.Raw, path: str) -> float:
    """A number's value; the JSON mapping writes some of them as strings."""
    value: Any = None
    try:
        return _decode_number(raw)
    except msgspec.DecodeError:
        try:
            value = float(_decode_text(raw))
        except (msgspec.DecodeError, ValueError):
            pass
    if value is None or value != value:
        raise CallerFault("invalid_type", f"'{path}' must be a number.", param=path) from None
    return float(value)


def whole(raw: msgspec.Raw, path: str) -> int:
    """A whole number's value; 40.0 is one too."""
    value = number(raw, path)
    if not value.is_integer():
        raise CallerFault("invalid_type", f"'{path}' must be a whole number.", param=path)
    return int(value)


def flag(raw: msgspec.Raw | None, path: str) -> bool | None:
    """A boolean's value; None if absent."""
    if raw is None:
        return None
    try:
        return _decode_flag(raw)
    except msgspec.DecodeError:
        raise CallerFault("invalid_type", f"'{path}' must be true or false.", param=path) from None


def texts(raw: msgspec.Raw | None, path: str) -> tuple[str, ...]:
    """The strings of an array."""
    if raw is not None and bytes(raw)[:1] == b'"':
        return (text(raw, path),)
    return tuple(text(item, where) for where, item in items(raw, path))


def packed(value: Any) -> msgspec.Raw:
    """A value as raw JSON."""
    return msgspec.Raw(json.encode(value))
