"""A request body's fields, each decoded against its own type, so that every fault names its field."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from wicket.errors import CallerFault
from wicket.wire import fields as wire_fields
from wicket.wire import json

_PATH = re.compile(r" - at `\$([^`]*)`$")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_DROPPED = 32


class Body:
    """A JSON object's fields, read by name. Raises `CallerFault` if the bytes are no JSON object."""

    def __init__(self, body: bytes) -> None:
        self._fields = wire_fields.peek(body)

    def read(self, name: str, kind: Any, default: Any = None) -> Any:
        """The field as `kind`; `default` when absent or null. Raises `CallerFault` naming it."""
        raw = self._fields.get(name)
        if raw is None or bytes(raw) == b"null":
            return default
        try:
            return json.decode(raw, type=kind)
        except json.DecodeError as error:
            raise _fault(name, str(error)) from None
        except RecursionError:
            raise bad_value(name, "it is nested too deeply") from None

    def need(self, name: str, kind: Any) -> Any:
        """The field as `kind`. Raises `CallerFault` naming it, also when it is absent."""
        value = self.read(name, kind)
        if value is None:
            raise CallerFault("missing_required_parameter", f"'{name}' is required.", param=name)
        return value

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        raw = self._fields.get(name)
        return raw is not None and bytes(raw) != b"null"

    def unknown(self, known: Collection[str]) -> tuple[str, ...]:
        """The names that this server does not know, as far as they can stand in a header."""
        strange = [name for name in self._fields if name not in known and self.has(name)]
        return tuple(name for name in strange if _PLAIN_NAME.fullmatch(name))[:_MAX_DROPPED]


def bad_value(param: str, why: str) -> CallerFault:
    """A value that is out of bounds."""
    return CallerFault("invalid_value", f"'{param}' can't be used: {why}.", param=param)


def bad_type(param: str, why: str) -> CallerFault:
    """A value of the wrong type."""
    return CallerFault("invalid_type", f"'{param}' has the wrong type: {why}.", param=param)


def _fault(name: str, detail: str) -> CallerFault:
    found = _PATH.search(detail)
    param = name + (found.group(1) if found else "")
    text = _PATH.sub("", detail).replace("`", "")
    text = text[:1].lower() + text[1:]
    return bad_type(param, text) if "got" in text else bad_value(param, text)
