"""Answers as a Cohere caller reads them, whole and as typed events.

Cohere's clients keep members that they don't know: an answer's cost stands in `usage`, other families'
citations are `annotations` of their text, and parts that only another family understands `foreign_parts`.
Source: Cohere API reference, "Chat" response, "Chat with streaming".
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.cohere import carrier
from wicket.dialects.cohere.answers import ORIGIN
from wicket.dialects.contract import Counts
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Completion,
    Delta,
    Finish,
    Foreign,
    Media,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.dialects.translation import Asked
from wicket.errors import Fault
from wicket.wire import json

KEEP_ALIVE = b": wicket is waiting for the provider\n\n"
_END = b"data: [DONE]\n\n"
_FINISHES = {
    Finish.STOP: "COMPLETE",
    Finish.STOP_SEQUENCE: "STOP_SEQUENCE",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.TOOL_CALLS: "TOOL_CALL",
    Finish.FILTERED: "ERROR_TOXIC",  # version 1's: version 2 has no word for it
    Finish.PAUSED: "MAX_TOKENS",  # not at its end, and can be gone on with: no other word says so
}
Object = dict[str, Any]


def write_completion(completion: Completion, asked: Asked, cost_usd: float | None) -> bytes:
    """A whole answer as JSON bytes."""
    message: Object = {"role": "assistant"}
    content = [item for part in completion.parts if (item := _item(part)) is not None]
    calls = [_call(part) for part in completion.parts if isinstance(part, ToolCall)]
    if calls:
        message["tool_calls"] = calls
    if content or not calls:
        message["content"] = content
    foreign = [part.raw for part in completion.parts if isinstance(part, Foreign) and part.raw is not None]
    if foreign:
        message["foreign_parts"] = foreign
    answer: Object = {
        "id": asked.id,
        "finish_reason": _FINISHES[completion.finish],
        "message": message,
    }
    if completion.counts is not None:
        answer["usage"] = _usage(completion.counts, cost_usd)
    return json.encode(answer)


def fault_body(fault: Fault, request_id: str) -> bytes:
    """An error answer as JSON bytes."""
    return json.encode({"id": request_id, "message": fault.message})


def fault_frame(fault: Fault, request_id: str) -> bytes:
    """An error inside a stream: it ends with an error for its reason, and without the end mark."""
    return _event("message-end", id=request_id, delta={"finish_reason": "ERROR", "error": fault.message})


def _item(part: Part) -> Object | None:
    """An item of the content; None for a part that is none or says nothing."""
    match part:
        case Text() if part.annotations is not None:
            return {"type": "text", "text": part.text, "annotations": part.annotations}
        case Text() | Refusal() if part.text:
            return {"type": "text", "text": part.text}
        case Thinking() if part.text or part.signature:
            return {"type": "thinking", "thinking": part.text, **_seal(part)}
        case Media() if part.data or part.url:
            url = part.url or f"data:{part.media_type};base64,{part.data}"
            return {"type": "image_url", "image_url": {"url": url}}
    return None


def _seal(part: Part) -> Object:
    if not part.signature or part.origin == ORIGIN:
        return {}
    is_redacted = isinstance(part, Thinking) and part.is_redacted
    return {carrier.SEAL: carrier.pack(part.origin, part.signature, is_redacted=is_redacted)}


def _call(part: ToolCall, arguments: str | None = None) -> Object:
    function = {"name": part.name, "arguments": part.arguments if arguments is None else arguments}
    return {"id": part.id, "type": "function", "function": function, **_seal(part)}


def _usage(counts: Counts, cost_usd: float | None) -> Object:
    tokens = {"input_tokens": counts.input_tokens, "output_tokens": counts.output_tokens}
    searches = {"search_units": counts.searches} if counts.searches else {}
    billed = {**tokens, **searches}
    usage: Object = {"billed_units": billed, "tokens": tokens, "cached_tokens": counts.cached_tokens}
    return usage if cost_usd is None else {**usage, "cost": cost_usd}


def _event(kind: str, **members: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.encode({"type": kind, **members}))


class _Place(msgspec.Struct):
    """A part of the stream: its number among contents or calls, -1 before that began."""

    part: Part
    number: int = -1
    has_spoken: bool = False


class CohereWriter:
    """Writes one stream. Contents begin with their first words, as an empty one would say nothing."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._has_begun = False
        self._places: dict[int, _Place] = {}
        self._num_contents = 0
        self._num_calls = 0
        self._stopped = Stopped(Finish.STOP)
        self._counts: Counts | None = None
        self._foreign: list[msgspec.Raw] = []

    def write(self, delta: Delta) -> bytes:
        """The frames for a delta, b"" where the dialect has nothing to say."""
        match delta:
            case Stopped():
                self._stopped = delta
            case Used(counts=counts):
                self._counts = counts
            case Began():
                return self._begin()
            case PartBegan(index=index, part=part):
                return self._begin() + self._start(index, part)
            case TextDelta(index=index, text=text):
                return self._say(self._places[index], text)
            case ArgumentsDelta(index=index, json=text):
                return self._argue(self._places[index], text)
            case AnnotationDelta(index=index, raw=raw):
                return self._say(self._places[index], "", annotations=[raw])
            case SignatureDelta(index=index, signature=signature):
                place = self._places[index]
                place.part = msgspec.structs.replace(place.part, signature=signature)
            case PartEnded(index=index):
                return self._end(self._places.pop(index))
            case _:
                pass
        return b""

    def finish(self, cost_usd: float | None) -> bytes:
        """The last frames."""
        frames = self._begin() + b"".join([self._end(place) for place in self._places.values()])
        self._places.clear()
        delta: Object = {"finish_reason": _FINISHES[self._stopped.finish]}
        if self._foreign:
            delta["message"] = {"foreign_parts": self._foreign}
        if self._counts is not None:
            delta["usage"] = _usage(self._counts, cost_usd)
        return frames + _event("message-end", id=self._asked.id, delta=delta) + _END

    def _begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        return _event("message-start", id=self._asked.id, delta={"message": message})

    def _start(self, index: int, part: Part) -> bytes:
        place = self._places[index] = _Place(part)
        if isinstance(part, ToolCall):
            place.number, self._num_calls = self._num_calls, self._num_calls + 1
            message = {"tool_calls": _call(part, "")}
            frames = _event("tool-call-start", index=place.number, delta={"message": message})
            return frames + (self._argue(place, part.arguments) if part.arguments != "{}" else b"")
        if isinstance(part, Text | Refusal | Thinking):
            return self._say(place, part.text)
        if isinstance(part, Foreign) and part.raw is not None:
            self._foreign.append(part.raw)
        item = _item(part)
        return self._open(place, item) if item is not None else b""

    def _open(self, place: _Place, item: Object) -> bytes:
        place.number, self._num_contents = self._num_contents, self._num_contents + 1
        return _event("content-start", index=place.number, delta={"message": {"content": item}})

    def _say(self, place: _Place, text: str, **more: Any) -> bytes:
        if not (text or more):
            return b""
        kind = "thinking" if isinstance(place.part, Thinking) else "text"
        frames = self._open(place, {"type": kind, kind: ""}) if place.number < 0 else b""
        message = {"content": {kind: text, **more}}
        return frames + _event("content-delta", index=place.number, delta={"message": message})

    def _argue(self, place: _Place, text: str) -> bytes:
        if not text:
            return b""
        place.has_spoken = True
        message = {"tool_calls": {"function": {"arguments": text}}}
        return _event("tool-call-delta", index=place.number, delta={"message": message})

    def _end(self, place: _Place) -> bytes:
        seal = _seal(place.part)
        if isinstance(place.part, ToolCall):
            frames = b"" if place.has_spoken else self._argue(place, "{}")
            if seal:
                message = {"tool_calls": {"function": {"arguments": ""}, **seal}}
                frames += _event("tool-call-delta", index=place.number, delta={"message": message})
            return frames + _event("tool-call-end", index=place.number)
        frames = self._say(place, "", **seal) if isinstance(place.part, Thinking) else b""
        return frames + _event("content-end", index=place.number) if place.number >= 0 else frames
