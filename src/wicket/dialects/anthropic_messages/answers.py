"""A whole message: read from a provider, written to a caller, or only looked at on its way past.

Source: Messages API reference ("Message", stop reasons), beta types of Anthropic's SDK 2.14 (2026-11).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.anthropic_messages import carrier
from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.anthropic_messages.faults import in_band
from wicket.dialects.anthropic_messages.request_writing import ANSWER_TOOL
from wicket.dialects.anthropic_messages.usage import Usage, counts, written_usage
from wicket.dialects.contract import Api, Counts, Whole
from wicket.dialects.hub import Completion, Finish, Foreign, Media, Part, Refusal, Text, Thinking, ToolCall
from wicket.dialects.translation import Asked
from wicket.errors import UpstreamBroken
from wicket.wire import json

MAX_MODEL = 256  # characters of the upstream's own name for itself that are kept

FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "pause_turn": Finish.PAUSED,
    "compaction": Finish.PAUSED,
    "refusal": Finish.FILTERED,
}
_WORDS = {
    Finish.STOP: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL_CALLS: "tool_use",
    Finish.PAUSED: "pause_turn",
    Finish.FILTERED: "refusal",
}
_KNOWN = frozenset(
    {"id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage", "error", "request_id"}
)
_BLOCK_FIELDS = {
    "text": frozenset({"type", "text", "citations"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input", "caller"}),
}
_DIRECT = {"type": "direct"}


class Head(msgspec.Struct):
    """What every look at a message needs."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[msgspec.Raw] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage | None = None
    error: Any = None
    input_tokens: int | None = None  # of count_tokens


_decode = msgspec.json.Decoder(Head).decode


def malformed(why: str) -> UpstreamBroken:
    """An answer that is none of this dialect."""
    return UpstreamBroken("malformed", f"The provider's answer is not what it promised: {why}.")


def _head(data: bytes) -> Head:
    try:
        head = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(str(error)) from None
    if head.type == "error" or head.error:
        raise in_band(head.error)
    return head


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer; an error inside a 200 or an unknown stop reason is a failure."""
    head = _head(data)
    if api.name == "messages.count_tokens":
        if head.input_tokens is None:
            raise malformed("it has no input_tokens")
        return Whole("", Counts())  # counting costs nothing
    if head.content is None:
        raise malformed("it has no content")
    finish_of(head.stop_reason)
    return Whole((head.model or "")[:MAX_MODEL], counts(head.usage))


def finish_of(reason: str | None) -> Finish:
    """The finish behind a stop reason; raises `UpstreamBroken` for an unknown one."""
    finish = FINISHES.get(reason or "")
    if finish is None:
        raise UpstreamBroken(
            "failed_finish", f"The provider ended with '{(reason or 'no reason')[:MAX_MODEL]}'."
        )
    return finish


def read_completion(data: bytes) -> Completion:
    """A whole answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    head = _head(data)
    if head.content is None:
        raise malformed("it has no content")
    unread = _unread(data)
    parts = [_part(raw, f"content[{number}]", unread) for number, raw in enumerate(head.content)]
    finish = finish_of(head.stop_reason)
    if finish is Finish.TOOL_CALLS and not any(isinstance(part, ToolCall) for part in parts):
        finish = Finish.STOP  # the only call was the answer itself (`ANSWER_TOOL`)
    return Completion(
        origin=NAME,
        id=head.id or "",
        model=(head.model or "")[:MAX_MODEL],
        parts=parts,
        finish=finish,
        raw_finish=head.stop_reason or "",
        stop=head.stop_sequence or "",
        counts=counts(head.usage),
        service_tier=(head.usage.service_tier if head.usage else None) or "",
        unread=unread,
    )


def _unread(data: bytes) -> list[str]:
    fields: dict[str, Any] = json.decode(data)
    return [name for name, value in fields.items() if name not in _KNOWN and value not in (None, [], {})]


def _part(raw: msgspec.Raw, path: str, unread: list[str]) -> Part:
    try:
        block = json.decode(raw, type=dict[str, Any])
    except json.DecodeError:
        raise malformed(f"{path} is no block") from None
    part = read_block(block, raw)
    known = _BLOCK_FIELDS.get(block["type"])
    if known is not None:
        unread += [f"{path}.{name}" for name in block if name not in known and block[name] is not None]
        if block.get("caller") not in (None, _DIRECT):
            unread.append(f"{path}.caller")
    return part


def read_block(block: dict[str, Any], raw: msgspec.Raw) -> Part:
    """A block of an answer as a part. Raises `UpstreamBroken` for one without its own fields."""
    try:
        return _known_block(block, raw)
    except (KeyError, TypeError, AttributeError, msgspec.DecodeError):
        raise malformed(f"a block of type '{str(block.get('type'))[:40]}' is incomplete") from None


def _known_block(block: dict[str, Any], raw: msgspec.Raw) -> Part:
    kind = block["type"]
    if kind == "text":
        citations = block.get("citations")
        annotations = msgspec.Raw(json.encode(citations)) if citations else None
        return Text(text=_string(block["text"]), annotations=annotations, origin=NAME, raw=raw)
    if kind == "thinking":
        signature = _string(block.get("signature") or "")
        return Thinking(text=_string(block["thinking"]), signature=signature, origin=NAME, raw=raw)
    if kind == "redacted_thinking":
        return Thinking(is_redacted=True, signature=_string(block["data"]), origin=NAME, raw=raw)
    if kind == "tool_use":
        arguments = bytes(json.decode(raw, type=dict[str, msgspec.Raw])["input"]).decode()
        if not isinstance(block["input"], dict):
            raise TypeError
        if block["name"] == ANSWER_TOOL:
            return Text(text=arguments, origin=NAME)
        return ToolCall(
            id=_string(block["id"]), name=_string(block["name"]), arguments=arguments, origin=NAME, raw=raw
        )
    return Foreign(kind=_string(kind), origin=NAME, raw=raw)


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def write_completion(completion: Completion, asked: Asked, cost_usd: float | None) -> bytes:
    """A whole answer as JSON bytes."""
    content = [block for part in completion.parts for block in write_blocks(part, completion.origin)]
    reason, stop = stop_words(completion.finish, completion.raw_finish, completion.stop, completion.origin)
    return json.encode(
        {
            "id": message_id(asked),
            "type": "message",
            "role": "assistant",
            "model": completion.model or asked.model,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": stop,
            "usage": written_usage(completion.counts, cost_usd, completion.service_tier),
        }
    )


def message_id(asked: Asked) -> str:
    """Our id of the answer, in the form that clients of this dialect know."""
    return asked.id if asked.id.startswith("msg_") else f"msg_{asked.id}"


def stop_words(finish: Finish, raw: str, stop: str, origin: str) -> tuple[str, str | None]:
    """`stop_reason` and `stop_sequence`."""
    reason = raw if origin == NAME and FINISHES.get(raw) is finish else _WORDS[finish]
    return reason, stop if reason == "stop_sequence" and stop else None


def write_blocks(part: Part, answer_origin: str) -> list[Any]:
    """A part of an answer as blocks; none where the dialect has no word for it or there is nothing to say."""
    origin = part.origin or answer_origin
    match part:
        case Text():
            if not part.text:
                return []
            block: dict[str, Any] = {"type": "text", "text": part.text}
            if part.annotations is not None and origin == NAME:
                block["citations"] = part.annotations
            return [block]
        case Refusal():
            return [{"type": "text", "text": part.text}] if part.text else []
        case Thinking():
            return [thinking_block(part, origin)]
        case ToolCall():
            call = {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part.arguments)}
            return [call, *seal_blocks(part.id, origin, part.signature)]
        case Media():
            return [media_block(part)]
        case Foreign() if origin == NAME and part.raw is not None:
            return [part.raw]
    return []


def thinking_block(part: Thinking, origin: str) -> dict[str, Any]:
    """A thought; one of another family carries its origin along (`carrier`)."""
    signature = part.signature if origin == NAME else carrier.pack(origin, part.signature)
    if part.is_redacted:
        return {"type": "redacted_thinking", "data": signature}
    return {"type": "thinking", "thinking": part.text, "signature": signature}


def seal_blocks(call_id: str, origin: str, signature: str) -> list[dict[str, Any]]:
    """The block that carries a tool call's seal, if it has one."""
    if not signature or origin == NAME:
        return []
    return [{"type": "redacted_thinking", "data": carrier.pack_call(origin, call_id, signature)}]


def media_block(part: Media) -> dict[str, Any]:
    """Media that a model made. Anthropic's own models make none; the form is that of requests."""
    source = (
        {"type": "url", "url": part.url}
        if part.url
        else {
            "type": "base64",
            "media_type": part.media_type,
            "data": part.data,
        }
    )
    return {"type": part.kind, "source": source}


def _input(arguments: str) -> Any:
    """The arguments as they are if they are an object; else what clients can still show."""
    text = arguments.strip() or "{}"
    try:
        json.decode(text, type=dict[str, msgspec.Raw])
    except json.DecodeError:
        raise malformed("the arguments of a tool call are not the JSON text of an object") from None
    return msgspec.Raw(text.encode())
