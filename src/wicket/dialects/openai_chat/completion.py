"""A whole answer, read and written. Source: OpenAI API reference, "the chat completion object"."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.hub import Completion, Foreign, Media, Part, Refusal, Text, Thinking, ToolCall
from wicket.dialects.openai_chat.answer import WORDS, Object, counts_of, finish_of, object_of, objects, text
from wicket.dialects.openai_chat.content import ORIGIN
from wicket.dialects.openai_chat.thoughts import thinking_of, thoughts_of
from wicket.dialects.openai_chat.turns_read import google_seal
from wicket.dialects.openai_chat.turns_write import write_call
from wicket.dialects.openai_chat.usage import usage_json
from wicket.dialects.openai_errors import in_band, of_base_resp
from wicket.dialects.translation import Asked
from wicket.errors import UpstreamBroken
from wicket.wire import json

_TOP = frozenset(
    (
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "service_tier",
        "system_fingerprint",
        "error",
        "x_groq",
        "provider",
        "base_resp",
    )
)
_CHOICE = frozenset(["index", "message", "finish_reason", "logprobs", "native_finish_reason", "stop_reason"])
_MESSAGE = frozenset(
    (
        "role",
        "content",
        "refusal",
        "tool_calls",
        "function_call",
        "reasoning_content",
        "reasoning",
        "reasoning_details",
        "annotations",
        "images",
    )
)
FAMILY = (ORIGIN, "openai_responses", "")  # whose citations have this form


_SAYS_NOTHING = "stop"  # for "": Snowflake never gives a reason for a whole answer, which is no odd word


def read_completion(data: bytes) -> Completion:
    """A whole answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    answer = object_of(data)
    if answer.get("error"):
        raise in_band(answer["error"])
    fault = of_base_resp(answer.get("base_resp"))
    if fault is not None:
        raise fault
    choices = objects(answer.get("choices"))
    if not choices or not isinstance(choices[0].get("message"), dict):
        raise UpstreamBroken("malformed", "The provider's answer has no choices.")
    choice, message = choices[0], choices[0]["message"]
    parts = read_message(message)
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    reason = choice.get("finish_reason")
    created = answer.get("created")
    logprobs = choice.get("logprobs")
    return Completion(
        origin=ORIGIN,
        id=text(answer.get("id")),
        model=text(answer.get("model")),
        created_s=created if isinstance(created, int) else 0,
        parts=parts,
        finish=finish_of(_SAYS_NOTHING if reason == "" else reason, has_calls=has_calls),
        raw_finish=text(reason),
        stop=text(choice.get("stop_reason")),
        counts=counts_of(answer.get("usage")),
        logprobs=msgspec.Raw(json.encode(logprobs)) if isinstance(logprobs, dict) else None,
        service_tier=text(answer.get("service_tier")),
        unread=_unread(answer, choice, message),
    )


def _unread(answer: Object, choice: Object, message: Object) -> list[str]:
    found = []
    for path, held, known in (
        ("", answer, _TOP),
        ("choices[0].", choice, _CHOICE),
        ("choices[0].message.", message, _MESSAGE),
    ):
        found += [
            f"{path}{name}" for name, value in held.items() if name not in known and not _is_empty(value)
        ]
    return found


def _is_empty(value: Any) -> bool:
    """Nothing, also in the form of an object of nothings (Snowflake's `audio`)."""
    if isinstance(value, dict):
        return all(one in (None, "", 0) for one in value.values())
    return value is None or value == []


def read_message(message: Object) -> list[Part]:
    """The parts of an answer's message: thoughts, text, refusal, calls."""
    parts = _read_thoughts(message) + _read_text(message)
    refusal = text(message.get("refusal"))
    if refusal:
        parts.append(Refusal(origin=ORIGIN, text=refusal))
    parts += [_read_image(image) for image in objects(message.get("images"))]
    parts += [_read_call(call) for call in objects(message.get("tool_calls"))]
    function = message.get("function_call")
    if isinstance(function, dict) and function.get("name"):  # Snowflake: empty ones in place of none
        parts.append(ToolCall(origin=ORIGIN, id="call_0", name=text(function.get("name")),
                              arguments=text(function.get("arguments")) or "{}"))  # fmt: skip
    return parts


def _read_image(image: Object) -> Part:
    """OpenRouter's: a data URL."""
    inner = image.get("image_url")
    url = text(inner.get("url")) if isinstance(inner, dict) else ""
    head, _, data = url.partition(";base64,")
    if head.startswith("data:") and data:
        return Media(origin=ORIGIN, kind="image", media_type=head.removeprefix("data:"), data=data)
    return Media(origin=ORIGIN, kind="image", url=url)


def _read_call(call: Object) -> Part:
    function = call.get("function")
    if not isinstance(function, dict):
        return Foreign(
            origin=ORIGIN, raw=msgspec.Raw(json.encode(call)), kind=text(call.get("type")) or "custom"
        )
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # some clones send the object itself
        arguments = json.encode(arguments).decode()
    made = ToolCall(
        origin=ORIGIN,
        id=text(call.get("id")),
        name=text(function.get("name")),
        arguments=text(arguments) or "{}",
    )
    seal = google_seal(call.get("extra_content"))
    if seal:
        made.origin, made.signature = "gemini", seal
    return made


def _read_thoughts(message: Object) -> list[Part]:
    details = [thinking_of(one) for one in objects(message.get("reasoning_details"))]
    found: list[Part] = [part for part in details if part is not None]
    thought = text(message.get("reasoning_content")) or text(message.get("reasoning"))
    if not found and thought:
        found.append(Thinking(origin=ORIGIN, text=thought))
    return found


def _read_text(message: Object) -> list[Part]:
    content = message.get("content")
    parts: list[Part] = []
    if isinstance(content, str):
        if content:
            parts.append(Text(origin=ORIGIN, text=content))
    else:
        for piece in objects(content):
            if piece.get("type") == "thinking":  # Mistral
                said = "".join([text(one.get("text")) for one in objects(piece.get("thinking"))])
                parts.append(Thinking(origin=ORIGIN, text=said))
            elif "text" in piece:
                parts.append(Text(origin=ORIGIN, text=text(piece["text"])))
            else:
                kind = text(piece.get("type"))
                parts.append(Foreign(origin=ORIGIN, raw=msgspec.Raw(json.encode(piece)), kind=kind))
    annotations = message.get("annotations")
    texts = [part for part in parts if isinstance(part, Text)]
    if isinstance(annotations, list) and annotations and texts:
        texts[-1].annotations = msgspec.Raw(json.encode(annotations))
    return parts


def write_completion(completion: Completion, asked: Asked, cost_usd: float | None) -> bytes:
    """A whole answer as JSON bytes; `usage.cost` is ours."""
    choice: Object = {"index": 0, "message": write_message(completion.parts)}
    choice["logprobs"] = completion.logprobs
    choice["finish_reason"] = WORDS[completion.finish]
    if completion.stop:
        choice["stop_reason"] = completion.stop
    if completion.raw_finish and completion.raw_finish != choice["finish_reason"]:
        choice["native_finish_reason"] = completion.raw_finish
    answer: Object = {
        "id": completion.id or asked.id,
        "object": "chat.completion",
        "created": completion.created_s or asked.created_s,
        "model": completion.model or asked.model,
        "choices": [choice],
    }
    if completion.counts is not None:
        answer["usage"] = usage_json(completion.counts, cost_usd)
    if completion.service_tier:
        answer["service_tier"] = completion.service_tier
    return json.encode(answer)


def write_message(parts: list[Part]) -> Object:
    """An assistant's message. What only another family understands stands under `foreign_parts`."""
    texts = [part for part in parts if isinstance(part, Text)]
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    calls = [write_call(part) for part in parts if isinstance(part, ToolCall)]
    message: Object = {
        "role": "assistant",
        "content": "".join([part.text for part in texts]) if texts else None,
    }
    message["refusal"] = "".join(refusals) or None
    message |= thoughts_of(parts)
    if calls:
        message["tool_calls"] = calls
    for part in texts:
        if part.annotations is not None:
            name = "annotations" if part.origin in FAMILY else "citations"
            message.setdefault(name, []).extend(listed(part.annotations))
    images = [image_of(part) for part in parts if isinstance(part, Media)]
    if images:
        message["images"] = images
    foreign = [part.raw for part in parts if isinstance(part, Foreign) and part.raw is not None]
    if foreign:
        message["foreign_parts"] = foreign
    return message


def listed(raw: msgspec.Raw) -> list[Any]:
    """An array's items, or the one thing that is none."""
    found = json.decode(raw)
    return found if isinstance(found, list) else [found]


def image_of(part: Media) -> dict[str, Any]:
    """A picture (or a sound) in an answer, as OpenRouter shows it."""
    where = part.url or f"data:{part.media_type};base64,{part.data}"
    return {"type": "image_url", "image_url": {"url": where}}
