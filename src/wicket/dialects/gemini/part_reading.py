"""A Gemini `Part` as one of the hub's: the same reading for a caller's history and for a model's answer."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.gemini import objects, seals
from wicket.dialects.gemini.objects import Members
from wicket.dialects.hub import Foreign, Media, Part, Text, Thinking, ToolCall, ToolResult
from wicket.errors import CallerFault
from wicket.wire import json

ORIGIN = seals.ORIGIN
FOREIGN = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_BESIDE = frozenset({"thought", "thoughtSignature"})
_AT_GOOGLE = ("gs://", "https://generativelanguage.googleapis.com/")


class Pairing:
    """Which result answers which call: by id, else by name in the order of the calls.

    Calls without an id get one that is the same however often the request is read, and fits every family's
    rules for ids.
    """

    def __init__(self, stem: str = "call") -> None:
        self._stem = stem
        self._num_calls = 0
        self._open: list[tuple[str, str]] = []

    def called(self, name: str, id: str) -> str:
        """A call's id, made up if it has none."""
        self._num_calls += 1
        id = id or f"{self._stem}_{self._num_calls}"
        self._open.append((name, id))
        return id

    def answered(self, name: str, id: str) -> str:
        """The id of the call that a result belongs to; "" if there is none."""
        for i, (called, known) in enumerate(self._open):
            if known == id if id else called == name:
                del self._open[i]
                return known
        return id


class Read(msgspec.Struct):
    """A part, and the paths beside it that have no place in the hub."""

    part: Part
    unread: list[str] = []


def read_part(raw: msgspec.Raw, path: str, pairing: Pairing) -> Read:
    """One part. Raises `CallerFault` naming the field."""
    found = objects.members(raw, path)
    signature = objects.text(found.get("thoughtSignature"), f"{path}.thoughtSignature")
    origin, is_redacted = ORIGIN, False
    if signature:
        origin, signature, is_redacted = seals.unseal(seals.alike(signature))
    is_thought = objects.flag(found.get("thought"), f"{path}.thought") is True
    kinds = [name for name in found if name not in _BESIDE]
    part, used = _part(found, path, is_thought, pairing)
    if signature:
        part.origin = origin
    if isinstance(part, Thinking):
        part.is_redacted = is_redacted
    part.path = path
    part.signature = signature
    unread = [f"{path}.{name}" for name in kinds if name not in used]
    unread += _inner_unread(found, path, used)
    if unread or isinstance(part, Foreign):
        part.raw = msgspec.Raw(bytes(raw))
    return Read(part, unread)


def _part(found: Members, path: str, is_thought: bool, pairing: Pairing) -> tuple[Part, tuple[str, ...]]:
    """The part and which members it was made of."""
    for kind in FOREIGN:
        if kind in found:
            return Foreign(origin=ORIGIN, kind=kind), (kind,)
    if "functionCall" in found:
        return _call(found["functionCall"], f"{path}.functionCall", pairing), ("functionCall",)
    if "functionResponse" in found:
        return _result(found["functionResponse"], f"{path}.functionResponse", pairing), ("functionResponse",)
    for name in ("inlineData", "fileData"):
        if name in found:
            if is_thought:  # a picture on the way to the final one
                return Foreign(origin=ORIGIN, kind=name), (name,)
            return media(found, path), (name,)
    if "text" not in found and set(found) - _BESIDE:
        kind = next(name for name in found if name not in _BESIDE)
        return Foreign(origin=ORIGIN, kind=kind), tuple(found)
    value = objects.text(found.get("text"), f"{path}.text")
    if is_thought:
        return Thinking(origin=ORIGIN, text=value), ("text",)
    return Text(origin=ORIGIN, text=value), ("text",)


_KNOWN = {
    "functionCall": frozenset({"id", "name", "args"}),
    "functionResponse": frozenset({"id", "name", "response", "parts"}),
    "inlineData": frozenset({"mimeType", "data", "displayName"}),
    "fileData": frozenset({"mimeType", "fileUri", "displayName"}),
}


def _inner_unread(found: Members, path: str, used: tuple[str, ...]) -> list[str]:
    unread = []
    for name in used:
        known = _KNOWN.get(name)
        if known is not None:
            inner = objects.members(found[name], f"{path}.{name}")
            unread += [f"{path}.{name}.{member}" for member in inner if member not in known]
    return unread


def _call(raw: msgspec.Raw, path: str, pairing: Pairing) -> ToolCall:
    found = objects.members(raw, path)
    name = objects.text(found.get("name"), f"{path}.name")
    if not name:
        raise CallerFault("missing_field", f"'{path}.name' is missing.", param=f"{path}.name")
    id = pairing.called(name, objects.text(found.get("id"), f"{path}.id"))
    arguments = found.get("args")
    if arguments is not None and bytes(arguments)[:1] != b"{":
        raise CallerFault("invalid_type", f"'{path}.args' must be an object.", param=f"{path}.args")
    return ToolCall(origin=ORIGIN, id=id, name=name, arguments=bytes(arguments or b"{}").decode())


def _result(raw: msgspec.Raw, path: str, pairing: Pairing) -> ToolResult:
    found = objects.members(raw, path)
    name = objects.text(found.get("name"), f"{path}.name")
    id = pairing.answered(name, objects.text(found.get("id"), f"{path}.id"))
    if not id:
        message = f"'{path}' answers no function call before it: there is none of that name or id."
        raise CallerFault("invalid_value", message, param=path)
    parts: list[Part] = []
    is_error = False
    if "response" in found:
        text, is_error = _response(found["response"], f"{path}.response")
        parts.append(Text(origin=ORIGIN, path=f"{path}.response", text=text))
    for where, item in objects.items(found.get("parts"), f"{path}.parts"):
        parts.append(media(objects.members(item, where), where))
    return ToolResult(origin=ORIGIN, id=id, name=name, parts=tuple(parts), is_error=is_error)


def _response(raw: msgspec.Raw, path: str) -> tuple[str, bool]:
    """A result's text: that of `output` or `error` where it stands alone, else the whole object as JSON."""
    try:
        value: Any = json.decode(raw)
    except (json.DecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CallerFault("invalid_type", f"'{path}' must be an object.", param=path)
    if len(value) == 1:
        for name in ("output", "error"):
            if isinstance(value.get(name), str):
                return value[name], name == "error"
    return bytes(raw).decode(), False


def media(found: Members, path: str) -> Part:
    """`inlineData` or `fileData` as the hub's media."""
    if "inlineData" in found:
        where = f"{path}.inlineData"
        inner = objects.members(found["inlineData"], where)
        data = seals.standard(objects.text(inner.get("data"), f"{where}.data"), f"{where}.data")
        address = ""
    elif "fileData" in found:
        where = f"{path}.fileData"
        inner = objects.members(found["fileData"], where)
        address, data = objects.text(inner.get("fileUri"), f"{where}.fileUri"), ""
    else:
        raise CallerFault("missing_field", f"'{path}' has neither inlineData nor fileData.", param=path)
    if not data and not address:
        raise CallerFault("missing_field", f"'{where}' is empty.", param=where)
    media_type = objects.text(inner.get("mimeType"), f"{where}.mimeType")
    is_stored = address.startswith(_AT_GOOGLE)  # nobody but Google can read it
    return Media(
        origin=ORIGIN,
        path=path,
        kind=kind_of(media_type),
        media_type=media_type,
        data=data,
        url="" if is_stored else address,
        file_id=address if is_stored else "",
        name=objects.text(inner.get("displayName"), f"{where}.displayName"),
    )


def kind_of(media_type: str) -> str:
    """The hub's kind of media for a MIME type."""
    top = media_type.partition("/")[0].lower()
    return top if top in ("image", "audio", "video") else "document"
