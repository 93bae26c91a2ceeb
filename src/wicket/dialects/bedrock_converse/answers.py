"""Whole answers of Converse as the hub's parts. Source: `ConverseResponse` of the API reference."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.bedrock_converse.block_writing import ORIGIN
from wicket.dialects.bedrock_converse.endings import ServiceTier, Usage, read_finish, usage_counts
from wicket.dialects.bedrock_converse.names import callers_name
from wicket.dialects.hub import Completion, Foreign, Media, Part, Text, Thinking, ToolCall
from wicket.errors import UpstreamBroken
from wicket.wire import json

_KNOWN = frozenset({"output", "stopReason", "usage", "metrics", "serviceTier", "performanceConfig"})
"""What is read, and what is about the call and not the answer: how long it took, how it was served."""


class _Message(msgspec.Struct):
    content: list[msgspec.Raw]


class _Output(msgspec.Struct):
    message: _Message


class Answer(msgspec.Struct, rename="camel"):
    """A whole answer."""

    output: _Output
    stop_reason: str
    usage: Usage | None = None
    service_tier: ServiceTier | None = None


class _Call(msgspec.Struct, rename="camel"):
    tool_use_id: str
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")
    type: str | None = None


class _Said(msgspec.Struct):
    text: str = ""
    signature: str | None = None


class _Reasoning(msgspec.Struct, rename="camel"):
    reasoning_text: _Said | None = None
    redacted_content: str | None = None


class _Piece(msgspec.Struct):
    text: str | None = None


class _Cited(msgspec.Struct):
    content: list[_Piece] | None = None
    citations: list[msgspec.Raw] | None = None


class _Source(msgspec.Struct):
    bytes: str | None = None


class _Image(msgspec.Struct):
    format: str = "png"
    source: _Source | None = None


decode_answer = msgspec.json.Decoder(Answer).decode
decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_call = msgspec.json.Decoder(_Call).decode
_decode_reasoning = msgspec.json.Decoder(_Reasoning).decode
_decode_cited = msgspec.json.Decoder(_Cited).decode
_decode_image = msgspec.json.Decoder(_Image).decode


def malformed(error: object) -> UpstreamBroken:
    """The fault for an answer of another shape."""
    return UpstreamBroken("malformed", f"The provider's answer is not what it promised: {str(error)[:300]}.")


def read_completion(data: bytes) -> Completion:
    """A whole answer. Raises `UpstreamBroken`."""
    try:
        answer, members = decode_answer(data), decode_members(data)
        parts = [part for raw in answer.output.message.content if (part := read_block(raw)) is not None]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(error) from None
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    return Completion(
        origin=ORIGIN,
        parts=parts,
        finish=read_finish(answer.stop_reason, has_calls=has_calls),
        raw_finish=answer.stop_reason,
        counts=usage_counts(answer.usage, answer.service_tier),
        service_tier=(answer.service_tier.type or "") if answer.service_tier else "",
        unread=unread_members(members, _KNOWN),
    )


def unread_members(members: dict[str, msgspec.Raw], known: frozenset[str]) -> list[str]:
    """The names of members that say something and that nothing was made of."""
    return [name for name, raw in members.items() if name not in known and bytes(raw) not in (b"null", b"{}")]


def read_block(raw: msgspec.Raw) -> Part | None:
    """A content block; None for an empty text. Raises `DecodeError`."""
    members = {name: value for name, value in decode_members(raw).items() if bytes(value) != b"null"}
    if "text" in members:
        text = _decode_text(members["text"])
        return Text(origin=ORIGIN, text=text) if text else None
    if "toolUse" in members:
        return _call(members["toolUse"], raw)
    if "reasoningContent" in members:
        return _thinking(members["reasoningContent"])
    if "citationsContent" in members:
        return _cited(members["citationsContent"])
    if "image" in members:
        image = _decode_image(members["image"])
        if image.source is not None and image.source.bytes:
            return Media(
                origin=ORIGIN, kind="image", media_type=f"image/{image.format}", data=image.source.bytes
            )
    return Foreign(origin=ORIGIN, kind=next(iter(members), "empty"), raw=raw)


def _call(raw: msgspec.Raw, block: msgspec.Raw) -> Part:
    """A call for the caller; one that Bedrock itself carries out is its family's own business."""
    call = _decode_call(raw)
    if call.type is not None:
        return Foreign(origin=ORIGIN, kind=call.type, raw=block)
    arguments = bytes(call.input).decode()
    if arguments == "null":
        arguments = "{}"
    return ToolCall(origin=ORIGIN, id=call.tool_use_id, name=callers_name(call.name), arguments=arguments)


def _thinking(raw: msgspec.Raw) -> Part:
    found = _decode_reasoning(raw)
    if found.redacted_content is not None:
        return Thinking(origin=ORIGIN, is_redacted=True, signature=found.redacted_content)
    said = found.reasoning_text or _Said()
    return Thinking(origin=ORIGIN, text=said.text, signature=said.signature or "")


def _cited(raw: msgspec.Raw) -> Part:
    found = _decode_cited(raw)
    text = "".join([piece.text or "" for piece in found.content or ()])
    notes: Any = found.citations or None
    return Text(origin=ORIGIN, text=text, annotations=msgspec.Raw(json.encode(notes)) if notes else None)
