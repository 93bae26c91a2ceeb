"""Top-level fields of a JSON object: peeked without touching their values, changed in one splice.

A request's values are never decoded and encoded again: what a caller sends beyond what the gate must
read reaches the provider as the same bytes. Measured on a 614-byte chat request: peek 0.75 µs, splice
0.17 µs, against 1.27 µs for decode and encode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from wicket.errors import CallerFault

Fields = dict[str, msgspec.Raw]

_decoder = msgspec.json.Decoder(Fields)
_encode = msgspec.json.Encoder().encode
_decode_text: Callable[[msgspec.Raw], str | None] = msgspec.json.Decoder(str | None).decode
_decode_flag: Callable[[msgspec.Raw], bool | None] = msgspec.json.Decoder(bool | None).decode
_decode_float = msgspec.json.Decoder(float).decode
_decode_count: Callable[[msgspec.Raw], int | None] = msgspec.json.Decoder(int | None).decode


class Edits(msgspec.Struct, frozen=True):
    """Top-level changes, applied in this order: remove, rename, put. Values in `put` are JSON bytes."""

    put: dict[str, bytes] = {}
    rename: Mapping[str, str] = {}
    remove: tuple[str, ...] = ()


def peek(body: bytes) -> Fields:
    """The object's fields with their values as raw JSON; of a repeated field the last counts.

    Raises `CallerFault` for anything that is not one JSON object in UTF-8 (RFC 8259).
    """
    try:
        fields = _decoder.decode(body)
        if not body.isascii():
            body.decode()
    except msgspec.ValidationError:
        raise CallerFault("invalid_json", "The body must be a JSON object.") from None
    except msgspec.DecodeError as error:
        raise CallerFault("invalid_json", f"The body is not valid JSON: {error}.") from None
    except UnicodeDecodeError as error:
        message = f"The body is not valid UTF-8 (byte {error.start})."
        raise CallerFault("invalid_json", message) from None
    except RecursionError:
        raise CallerFault("invalid_json", "The body is nested too deeply.") from None
    return fields


def splice(fields: Fields, edits: Edits) -> bytes:
    """The object after `edits`, every untouched value byte for byte as it came, in the same order.

    A renamed field keeps its place unless its new name is already there, which then wins.
    """
    rename, remove, put = edits.rename, edits.remove, edits.put
    if remove or rename:
        kept: Fields = {}
        for name, value in fields.items():
            if name in remove:
                continue
            target = rename.get(name)
            if target is None:
                kept[name] = value
            elif target not in fields:
                kept[target] = value
    else:
        kept = fields.copy()
    for name, raw in put.items():
        kept[name] = msgspec.Raw(raw)
    return _encode(kept)


def text(fields: Fields, name: str) -> str | None:
    """A string field's value; None if absent or null. Raises `CallerFault` naming the field otherwise."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return _decode_text(raw)
    except msgspec.DecodeError:
        raise CallerFault("invalid_type", f"'{name}' must be a string.", param=name) from None


def flag(fields: Fields, name: str) -> bool:
    """A boolean field's value; absent and null are False. Raises `CallerFault` naming the field otherwise."""
    raw = fields.get(name)
    if raw is None:
        return False
    try:
        return _decode_flag(raw) is True
    except msgspec.DecodeError:
        raise CallerFault("invalid_type", f"'{name}' must be true or false.", param=name) from None


def at_least_one(fields: Fields, name: str) -> int | None:
    """A count's value; None if absent or null. Raises `CallerFault` naming the field otherwise."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        value = _decode_count(raw)
    except msgspec.DecodeError:
        value = _whole_float(raw, name)
    if value is not None and value < 1:
        raise CallerFault("invalid_value", f"'{name}' must be at least 1, not {value}.", param=name)
    return value


def _whole_float(raw: msgspec.Raw, name: str) -> int:
    """5.0 is a whole number too (JSON Schema 2020-12, "integer")."""
    try:
        value = _decode_float(raw)
    except msgspec.DecodeError:
        value = 0.5
    if not value.is_integer():
        raise CallerFault("invalid_type", f"'{name}' must be a whole number.", param=name)
    return int(value)
