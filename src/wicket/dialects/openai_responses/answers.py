"""A whole answer, read. Source: OpenAI's OpenAPI description, `Response` and `OutputItem`."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.hub import Completion, Finish, Foreign, Media, Part, Refusal, Text, Thinking, ToolCall
from wicket.dialects.openai_chat.answer import object_of, objects, text
from wicket.dialects.openai_responses.apis import NAME
from wicket.dialects.openai_responses.carrier import own_seal, unpack, unpack_call
from wicket.dialects.openai_responses.content import nested
from wicket.dialects.openai_responses.faults import failure
from wicket.dialects.openai_responses.usage import counts_of
from wicket.errors import UpstreamBroken
from wicket.wire import json

Object = dict[str, Any]
COMPLETED = ("completed", "complete")  # the second is Azure's for some models
REASONS = {
    "max_output_tokens": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "content_filter": Finish.FILTERED,
    "pause_turn": Finish.PAUSED,
}
# What an answer says of the request and of itself beside its output; none of it is part of what was said.
_ECHOED = frozenset((
    "id", "object", "created_at", "completed_at", "status", "error", "incomplete_details", "model",
    "output", "usage", "service_tier", "instructions", "max_output_tokens", "max_tool_calls",
    "metadata", "parallel_tool_calls", "previous_response_id", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier", "store",
    "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
    "background", "conversation", "prompt", "frequency_penalty", "presence_penalty", "billing",
    "tool_usage", "status_details", "tool_calls", "total_tokens", "output_text",
))  # fmt: skip
_MESSAGE = frozenset(("id", "type", "role", "status", "content", "phase"))
_TEXT = frozenset(("type", "text", "annotations", "logprobs", "citations"))
_THOUGHT = frozenset(("id", "type", "summary", "content", "encrypted_content", "status", "format"))
_CALL = frozenset(("id", "type", "call_id", "name", "arguments", "status", "namespace", "caller"))


def read_completion(data: bytes) -> Completion:
    """A whole answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    answer = object_of(data)
    if not isinstance(answer.get("output"), list) and not answer.get("error"):
        raise UpstreamBroken("malformed", "The provider's answer has no output.")
    unread: list[str] = []
    parts = read_output(answer.get("output"), unread)
    reason, finish = finish_of(answer, has_calls=any(isinstance(part, ToolCall) for part in parts))
    unread += _left(answer, _ECHOED, "")
    return Completion(
        origin=NAME,
        id=text(answer.get("id")),
        model=text(answer.get("model")),
        created_s=seconds(answer.get("created_at")),
        parts=parts,
        finish=finish,
        raw_finish=reason,
        counts=counts_of(answer),
        logprobs=_logprobs(answer["output"]),
        service_tier=text(answer.get("service_tier")),
        unread=unread,
    )


def seconds(value: Any) -> int:
    """A time in whole seconds; 0 for what is none."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1 << 40 else 0


def finish_of(answer: Object, *, has_calls: bool) -> tuple[str, Finish]:
    """The provider's word and ours. Raises the fault of an answer that failed or is not at its end."""
    status = answer.get("status")
    if answer.get("error") or status == "failed":
        raise failure(answer.get("error"))
    if status in COMPLETED:
        return text(status), Finish.TOOL_CALLS if has_calls else Finish.STOP
    details = answer.get("incomplete_details")
    reason = text(details.get("reason")) if isinstance(details, dict) else ""
    if status == "incomplete" and reason in REASONS:
        return reason, REASONS[reason]
    shown = (reason or text(status) or "nothing")[:40]
    raise UpstreamBroken("failed_finish", f"The provider ended with {shown!r}.")


def read_output(output: Any, unread: list[str]) -> list[Part]:
    """The parts of all items."""
    parts: list[Part] = []
    for number, item in enumerate(objects(output)):
        parts += read_item(item, f"output[{number}]", unread, parts)
    return parts


def read_item(item: Object, path: str, unread: list[str], before: list[Part]) -> list[Part]:
    """One item's parts; a seal that we wrote behind a call goes to that call among `before`."""
    match item.get("type"):
        case "message":
            unread += _left(item, _MESSAGE, path)
            return _message(item, path, unread)
        case "reasoning":
            unread += _left(item, _THOUGHT, path)
            call = unpack_call(text(item.get("encrypted_content")))
            if call is not None:
                seal_call(before, *call)
                return []
            part = thought_of(item)
            return [] if part is None else [part]
        case "function_call":
            unread += _left(item, _CALL, path)
            made = call_of(item, text(item.get("arguments")))
            made.raw = msgspec.Raw(json.encode(item))
            return [made]
    return [whole_part(item)]


def _message(item: Object, path: str, unread: list[str]) -> list[Part]:
    found: list[Part] = []
    for number, piece in enumerate(objects(item.get("content"))):
        if piece.get("type") == "refusal":
            found.append(Refusal(origin=NAME, text=text(piece.get("refusal"))))
            continue
        if "text" not in piece:
            kind = text(piece.get("type"))
            found.append(Foreign(origin=NAME, raw=msgspec.Raw(json.encode(piece)), kind=kind))
            continue
        said = Text(origin=NAME, text=text(piece["text"]))
        notes = piece.get("annotations")
        if isinstance(notes, list) and notes:
            said.annotations = nested(notes)
        found.append(said)
        unread += _left(piece, _TEXT, f"{path}.content[{number}]")
    return found


def thought_of(item: Object) -> Thinking | None:
    """A reasoning item's thought; None for one that says nothing and has no seal: it is only kept."""
    pieces = objects(item.get("summary")) + objects(item.get("content"))
    said = "\n\n".join([text(piece.get("text")) for piece in pieces if text(piece.get("text"))])
    seal = text(item.get("encrypted_content"))
    part = unpack(seal)
    if part is None:
        seal = own_seal(text(item.get("id")), seal)
        part = Thinking(origin=NAME, signature=seal, is_redacted=bool(seal) and not said)
    part.text = said
    return part if said or part.signature else None


def call_of(item: Object, arguments: str) -> ToolCall:
    """A function call with these arguments."""
    name = text(item.get("call_id")) or text(item.get("id"))
    return ToolCall(origin=NAME, id=name, name=text(item.get("name")), arguments=arguments or "{}")


def whole_part(item: Object) -> Part:
    """An item that comes whole: a picture, or what only Responses understands."""
    kind, raw = text(item.get("type")), msgspec.Raw(json.encode(item))
    picture = text(item.get("result"))
    if kind == "image_generation_call" and picture:
        media_type = f"image/{text(item.get('output_format')) or 'png'}"
        return Media(origin=NAME, kind="image", media_type=media_type, data=picture, raw=raw)
    return Foreign(origin=NAME, raw=raw, kind=kind)


def seal_call(parts: list[Part], origin: str, call_id: str, signature: str) -> None:
    """Give a call its seal back."""
    for part in parts:
        if isinstance(part, ToolCall) and part.id == call_id:
            part.origin, part.signature = origin, signature


def _logprobs(output: Any) -> msgspec.Raw | None:
    """Of all texts together, as chat completions have them."""
    entries = [
        entry
        for item in objects(output)
        if item.get("type") == "message"
        for piece in objects(item.get("content"))
        for entry in objects(piece.get("logprobs"))
    ]
    return msgspec.Raw(json.encode({"content": entries})) if entries else None


def _left(held: Object, known: frozenset[str], path: str) -> list[str]:
    """The names that nothing here reads and that say something."""
    start = f"{path}." if path else ""
    return [start + name for name, value in held.items() if name not in known and value not in (None, [], {})]
