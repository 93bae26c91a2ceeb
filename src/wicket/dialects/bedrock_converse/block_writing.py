"""Parts of a conversation as Converse's content blocks, for one family of models.

Converse takes data, or an address in S3; nothing is fetched. Source: `ContentBlock`, `ToolResultBlock`,
`DocumentBlock` of the API reference (a document's name: letters, digits, single spaces, '-', '(', ')', '[',
']'; each name once in a request).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import msgspec

from wicket.dialects.bedrock_converse.families import Family
from wicket.dialects.bedrock_converse.names import call_id, tool_name
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

ORIGIN = "bedrock_converse"
Block = dict[str, Any]

_CLAUDES = frozenset({"anthropic_messages", "anthropic"})  # its seals hold on every platform that hosts it
_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_VIDEOS = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
_SOUNDS = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/opus": "opus",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "mp4",
    "audio/ogg": "ogg",
    "audio/webm": "webm",
    "audio/x-m4a": "m4a",
}
_FORMATS = {"image": _IMAGES, "document": _DOCUMENTS, "video": _VIDEOS, "audio": _SOUNDS}
_MAGIC = (("/9j/", "jpeg"), ("iVBORw0KGgo", "png"), ("R0lGOD", "gif"), ("UklGR", "webp"), ("JVBERi", "pdf"))
_OUTSIDE_NAMES = re.compile(r"[^A-Za-z0-9()\[\]-]+")


class BlockWriter:
    """Writes the blocks of one request; `dropped` gathers the caller's names of what was left out."""

    def __init__(self, family: Family) -> None:
        self.dropped: list[str] = []
        self._family = family
        self._names: set[str] = set()  # of documents

    def blocks(self, part: Part) -> list[Block]:
        """A part and its caching mark. Raises `CallerFault` naming a part that Converse has no word for."""
        block = self._block(part)
        if block is None:
            return []
        return [block, *self.mark(self._cache_of(part), part.path, is_taken=self._family.caches)]

    def mark(self, cache: Json | None, path: str, *, is_taken: bool) -> list[Block]:
        """A caching mark as the block that stands behind what it marks; reported where not taken."""
        if cache is None:
            return []
        found = json.decode(cache)
        kind = found.get("type") if isinstance(found, dict) else None
        if not is_taken or kind not in ("ephemeral", "default"):
            self.dropped.append(f"{path}.cache_control")
            return []
        ttl = found.get("ttl")
        return [
            {"cachePoint": {"type": "default", "ttl": ttl} if ttl in ("5m", "1h") else {"type": "default"}}
        ]

    @staticmethod
    def _cache_of(part: Part) -> Json | None:
        """The mark of a part, or of what is inside a result, where none may stand."""
        inner = part.parts if isinstance(part, ToolResult) else ()
        return next((one.cache for one in (part, *reversed(inner)) if one.cache is not None), None)

    def _block(self, part: Part) -> Block | None:
        match part:
            case Text() | Refusal():
                return self._text(part)
            case Thinking():
                return self._thinking(part)
            case ToolCall():
                return self._call(part)
            case ToolResult():
                return self._result(part)
            case Media():
                return self._media(part)
            case Foreign():
                raise unsayable(part.path, f"'{part.kind}' belongs to another provider")
        raise unsayable(part.path)

    def _text(self, part: Text | Refusal) -> Block | None:
        """A text; one without a visible character says nothing, and the API refuses it."""
        if isinstance(part, Text) and part.annotations is not None:
            self.dropped.append(f"{part.path}.annotations")
        return {"text": part.text} if part.text.strip() else None

    def _thinking(self, part: Thinking) -> Block | None:
        is_claude = part.origin in _CLAUDES
        if not (self._family.seals and part.signature and (is_claude or part.origin == ORIGIN)):
            self.dropped.append(part.path)
            return None
        if not part.is_redacted:
            return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}
        data = base64.b64encode(part.signature.encode()).decode() if is_claude else part.signature
        return {"reasoningContent": {"redactedContent": data}}

    def _call(self, part: ToolCall) -> Block:
        if part.signature:
            self.dropped.append(f"{part.path}.signature")
        text = arguments_of(part)
        name = tool_name(part.name, part.path)
        return {"toolUse": {"toolUseId": call_id(part.id), "name": name, "input": msgspec.Raw(text.encode())}}

    def _result(self, part: ToolResult) -> Block:
        content: list[Block] = []
        for inner in part.parts:
            if (isinstance(inner, Media) and inner.kind == "audio") or not isinstance(
                inner, Text | Refusal | Media
            ):
                raise unsayable(
                    inner.path or part.path, "a result holds text, images, documents and videos there"
                )
            block = self._block(inner)
            if block is not None:
                content.append(block)
        result: Block = {"toolUseId": call_id(part.id), "content": content}
        if part.is_error:
            if self._family.has_status:
                result["status"] = "error"
            else:
                self.dropped.append(f"{part.path}.is_error")
        return {"toolResult": result}

    def _media(self, part: Media) -> Block:
        if part.detail not in ("", "auto"):
            self.dropped.append(f"{part.path}.detail")
        block: Block = {"format": _format_of(part), "source": _source_of(part)}
        if part.kind == "document":
            block["name"] = self._document_name(part)
        return {part.kind: block}

    def _document_name(self, part: Media) -> str:
        """A name of the alphabet, without its ending (the format says that), once in the request."""
        stem = part.name.rpartition(".")[0] or part.name
        plain = _OUTSIDE_NAMES.sub(" ", stem).strip()[:180] or "document"
        name, number = plain, 1
        while name in self._names:
            number += 1
            name = f"{plain} {number}"
        self._names.add(name)
        return name


def _format_of(part: Media) -> str:
    formats = _FORMATS.get(part.kind)
    if formats is None:
        raise unsayable(part.path, f"it takes no {part.kind}")
    media_type = part.media_type.partition(";")[0].strip().lower()
    if part.text and not media_type:
        return "txt"
    ending = (part.name or part.url).rpartition(".")[2].lower()
    found = formats.get(media_type) or (ending if ending in formats.values() else "")
    found = found or next((one for start, one in _MAGIC if part.data.startswith(start)), "")
    if found not in formats.values():
        kinds = ", ".join(dict.fromkeys(formats.values()))
        raise unsayable(part.path, f"it takes {part.kind}s as {kinds}")
    return found


def _source_of(part: Media) -> Block:
    if part.text:
        return {"bytes": base64.b64encode(part.text.encode("utf-8", "replace")).decode()}
    if part.data:
        return {"bytes": _standard(part.data, part.path)}
    if part.url.startswith("s3://"):
        return {"s3Location": {"uri": part.url}}
    if part.file_id:
        raise unsayable(part.path, "a file kept at another provider is out of its reach")
    raise unsayable(part.path, "it reads no web addresses; send the data itself, in base64")


def _standard(data: str, path: str) -> str:
    """Base64 in the standard alphabet. Raises `CallerFault` for what is none."""
    try:
        plain = data.translate(str.maketrans("-_", "+/")).rstrip("=")
        padded = plain + "=" * (-len(plain) % 4)
        base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise CallerFault("invalid_value", f"'{path}' is not base64.", param=path) from None
    return padded
