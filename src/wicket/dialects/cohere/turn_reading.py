"""A caller's messages and documents as turns. Source: Cohere API reference, `ChatMessageV2`, `Document`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wicket.dialects.cohere import carrier
from wicket.dialects.cohere.answers import ORIGIN
from wicket.dialects.data_urls import from_url
from wicket.dialects.hub import Foreign, Media, Part, Text, Thinking, ToolCall, ToolResult, Turn
from wicket.wire import json
from wicket.wire.node import Node, kind, wrong_type, wrong_value

_ROLES = frozenset({"system", "user", "assistant"})
_PLAIN_DOCUMENT = frozenset({"text", "title"})


def read_turns(messages: Sequence[Node], unread: list[str]) -> list[Turn]:
    """All turns; results of tools that follow one another stand in one. Raises `CallerFault`."""
    turns: list[Turn] = []
    for message in messages:
        role = message.needed_text("role")
        if role == "tool":
            result = _result(message, unread)
            if turns and turns[-1].role == "tool":
                turns[-1].parts.append(result)
            else:
                turns.append(Turn(role="tool", parts=[result], path=message.path))
        elif role in _ROLES:
            parts = _content(message, unread)
            if role == "assistant":
                parts = [*_plan(message), *parts, *_calls(message, unread)]
                _cite(message, parts)
            elif message.raw("content") is None:
                message.needed_text("content")
            turns.append(Turn(role=role, parts=parts, path=message.path))
        else:
            raise wrong_value(message.at("role"), "must be system, user, assistant or tool")
        unread += message.left_paths()
    return turns


def read_documents(root: Node, unread: list[str]) -> list[Part]:
    """What the answer may cite, as documents of plain text. Raises `CallerFault`."""
    found: list[Part] = []
    for index, raw in enumerate(root.items("documents") or ()):
        path = f"documents[{index}]"
        document = Media(kind="document", media_type="text/plain", origin=ORIGIN, path=path)
        if kind(raw) == "string":
            document.text = json.decode(raw, type=str)
        else:
            node = Node.of(raw, path)
            document.name, document.text = _document(node, unread)
        if document.text:
            found.append(document)
    return found


def _document(node: Node, unread: list[str]) -> tuple[str, str]:
    """Title and text. An id is for citations, which no other family gives by it."""
    data = node.raw("data")
    unread += node.left_paths()
    if data is None:
        raise wrong_value(node.at("data"), "is required")
    if kind(data) == "string":
        return "", json.decode(data, type=str)
    inner = Node.of(data, node.at("data"))
    if inner.left().keys() <= _PLAIN_DOCUMENT and inner.raw("text") is not None:
        return inner.text("title") or "", inner.needed_text("text")
    return "", bytes(data).decode()


def _plan(message: Node) -> list[Part]:
    plan = message.text("tool_plan")
    return [Thinking(origin=ORIGIN, path=message.at("tool_plan"), text=plan)] if plan else []


def _content(message: Node, unread: list[str]) -> list[Part]:
    raw = message.raw("content")
    if raw is None:
        return []
    if kind(raw) == "string":
        text = message.needed_text("content")
        return [Text(origin=ORIGIN, path=message.at("content"), text=text)] if text else []
    if kind(raw) != "array":
        raise wrong_type(message.at("content"), "a string or an array")
    parts: list[Part] = []
    for item, node in zip(message.items("content") or (), message.nodes("content") or (), strict=True):
        part = _item(node, item, unread)
        part.origin, part.path = part.origin or ORIGIN, node.path
        parts.append(part)
        if not isinstance(part, Foreign):
            unread += node.left_paths()
    return parts


def _item(node: Node, raw: msgspec.Raw, unread: list[str]) -> Part:
    match node.needed_text("type"):
        case "text":
            return Text(text=node.needed_text("text"))
        case "thinking":
            return _thinking(node)
        case "image_url":
            inner = node.node("image_url")
            if inner is None:
                raise wrong_value(node.at("image_url"), "is required")
            detail = inner.text("detail") or ""
            media = Media(kind="image", detail="" if detail == "auto" else detail)
            media = from_url(inner.needed_text("url"), media, inner.at("url"))
            unread += inner.left_paths()
            return media
        case "document":
            inner = node.node("document")
            if inner is None:
                raise wrong_value(node.at("document"), "is required")
            title, text = _document(inner, unread)
            return Text(text=f"{title}\n{text}" if title else text)
        case other:
            return Foreign(kind=other, raw=raw)


def _thinking(node: Node) -> Thinking:
    text, sealed = node.text("thinking") or "", carrier.unpack(node.text(carrier.SEAL) or "")
    if sealed is None:
        return Thinking(text=text)
    origin, signature, is_redacted = sealed
    return Thinking(text=text, origin=origin, signature=signature, is_redacted=is_redacted)


def _calls(message: Node, unread: list[str]) -> list[Part]:
    found: list[Part] = []
    items = message.items("tool_calls") or ()
    for raw, node in zip(items, message.nodes("tool_calls") or (), strict=True):
        what = node.text("type") or "function"
        if what != "function":
            found.append(Foreign(origin=ORIGIN, path=node.path, raw=raw, kind=what))
            continue
        function = node.node("function")
        if function is None:
            raise wrong_value(node.at("function"), "is required")
        call = ToolCall(
            origin=ORIGIN,
            path=node.path,
            id=node.needed_text("id"),
            name=function.needed_text("name"),
            arguments=function.text("arguments") or "{}",
        )
        sealed = carrier.unpack(node.text(carrier.SEAL) or "")
        if sealed is not None:
            call.origin, call.signature, _ = sealed
        found.append(call)
        unread += node.left_paths() + function.left_paths()
    return found


def _cite(message: Node, parts: list[Part]) -> None:
    citations = message.raw("citations")
    texts = [part for part in parts if isinstance(part, Text)]
    if citations is not None and bytes(citations) != b"[]" and texts:
        texts[-1].annotations = citations


def _result(message: Node, unread: list[str]) -> ToolResult:
    return ToolResult(
        origin=ORIGIN,
        path=message.path,
        id=message.needed_text("tool_call_id"),
        parts=tuple(_content(message, unread)),
    )
