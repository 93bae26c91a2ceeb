"""Parts of a conversation as content blocks that the Messages API takes.

Sources: Messages API reference (block types, media types), "vision", "PDF support", "extended thinking"
(thinking blocks go back unchanged; a signature of another provider is invalid).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec

from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.hub import (
    Foreign,
    Json,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    unsayable,
)
from wicket.dialects.saying import arguments_of
from wicket.errors import CallerFault
from wicket.wire import json

Block = dict[str, Any] | msgspec.Raw

IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_MAGIC = (
    ("/9j/", "image/jpeg"),
    ("iVBORw0KGgo", "image/png"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi", "application/pdf"),
)
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ENCODED = "wk-"
_OWNERS: dict[type[Part], str] = {
    Thinking: "assistant",
    ToolCall: "assistant",
    ToolResult: "user",
    Media: "user",
}


def tool_id(found: str) -> str:
    """An id of the alphabet that Anthropic takes; `caller_tool_id` gives the caller's own back."""
    if _ID.fullmatch(found) and not found.startswith(_ENCODED):
        return found
    return _ENCODED + base64.urlsafe_b64encode(found.encode()).decode().rstrip("=")


def caller_tool_id(found: str) -> str:
    """The id that `tool_id` made `found` of."""
    if not found.startswith(_ENCODED):
        return found
    text = found.removeprefix(_ENCODED)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def check_tool_name(name: str, path: str) -> str:
    """The name, if Anthropic takes it."""
    if not _NAME.fullmatch(name):
        raise unsayable(path, "a tool's name is made of letters, digits, '_' and '-', at most 128 of them")
    return name


class Writer:
    """Writes one request's parts; `dropped` gathers the caller's names of what was left out."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def block(self, part: Part, role: str) -> Block | None:
        """A part as a block; None where nothing of it can or need be said."""
        owner = _OWNERS.get(type(part), role)
        if role != owner:
            raise unsayable(part.path, f"it stands in a turn that is not the {owner}'s")
        match part:
            case Text():
                return self._text(part)
            case Refusal():
                return self._marked({"type": "text", "text": part.text}, part) if part.text.strip() else None
            case Thinking():
                return self._thinking(part)
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part)
            case Media():
                return self._media(part)
            case Foreign() if part.origin == NAME and part.raw is not None:
                return part.raw
            case Foreign():
                raise unsayable(part.path, f"'{part.kind}' means nothing to it")
        raise unsayable(part.path)

    def mark(self, cache: Json | None, path: str) -> dict[str, Any] | None:
        """A caching mark in Anthropic's spelling, `ttl` kept; None (and reported) for one that has none."""
        if cache is None:
            return None
        found = json.decode(cache)
        kind = found.get("type") if isinstance(found, dict) else None
        if kind not in ("ephemeral", "default"):  # Anthropic's own; Bedrock's cachePoint
            self.dropped.append(f"{path}.cache_control")
            return None
        ttl = found.get("ttl")
        return {"type": "ephemeral", "ttl": ttl} if ttl in ("5m", "1h") else {"type": "ephemeral"}

    def _marked(self, block: dict[str, Any], part: Part) -> dict[str, Any]:
        mark = self.mark(part.cache, part.path)
        if mark is not None:
            block["cache_control"] = mark
        return block

    def _text(self, part: Text) -> Block | None:
        if not part.text.strip():  # the API refuses blocks without a visible character
            return None
        block: dict[str, Any] = {"type": "text", "text": part.text}
        if part.annotations is not None:
            if part.origin == NAME:
                block["citations"] = part.annotations
            else:
                self.dropped.append(f"{part.path}.annotations")
        return self._marked(block, part)

    def _thinking(self, part: Thinking) -> Block | None:
        if part.origin != NAME or not (part.signature or part.raw):
            self.dropped.append(part.path)
            return None
        if part.raw is not None:
            return part.raw
        if part.is_redacted:
            return {"type": "redacted_thinking", "data": part.signature}
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}

    def _call(self, part: ToolCall) -> Block:
        if part.origin == NAME and part.raw is not None and tool_id(part.id) == part.id:
            return part.raw
        if part.origin != NAME and part.signature:
            self.dropped.append(f"{part.path}.signature")
        text = arguments_of(part)
        block = {
            "type": "tool_use",
            "id": tool_id(part.id),
            "name": check_tool_name(part.name, part.path),
            "input": msgspec.Raw(text.encode()),
        }
        return self._marked(block, part)

    def _result(self, part: ToolResult) -> Block:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": tool_id(part.id)}
        inner = [found for each in part.parts if (found := self.block(each, "user")) is not None]
        only = part.parts[0] if len(part.parts) == 1 else None
        if isinstance(only, Text) and only.cache is None and only.annotations is None:
            if only.text.strip():
                block["content"] = only.text
        elif inner:
            block["content"] = inner
        if part.is_error:
            block["is_error"] = True
        return self._marked(block, part)

    def _media(self, part: Media) -> Block:
        if part.origin == NAME and part.raw is not None:
            return part.raw
        if part.detail not in ("", "auto"):
            self.dropped.append(f"{part.path}.detail")
        media_type = _media_type(part)
        if part.kind == "image":
            return self._marked({"type": "image", "source": _image_source(part, media_type)}, part)
        if part.kind != "document":
            raise unsayable(part.path, f"it takes no {part.kind}")
        block: dict[str, Any] = {"type": "document", "source": _document_source(part, media_type)}
        if part.name:
            block["title"] = part.name
        return self._marked(block, part)


def _media_type(part: Media) -> str:
    if part.media_type:
        found = part.media_type.partition(";")[0].strip().lower()
        return "image/jpeg" if found == "image/jpg" else found
    return next((kind for start, kind in _MAGIC if part.data.startswith(start)), "")


def _image_source(part: Media, media_type: str) -> dict[str, str]:
    if part.data:
        if media_type not in IMAGES:
            raise unsayable(part.path, "images are JPEG, PNG, GIF or WebP")
        return {"type": "base64", "media_type": media_type, "data": part.data}
    return _elsewhere(part)


def _document_source(part: Media, media_type: str) -> dict[str, str]:
    if part.text:
        return {"type": "text", "media_type": "text/plain", "data": part.text}
    if not part.data:
        return _elsewhere(part)
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": part.data}
    if media_type.startswith("text/") or media_type == "application/json":
        try:
            text = base64.b64decode(part.data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            message = f"The data of '{part.path}' is not base64 of UTF-8 text."
            raise CallerFault("invalid_value", message, param=part.path) from None
        return {"type": "text", "media_type": "text/plain", "data": text}
    raise unsayable(part.path, "documents are PDF or plain text")


def _elsewhere(part: Media) -> dict[str, str]:
    if part.url.startswith(("https://", "http://")):
        return {"type": "url", "url": part.url}
    if part.file_id and part.origin == NAME:
        return {"type": "file", "file_id": part.file_id}
    if part.file_id:
        raise unsayable(part.path, "another provider's file is out of its reach")
    raise unsayable(part.path, "it needs base64 data or an http address")
