"""Content blocks of a message as parts, each with its raw JSON and the path its caller knows it by."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.anthropic_messages import carrier
from wicket.dialects.hub import Foreign, Media, Part, Text, Thinking, ToolCall, ToolResult, Turn
from wicket.dialects.openai_chat.content import checked
from wicket.errors import CallerFault
from wicket.wire import json

NAME = "anthropic_messages"
Block = dict[str, msgspec.Raw]

_ROLES = ("user", "assistant", "system")
_KNOWN: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
    "image": frozenset({"source"}),
    "document": frozenset({"source", "title"}),
}
_DEFAULTS: dict[str, Any] = {"caller": {"type": "direct"}, "citations": {"enabled": False}}


def type_fault(path: str, wanted: str) -> CallerFault:
    """A field of the wrong type."""
    return CallerFault("invalid_type", f"'{path}' must be {wanted}.", param=path)


class Reader:
    """Reads one request's messages; `unread` gathers the paths of what can't cross to another family."""

    def __init__(self) -> None:
        self.unread: list[str] = []

    def message(self, message: Block, path: str) -> list[Turn]:
        """A message's turns: runs of tool results apart from what the user says."""
        role = self.text(message, "role", path)
        if role not in _ROLES:
            raise CallerFault(
                "invalid_value", f"'{path}.role' must be user or assistant.", param=f"{path}.role"
            )
        if "content" not in message:
            raise CallerFault("missing_field", f"'{path}.content' is required.", param=f"{path}.content")
        self.unread += [f"{path}.{name}" for name in message if name not in ("role", "content")]
        parts = _sealed(self.parts(message["content"], f"{path}.content"))
        turns: list[Turn] = []
        for part in parts:
            kind = "tool" if role == "user" and isinstance(part, ToolResult) else role
            if not turns or turns[-1].role != kind:
                turns.append(Turn(role=kind, parts=[], path=path))
            turns[-1].parts.append(part)
        return turns or [Turn(role=role, parts=[], path=path)]

    def parts(self, raw: msgspec.Raw, path: str) -> list[Part]:
        """Content that is a string or a list of blocks."""
        if bytes(raw).startswith(b'"'):
            text = json.decode(raw, type=str)
            return [Text(text=text, origin=NAME, path=path)] if text else []
        try:
            blocks = json.decode(raw, type=list[msgspec.Raw])
        except json.DecodeError:
            raise type_fault(path, "a string or a list of blocks") from None
        return [self.part(block, f"{path}[{number}]") for number, block in enumerate(blocks)]

    def part(self, raw: msgspec.Raw, path: str) -> Part:
        """One block."""
        try:
            block = json.decode(raw, type=Block)
        except json.DecodeError:
            raise type_fault(path, "an object") from None
        kind = self.text(block, "type", path)
        if not kind:
            raise CallerFault("missing_field", f"'{path}.type' is required.", param=f"{path}.type")
        known = _KNOWN.get(kind)
        part = self._known(kind, block, raw, path) if known is not None else None
        if part is None or known is None:
            return Foreign(kind=kind, origin=NAME, path=path, raw=raw, cache=self.mark(block))
        for name, value in block.items():
            if name in known or name in ("type", "cache_control"):
                continue
            if json.decode(value) not in (None, _DEFAULTS.get(name)):
                self.unread.append(f"{path}.{name}")
        return part

    def _known(self, kind: str, block: Block, raw: msgspec.Raw, path: str) -> Part | None:
        mark = self.mark(block)
        if kind == "text":
            citations = block.get("citations")
            has_any = citations is not None and bytes(citations) not in (b"null", b"[]")
            text = self.needed(block, "text", path)
            annotations = citations if has_any else None
            return Text(text=text, annotations=annotations, origin=NAME, path=path, raw=raw, cache=mark)
        if kind == "thinking":
            origin, signature = NAME, self.text(block, "signature", path)
            carried = carrier.unpack(signature)
            if carried is not None:
                origin, signature = carried
            text = self.needed(block, "thinking", path)
            kept = raw if origin == NAME else None
            return Thinking(text=text, signature=signature, origin=origin, path=path, raw=kept)
        if kind == "redacted_thinking":
            data = self.needed(block, "data", path)
            return Thinking(is_redacted=True, signature=data, origin=NAME, path=path, raw=raw)
        if kind == "tool_use":
            return self._call(block, raw, path)
        if kind == "tool_result":
            content = block.get("content")
            parts = self.parts(content, f"{path}.content") if content is not None else []
            return ToolResult(
                id=self.needed(block, "tool_use_id", path),
                parts=tuple(parts),
                is_error=self.flag(block, "is_error", path) is True,
                origin=NAME,
                path=path,
                cache=mark,
            )
        return self._media(kind, block, raw, path)

    def _call(self, block: Block, raw: msgspec.Raw, path: str) -> ToolCall:
        arguments = block.get("input")
        if arguments is None or not bytes(arguments).startswith(b"{"):
            raise type_fault(f"{path}.input", "an object")
        return ToolCall(
            id=self.needed(block, "id", path),
            name=self.needed(block, "name", path),
            arguments=bytes(arguments).decode(),
            origin=NAME,
            path=path,
            raw=raw,
            cache=self.mark(block),
        )

    def _media(self, kind: str, block: Block, raw: msgspec.Raw, path: str) -> Media | None:
        try:
            source = json.decode(block.get("source", b"0"), type=dict[str, Any])
        except json.DecodeError:
            raise type_fault(f"{path}.source", "an object") from None
        form = source.get("type")
        name = self.text(block, "title", path)
        media = Media(kind=kind, origin=NAME, path=path, raw=raw, cache=self.mark(block), name=name)
        if form == "base64":
            media.data, media.media_type = source.get("data", ""), source.get("media_type", "")
        elif form == "url":
            media.url = source.get("url", "")
        elif form == "file":
            media.file_id = source.get("file_id", "")
        elif form == "text" and kind == "document":
            media.text, media.media_type = source.get("data", ""), "text/plain"
        elif form == "content" and kind == "document":
            text = _plain(source.get("content"))
            if text is None:
                return None
            media.text, media.media_type = text, "text/plain"
        else:
            message = f"'{path}.source.type' is none that a block of this type has."
            raise CallerFault("invalid_value", message, param=f"{path}.source.type")
        values = (media.data, media.url, media.file_id, media.text, media.media_type)
        if not all(isinstance(value, str) for value in values):
            raise type_fault(f"{path}.source", "an object of strings")
        if form == "base64":
            checked(media.data, f"{path}.source.data")
        return media

    def text(self, block: Block, name: str, path: str) -> str:
        """A string field; "" if absent or null."""
        raw = block.get(name)
        if raw is None:
            return ""
        try:
            return json.decode(raw, type=str | None) or ""
        except json.DecodeError:
            raise type_fault(f"{path}.{name}", "a string") from None

    def needed(self, block: Block, name: str, path: str) -> str:
        """A string field that must be there."""
        if name not in block:
            raise CallerFault("missing_field", f"'{path}.{name}' is required.", param=f"{path}.{name}")
        return self.text(block, name, path)

    def flag(self, block: Block, name: str, path: str) -> bool | None:
        """A boolean field; None if absent or null."""
        raw = block.get(name)
        if raw is None:
            return None
        try:
            return json.decode(raw, type=bool | None)
        except json.DecodeError:
            raise type_fault(f"{path}.{name}", "true or false") from None

    def mark(self, block: Block) -> msgspec.Raw | None:
        """`cache_control`, its `ttl` included."""
        raw = block.get("cache_control")
        return None if raw is None or bytes(raw) == b"null" else raw


def _plain(content: object) -> str | None:
    """A document made of blocks as one text; None if there is more than text in it."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [
        block.get("text") for block in content if isinstance(block, dict) and block.get("type") == "text"
    ]
    if len(texts) != len(content):
        return None
    return "\n".join([text for text in texts if isinstance(text, str)])


def _sealed(parts: list[Part]) -> list[Part]:
    """Tool calls with the seals that came behind them in blocks of our own (`carrier`)."""
    seals: dict[str, tuple[str, str]] = {}
    kept: list[Part] = []
    for part in parts:
        found = (
            carrier.unpack_call(part.signature) if isinstance(part, Thinking) and part.is_redacted else None
        )
        if found is not None:
            seals[found[1]] = (found[0], found[2])
            continue
        other = carrier.unpack(part.signature) if isinstance(part, Thinking) and part.is_redacted else None
        if other is not None:
            part = msgspec.structs.replace(part, origin=other[0], signature=other[1], raw=None)
        kept.append(part)
    if not seals:
        return kept
    return [
        msgspec.structs.replace(part, origin=seals[part.id][0], signature=seals[part.id][1], raw=None)
        if isinstance(part, ToolCall) and part.id in seals
        else part
        for part in kept
    ]
