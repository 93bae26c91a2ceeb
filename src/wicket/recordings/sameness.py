"""When two request bodies ask for the same: equality of JSON values, but for what a recorder blotted out."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from wicket.recordings.recording import Message
from wicket.wire import json

# What recorders write over secrets and ids that change from run to run.
_WORD = r"(redacted|scrubbed|filtered|masked|removed)"
_SCRUBBED = re.compile(
    rf"[<\[{{(*]+\s*{_WORD}[^A-Za-z]*|(?-i:REDACTED|SCRUBBED|FILTERED)|scrubbed|\*{{3,}}", re.I
)
_BOUNDARY = re.compile(r'boundary="?([^";,]+)', re.I)
_MAX_SHOWN = 200  # characters of a value in a message


class Difference(msgspec.Struct, frozen=True):
    """The first place where two values differ. `path` as callers write it; the values are JSON, cut short."""

    path: str
    recorded: str
    sent: str


def is_scrubbed(value: object) -> bool:
    """Whether a recorder wrote this in place of the value."""
    return isinstance(value, str) and _SCRUBBED.fullmatch(value) is not None


def has_scrubbed(value: object) -> bool:
    """Whether anything in it was blotted out."""
    if isinstance(value, dict):
        return any(has_scrubbed(one) for one in value.values())
    if isinstance(value, list):
        return any(has_scrubbed(one) for one in value)
    return is_scrubbed(value)


def meaning(message: Message) -> Any:
    """The body as a value: JSON where it is JSON, else its bytes, with a multipart boundary made constant."""
    if not message.body:
        return b""
    try:
        return json.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _BOUNDARY.search(message.header("content-type"))
        return message.body.replace(found[1].encode("latin-1"), b"boundary") if found else message.body


def digest(value: Any) -> bytes:
    """Equal for equal values, whatever the order of keys and however a whole number was written."""
    data = value if isinstance(value, bytes) else json.encode_sorted(_plain(value))
    return hashlib.blake2b(data, digest_size=12).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def difference(recorded: Any, sent: Any, path: str = "") -> Difference | None:
    """The first difference in document order; None if they ask for the same."""
    if is_scrubbed(recorded):
        return None
    if isinstance(recorded, dict) and isinstance(sent, dict):
        return _of_objects(recorded, sent, path)
    if isinstance(recorded, list) and isinstance(sent, list):
        for index, (one, other) in enumerate(zip(recorded, sent, strict=False)):
            if found := difference(one, other, f"{path}[{index}]"):
                return found
        if len(recorded) != len(sent):
            return Difference(path or "body", f"{len(recorded)} items", f"{len(sent)} items")
        return None
    if recorded == sent and isinstance(recorded, bool) == isinstance(sent, bool):
        return None
    return Difference(path or "body", _shown(recorded), _shown(sent))


def _of_objects(recorded: dict[str, Any], sent: dict[str, Any], path: str) -> Difference | None:
    for key in [*recorded, *(key for key in sent if key not in recorded)]:
        where = f"{path}.{key}" if path else str(key)
        if key not in sent:
            return Difference(where, _shown(recorded[key]), "(absent)")
        if key not in recorded:
            return Difference(where, "(absent)", _shown(sent[key]))
        if found := difference(recorded[key], sent[key], where):
            return found
    return None


def _shown(value: Any) -> str:
    text = (
        f"{len(value)} bytes" if isinstance(value, bytes) else json.encode(value).decode("utf-8", "replace")
    )
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
