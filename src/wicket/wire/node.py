"""An object of a caller's JSON, taken apart field by field; what nobody took can be named afterwards.

Every field is asked for by its type, and a wrong one is a `CallerFault` that names its path as callers know
it: `messages[2].content[0].image_url.url`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from wicket.errors import CallerFault

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_number = msgspec.json.Decoder(float).decode
_decode_flag = msgspec.json.Decoder(bool).decode
_decode_any = msgspec.json.Decoder().decode
_NULL = b"null"
_T = TypeVar("_T")
_FAILURES = (msgspec.DecodeError, RecursionError)


def kind(raw: msgspec.Raw) -> str:
    """What JSON value it is: "object", "array", "string", "number", "boolean" or "null"."""
    first = bytes(raw).lstrip()[:1]
    return {
        b"{": "object",
        b"[": "array",
        b'"': "string",
        b"t": "boolean",
        b"f": "boolean",
        b"n": "null",
    }.get(first, "number")


class Node:
    """One object. Absent and null are the same: None."""

    __slots__ = ("_fields", "_taken", "path")

    def __init__(self, fields: Mapping[str, msgspec.Raw], path: str = "") -> None:
        self._fields = fields
        self._taken: set[str] = set()
        self.path = path

    @classmethod
    def of(cls, raw: msgspec.Raw, path: str) -> Node:
        """The object that `raw` is. Raises `CallerFault`."""
        try:
            return cls(_decode_fields(raw), path)
        except _FAILURES:
            raise wrong_type(path, "an object") from None

    def at(self, name: str) -> str:
        """A field's path."""
        return f"{self.path}.{name}" if self.path else name

    def raw(self, name: str) -> msgspec.Raw | None:
        """A field as it came."""
        self._taken.add(name)
        raw = self._fields.get(name)
        return None if raw is None or bytes(raw) == _NULL else raw

    def text(self, name: str) -> str | None:
        """A string."""
        return self._read(name, _decode_text, "a string")

    def needed_text(self, name: str) -> str:
        """A string that must be there."""
        found = self.text(name)
        if found is None:
            path = self.at(name)
            raise CallerFault("missing_field", f"'{path}' is required.", param=path)
        return found

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        return self._read(name, _decode_flag, "true or false")

    def number(self, name: str) -> float | None:
        """A finite number."""
        return self._read(name, _decode_number, "a number")

    def whole(self, name: str) -> int | None:
        """A whole number; 5.0 is one too (JSON Schema 2020-12, "integer")."""
        value = self.number(name)
        if value is not None and (not value.is_integer() or abs(value) >= 1 << 63):
            raise wrong_type(self.at(name), "a whole number")
        return self._exact(name) if value is not None else None

    def any(self, name: str) -> Any:
        """A field's value, whatever it is."""
        return self._read(name, _decode_any, "JSON")

    def texts(self, name: str) -> tuple[str, ...] | None:
        """An array of strings."""
        items = self.items(name)
        if items is None:
            return None
        found = []
        for index, raw in enumerate(items):
            try:
                found.append(_decode_text(raw))
            except _FAILURES:
                raise wrong_type(f"{self.at(name)}[{index}]", "a string") from None
        return tuple(found)

    def items(self, name: str) -> list[msgspec.Raw] | None:
        """An array's values as they came."""
        return self._read(name, _decode_list, "an array")

    def node(self, name: str) -> Node | None:
        """An object."""
        raw = self.raw(name)
        return None if raw is None else Node.of(raw, self.at(name))

    def nodes(self, name: str) -> list[Node] | None:
        """An array of objects."""
        items = self.items(name)
        if items is None:
            return None
        return [Node.of(raw, f"{self.at(name)}[{index}]") for index, raw in enumerate(items)]

    def take(self, *names: str) -> None:
        """These are dealt with elsewhere."""
        self._taken.update(names)

    def left(self) -> dict[str, msgspec.Raw]:
        """The fields that nobody took, without nulls."""
        return {
            name: raw for name, raw in self._fields.items() if name not in self._taken and bytes(raw) != _NULL
        }

    def left_paths(self) -> list[str]:
        """The paths of `left`."""
        return [self.at(name) for name in self.left()]

    def _read(self, name: str, decode: Callable[[msgspec.Raw], _T], what: str) -> _T | None:
        raw = self.raw(name)
        if raw is None:
            return None
        try:
            return decode(raw)
        except _FAILURES:
            raise wrong_type(self.at(name), what) from None

    def _exact(self, name: str) -> int:
        value = _decode_any(self._fields[name])
        return int(value)


def wrong_type(path: str, what: str) -> CallerFault:
    """The fault of a field that is not what it must be."""
    return CallerFault("invalid_type", f"'{path}' must be {what}.", param=path)


def wrong_value(path: str, why: str) -> CallerFault:
    """The fault of a field whose value can't be taken."""
    return CallerFault("invalid_value", f"'{path}' {why}.", param=path)
