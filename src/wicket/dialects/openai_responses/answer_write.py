"""Answers as a Responses caller reads them. Source: OpenAI's OpenAPI description, `Response`.

What the request said is echoed. Nothing is kept here: `store` is false, whatever was asked.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.hub import Completion, Finish, Foreign, Media, Part, Refusal, Text, Thinking, ToolCall
from wicket.dialects.openai_chat.answer import objects, text
from wicket.dialects.openai_responses.apis import NAME
from wicket.dialects.openai_responses.carrier import pack, pack_call, split_own
from wicket.dialects.openai_responses.content import flat, is_annotation
from wicket.dialects.openai_responses.usage import usage_json
from wicket.dialects.translation import Asked
from wicket.wire import json

Object = dict[str, Any]
_ECHOED: tuple[tuple[str, Any], ...] = (
    ("background", False),
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("metadata", {}),
    ("parallel_tool_calls", True),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("reasoning", {"effort": None, "summary": None}),
    ("safety_identifier", None),
    ("temperature", 1.0),
    ("text", {"format": {"type": "text"}}),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_logprobs", 0),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("user", None),
)
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")  # OpenAI's words
_REASONS = {
    Finish.LENGTH: "max_output_tokens",
    Finish.FILTERED: "content_filter",
    Finish.PAUSED: "pause_turn",
}


def number_of(asked: Asked) -> str:
    """What the ids of an answer and its items have in common with the request's."""
    return asked.id.removeprefix("req_")


def response_object(asked: Asked, told: Object) -> Object:
    """A response around `told`, which has its id, model, times, output and what came of it."""
    fields = asked.fields
    response: Object = {
        "id": f"resp_{number_of(asked)}",
        "object": "response",
        "created_at": asked.created_s,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": asked.model,
        "output": [],
    }
    for name, usual in _ECHOED:
        raw = fields.get(name)
        response[name] = usual if raw is None or bytes(raw) == b"null" else raw
    return response | {"store": False, "service_tier": "default", "usage": None} | told


def ending(finish: Finish | None) -> Object:
    """Status and, if it is not whole, why. An answer without a finish reason is not complete."""
    if finish is None:
        return {"status": "incomplete", "incomplete_details": None}
    reason = _REASONS.get(finish)
    if reason is None:
        return {"status": "completed", "incomplete_details": None}
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


def write_completion(completion: Completion, asked: Asked, cost_usd: float | None) -> bytes:
    """A whole answer as JSON bytes; `usage.cost` is ours."""
    number = number_of(asked)
    items, foreign = _items(completion, number)
    told: Object = {"output": items, **ending(completion.finish)}
    if completion.id.startswith("resp_"):
        told["id"] = completion.id
    if completion.model:
        told["model"] = completion.model
    if completion.created_s:
        told["created_at"] = completion.created_s
    if completion.service_tier in _TIERS:
        told["service_tier"] = completion.service_tier
    if completion.counts is not None:
        told["usage"] = usage_json(completion.counts, cost_usd)
    if told["status"] != "completed" and items:
        items[-1]["status"] = "incomplete"
    if foreign:
        told["foreign_parts"] = foreign
    return json.encode(response_object(asked, told))


def _items(completion: Completion, number: str) -> tuple[list[Object], list[msgspec.Raw]]:
    """The output's items, and the parts that have no form here."""
    items: list[Object] = []
    foreign: list[msgspec.Raw] = []
    logprobs = _entries(completion.logprobs)
    said: list[Object] | None = None  # of the message that is open
    for part in completion.parts:
        if isinstance(part, Text | Refusal):
            if said is None:
                said = []
                items.append(message_item(f"msg_{number}_{len(items)}", said))
            said.append(said_piece(part, logprobs if isinstance(part, Text) else []))
            logprobs = [] if isinstance(part, Text) else logprobs
            continue
        said = None
        if isinstance(part, Foreign):
            foreign += [part.raw] if part.raw is not None else []
        else:
            items.append(item_of(part, f"{number}_{len(items)}"))
            if isinstance(part, ToolCall) and part.signature:
                items.append(seal_item(part, f"{number}_{len(items)}"))
    return items, foreign


def _entries(logprobs: msgspec.Raw | None) -> list[Any]:
    if logprobs is None:
        return []
    found = json.decode(logprobs)
    return entries_of(found.get("content") if isinstance(found, dict) else None)


def entries_of(entries: Any) -> list[Any]:
    """Log-probabilities with all that Responses has in each, also where their provider has less."""
    return [
        {**_filled(entry), "top_logprobs": [_filled(one) for one in objects(entry.get("top_logprobs"))]}
        for entry in objects(entries)
    ]


def _filled(entry: Object) -> Object:
    if isinstance(entry.get("bytes"), list):
        return entry
    return {**entry, "bytes": list(text(entry.get("token")).encode("utf-8", "surrogatepass"))}


def message_item(item_id: str, content: list[Object], status: str = "completed") -> Object:
    """A message of the assistant."""
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def said_piece(part: Text | Refusal, logprobs: list[Any]) -> Object:
    """One piece of a message's content. Citations of other forms stand beside OpenAI's."""
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    piece: Object = {"type": "output_text", "text": part.text, "annotations": [], "logprobs": logprobs}
    if part.annotations is not None:
        notes = flat(part.annotations)
        piece["annotations"] = [note for note in notes if is_annotation(note)]
        others = [note for note in notes if not is_annotation(note)]
        if others:
            piece["citations"] = others
    return piece


def item_of(part: Part, number: str) -> Object:
    """The item that a thought, a call or a picture is."""
    match part:
        case Thinking():
            return thought_item(part, number)
        case ToolCall():
            return call_item(part, number)
        case Media():
            return picture_item(part, number)
    raise TypeError(type(part).__name__)


def thought_item(part: Thinking, number: str, status: str = "completed") -> Object:
    """A thought: its text as a summary, which is where clients look, and its seal.

    An id of ours begins otherwise than OpenAI's: a seal is not bound to it.
    """
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    item_id, encrypted = split_own(part.signature) if part.origin == NAME else ("", pack(part))
    item: Object = {"id": item_id or f"rsw_{number}", "type": "reasoning", "summary": summary}
    return {**item, "encrypted_content": encrypted or None, "status": status}


def call_item(part: ToolCall, number: str, status: str = "completed") -> Object:
    """A function call."""
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": status,
        "call_id": part.id,
        "name": part.name,
        "arguments": part.arguments,
    }


def seal_item(part: ToolCall, number: str) -> Object:
    """What carries a call's seal."""
    item = {"id": f"rsw_{number}", "type": "reasoning", "summary": []}
    return {**item, "encrypted_content": pack_call(part), "status": "completed"}


def picture_item(part: Media, number: str) -> Object:
    """A picture in an answer."""
    item: Object = {"id": f"ig_{number}", "type": "image_generation_call", "status": "completed"}
    if part.media_type.startswith("image/"):
        item["output_format"] = part.media_type.removeprefix("image/")
    return {**item, "result": part.data or part.url}
