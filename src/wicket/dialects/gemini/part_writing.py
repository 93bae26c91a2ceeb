"""A part of the hub as a Gemini `Part`, for a provider's request and for a caller's answer."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wicket.dialects.gemini import seals
from wicket.dialects.gemini.families import Family
from wicket.dialects.hub import (
    Foreign,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    unsayable,
)
from wicket.errors import CallerFault
from wicket.wire import json

ORIGIN = seals.ORIGIN
_TYPES: Mapping[str, str] = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "mpeg": "video/mpeg",
}
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{2,5})(?:[?#]|$)")
_YOUTUBE = re.compile(r"https://(www\.|m\.)?(youtube\.com|youtu\.be)/")
_AT_GOOGLE = ("gs://", "https://generativelanguage.googleapis.com/")
_DATA_URL = re.compile(r"data:([^;,]*)[^,]*;base64,", re.IGNORECASE)


class Written(msgspec.Struct):
    """Gemini's parts for one of the hub's; `losses` are the caller's paths of what they don't hold."""

    parts: list[dict[str, Any]]
    losses: list[str] = []


class PartWriter:
    """Writes the parts of one request for one family of models.

    `is_own`: the caller speaks Gemini, so that what is raw may go as it came. A part of Gemini's that comes
    through another family's caller is raw in that family's form.
    """

    def __init__(self, family: Family, *, is_vertex: bool, is_own: bool) -> None:
        self._is_own = is_own
        self._family = family
        self._is_vertex = is_vertex
        self._names: dict[str, str] = {}  # call id → function, as the history tells it

    def write(self, part: Part) -> Written:
        """Raises `CallerFault` naming a part that Gemini has no word for."""
        losses = [f"{part.path}.cache_control"] if part.cache is not None else []
        if self._is_own and part.origin == ORIGIN and part.raw is not None:
            if isinstance(part, ToolCall):
                self._names[part.id] = part.name
            return Written([_as_members(part.raw)], losses)
        is_sealed = bool(part.signature) and part.origin == ORIGIN
        match part:
            case Text():
                written = [{"text": part.text}] if part.text or is_sealed else []
            case Refusal():
                written = [{"text": part.text}] if part.text else []
            case Thinking():
                written = self._thinking(part, losses)
            case ToolCall():
                written = [self._call(part)]
            case ToolResult():
                written = self._result(part, losses)
            case Media():
                written = [self._media(part, losses)]
            case Foreign():
                raise unsayable(part.path or part.kind, f"'{part.kind}' belongs to another provider")
            case _:
                raise unsayable(part.path)
        if written and is_sealed and not isinstance(part, Thinking):
            written[0]["thoughtSignature"] = part.signature
        return Written(written, losses)

    def _thinking(self, part: Thinking, losses: list[str]) -> list[dict[str, Any]]:
        """Gemini's own thoughts only: another provider's mean nothing to it, and its seal is refused."""
        if part.origin != ORIGIN or part.is_redacted:
            losses.append(part.path)
            return []
        if not part.text and not part.signature:
            return []
        thought: dict[str, Any] = {"text": part.text, "thought": True}
        if part.signature:
            thought["thoughtSignature"] = part.signature
        return [thought]

    def _call(self, part: ToolCall) -> dict[str, Any]:
        self._names[part.id] = part.name
        return {"functionCall": call_members(part)}

    def _result(self, part: ToolResult, losses: list[str]) -> list[dict[str, Any]]:
        name = part.name or self._names.get(part.id, "")
        if not name:
            message = f"'{part.path}' answers no tool call before it: there is none with the id it names."
            raise CallerFault("invalid_value", message, param=part.path)
        texts = [inner for inner in part.parts if isinstance(inner, Text | Refusal)]
        media: list[dict[str, Any]] = []
        for inner in part.parts:
            if inner.cache is not None:
                losses.append(f"{inner.path}.cache_control")
            if isinstance(inner, Media):
                media.append(self._media(inner, losses))
            elif inner not in texts:
                raise unsayable(inner.path or part.path)
        text = "\n".join(inner.text for inner in texts)
        answer: dict[str, Any] = {"id": part.id, "name": name, "response": response_of(text, part.is_error)}
        if not media:
            return [{"functionResponse": answer}]
        if self._family.shows_results:
            answer["parts"] = media
            return [{"functionResponse": answer}]
        return [{"functionResponse": answer}, *media]  # older models see it beside the result

    def _media(self, part: Media, losses: list[str]) -> dict[str, Any]:
        if part.detail and part.detail != "auto":
            losses.append(f"{part.path}.detail")
        if part.name and not self._is_vertex:
            losses.append(f"{part.path}.filename")
        name = {"displayName": part.name} if part.name and self._is_vertex else {}
        found = _DATA_URL.match(part.url[:200]) if part.url[:5].lower() == "data:" else None
        if found is not None:
            return _inline(found.group(1) or part.media_type, part.url[found.end() :], part.path, name)
        if part.text:
            data = base64.b64encode(part.text.encode()).decode()
            return _inline(part.media_type or "text/plain", data, part.path, name)
        if part.data:
            return _inline(part.media_type, part.data, part.path, name)
        address = part.url or (part.file_id if part.origin == ORIGIN else "")
        if not address:
            raise unsayable(part.path, "a file kept at another provider can't be read by this one")
        self._may_fetch(address, part.path)
        media_type = part.media_type or _guess(address, part.kind)
        if not media_type and not _YOUTUBE.match(address):
            raise unsayable(part.path, "Gemini wants to know the media type of an address, and it shows none")
        kind = {"mimeType": media_type} if media_type else {}
        return {"fileData": {**kind, "fileUri": address, **name}}

    def _may_fetch(self, address: str, path: str) -> None:
        if address.startswith(_AT_GOOGLE) or _YOUTUBE.match(address):
            return
        if address.startswith("https://") and (self._family.fetches or self._is_vertex):
            return
        raise unsayable(path, "this model reads no web addresses; send the data itself, in base64")


def _as_members(raw: msgspec.Raw) -> dict[str, Any]:
    return dict(json.decode(raw, type=dict[str, msgspec.Raw]))


def _inline(media_type: str, data: str, path: str, name: Mapping[str, str]) -> dict[str, Any]:
    if not media_type:
        raise unsayable(path, "Gemini wants to know the media type of the data")
    return {"inlineData": {"mimeType": media_type, "data": seals.standard(data, path), **name}}


def _guess(address: str, kind: str) -> str:
    found = _EXTENSION.search(address)
    media_type = _TYPES.get(found.group(1).lower(), "") if found else ""
    return media_type if media_type.startswith(kind) or kind == "document" else ""


def call_members(part: ToolCall) -> dict[str, Any]:
    """A call as `functionCall`, its arguments as they were written. Raises `CallerFault` if they are none."""
    text = part.arguments.strip() or "{}"
    try:
        is_object = isinstance(json.decode(text), dict)
    except (json.DecodeError, RecursionError):
        is_object = False
    if not is_object:
        message = f"The arguments of '{part.name}' must be a JSON object."
        raise CallerFault("invalid_value", message, param=part.path or None)
    members: dict[str, Any] = {"name": part.name, "args": msgspec.Raw(text.encode())}
    return {"id": part.id, **members} if part.id else members


def response_of(text: str, is_error: bool) -> Any:
    """A result's text as the object that Gemini wants: the object it is, or `output` or `error` with it."""
    if is_error:
        return {"error": text}
    if text.lstrip().startswith("{"):
        try:
            value: Any = json.decode(text)
        except (json.DecodeError, RecursionError):
            value = None
        if isinstance(value, dict):
            return msgspec.Raw(text.strip().encode())
    return {"output": text}
