"""Whole answers of Cohere as the hub's parts. Source: Cohere API reference, "Chat" response."""

from __future__ import annotations

import msgspec

from wicket.dialects.cohere.endings import Usage, read_finish, usage_counts
from wicket.dialects.hub import Completion, Foreign, Part, Text, Thinking, ToolCall
from wicket.errors import UpstreamBroken
from wicket.wire import json

ORIGIN = "cohere"
_KNOWN = frozenset({"id", "finish_reason", "message", "usage"})
_KNOWN_IN_MESSAGE = frozenset({"role", "content", "tool_calls", "tool_plan", "citations"})


class Function(msgspec.Struct):
    """What is called; in a stream, pieces of it."""

    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct):
    """A tool call; in a stream, a piece of one."""

    id: str | None = None
    function: Function | None = None


class _Item(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct):
    content: list[msgspec.Raw] | None = None
    tool_calls: list[Call] | None = None
    tool_plan: str | None = None
    citations: list[msgspec.Raw] | None = None


class Answer(msgspec.Struct):
    """A whole answer."""

    message: msgspec.Raw
    finish_reason: str
    id: str | None = None
    usage: Usage | None = None


decode_answer = msgspec.json.Decoder(Answer).decode
decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_item = msgspec.json.Decoder(_Item).decode


def malformed(error: object) -> UpstreamBroken:
    """The fault for an answer of another shape."""
    return UpstreamBroken("malformed", f"The provider's answer is not what it promised: {str(error)[:300]}.")


def read_completion(data: bytes) -> Completion:
    """A whole answer. Raises `UpstreamBroken`."""
    try:
        answer, members = decode_answer(data), decode_members(data)
        message = _decode_message(answer.message)
        inner = decode_members(answer.message)
        parts = _read_parts(message)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(error) from None
    unread = [*_unread(members, _KNOWN), *[f"message.{name}" for name in _unread(inner, _KNOWN_IN_MESSAGE)]]
    return Completion(
        origin=ORIGIN,
        id=answer.id or "",
        parts=parts,
        finish=read_finish(answer.finish_reason, has_calls=bool(message.tool_calls)),
        raw_finish=answer.finish_reason,
        counts=usage_counts(answer.usage),
        unread=unread,
    )


def _unread(members: dict[str, msgspec.Raw], known: frozenset[str]) -> list[str]:
    return [name for name, raw in members.items() if name not in known and bytes(raw) not in (b"null", b"[]")]


def _read_parts(message: _Message) -> list[Part]:
    """The plan before the calls is what the model thought; citations belong to the text they count in."""
    parts: list[Part] = []
    if message.tool_plan:
        parts.append(Thinking(origin=ORIGIN, text=message.tool_plan))
    for raw in message.content or ():
        item = _decode_item(raw)
        if item.type == "thinking":
            parts.append(Thinking(origin=ORIGIN, text=item.thinking or ""))
        elif item.type == "text":
            parts.append(Text(origin=ORIGIN, text=item.text or ""))
        else:
            parts.append(Foreign(origin=ORIGIN, kind=item.type or "unknown", raw=raw))
    if message.citations:
        text = next((one for one in reversed(parts) if isinstance(one, Text)), None)
        if text is None:
            text = Text(origin=ORIGIN, text="")
            parts.append(text)
        text.annotations = msgspec.Raw(json.encode(message.citations))
    for number, call in enumerate(message.tool_calls or ()):
        function = call.function or Function()
        arguments = function.arguments or "{}"
        id = call.id or f"call_{number}"
        parts.append(ToolCall(origin=ORIGIN, id=id, name=function.name or "", arguments=arguments))
    return parts
