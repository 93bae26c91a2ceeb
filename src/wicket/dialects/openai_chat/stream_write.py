"""Deltas as a caller's stream. Source: OpenAI API reference, "the chat completion chunk object"."""

from __future__ import annotations

from typing import Any

from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Delta,
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
from wicket.dialects.openai_chat.answer import WORDS
from wicket.dialects.openai_chat.completion import FAMILY, image_of
from wicket.dialects.openai_chat.thoughts import detail_of
from wicket.dialects.openai_chat.turns_write import write_call
from wicket.dialects.openai_chat.usage import usage_json
from wicket.dialects.translation import Asked
from wicket.wire import json

Object = dict[str, Any]


class _Open:
    """A part under way: its number among its kind, and whether arguments have gone out."""

    __slots__ = ("has_arguments", "number", "part")

    def __init__(self, part: Part, number: int) -> None:
        self.part = part
        self.number = number
        self.has_arguments = False


class ChatWriter:
    """One stream: role first, id and name of a call once, usage and `[DONE]` at the end."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._begun: Began | None = None
        self._open: dict[int, _Open] = {}
        self._num_calls = 0
        self._num_thoughts = 0
        self._used: Used | None = None
        self._has_role = False

    def write(self, delta: Delta) -> bytes:
        """The frames for a delta."""
        match delta:
            case Began():
                self._begun = delta
                return self._role()
            case PartBegan(index=index, part=part):
                return self._begin(index, part)
            case TextDelta(index=index):
                return self._said(self._open[index], delta)
            case ArgumentsDelta(index=index, json=arguments):
                return self._arguments(self._open[index], arguments)
            case SignatureDelta(index=index, signature=signature):
                return self._sealed(self._open[index], signature)
            case AnnotationDelta(index=index, raw=raw):
                is_ours = index in self._open and self._open[index].part.origin in FAMILY
                return self._frame({"annotations" if is_ours else "citations": [raw]})
            case PartEnded(index=index):
                return self._end(index)
            case Stopped():
                return self._stop(delta)
            case Used():
                self._used = delta
        return b""

    def finish(self, cost_usd: float | None) -> bytes:
        """The usage frame, if it is wanted and known, and the end mark."""
        last = b""
        if self._asked.wants_usage and self._used is not None:
            usage = usage_json(self._used.counts, cost_usd, is_estimated=self._used.is_estimated)
            last = self._chunk([], {"usage": usage})
        return last + b"data: [DONE]\n\n"

    def _role(self) -> bytes:
        if self._has_role:
            return b""
        self._has_role = True
        return self._frame({"role": "assistant", "content": ""})

    def _begin(self, index: int, part: Part) -> bytes:
        start, made = self._role(), _Open(part, 0)
        self._open[index] = made
        match part:
            case ToolCall():
                made.number, self._num_calls = self._num_calls, self._num_calls + 1
                call = write_call(part)
                call["function"]["arguments"] = ""
                return start + self._frame({"tool_calls": [{"index": made.number, **call}]})
            case Thinking():
                made.number, self._num_thoughts = self._num_thoughts, self._num_thoughts + 1
                return start + (self._thought(made, part) if part.text or part.signature else b"")
            case Text(text=text) | Refusal(text=text) if text:
                return start + self._frame({_field(part): text})
            case Media():
                return start + self._frame({"images": [image_of(part)]})
            case Foreign(raw=raw) if raw is not None:
                return start + self._frame({"foreign_parts": [raw]})
        return start

    def _said(self, made: _Open, delta: TextDelta) -> bytes:
        part = made.part
        if isinstance(part, Thinking):
            return self._thought(made, Thinking(origin=part.origin, text=delta.text))
        logprobs = None if delta.logprobs is None else {"content": delta.logprobs}
        return self._frame({_field(part): delta.text}, logprobs=logprobs)

    def _thought(self, made: _Open, piece: Thinking) -> bytes:
        said: Object = {"reasoning_content": piece.text} if piece.text else {}
        return self._frame({**said, "reasoning_details": [_piece(piece, made.number)]})

    def _arguments(self, made: _Open, arguments: str) -> bytes:
        made.has_arguments = True
        return self._frame({"tool_calls": [{"index": made.number, "function": {"arguments": arguments}}]})

    def _sealed(self, made: _Open, signature: str) -> bytes:
        part = made.part
        if isinstance(part, ToolCall):
            seal = {"google": {"thought_signature": signature}}
            return self._frame({"tool_calls": [{"index": made.number, "extra_content": seal}]})
        if isinstance(part, Thinking):
            return self._thought(made, Thinking(origin=part.origin, signature=signature))
        return b""

    def _end(self, index: int) -> bytes:
        made = self._open.pop(index, None)
        if made is None or not isinstance(made.part, ToolCall) or made.has_arguments:
            return b""
        return self._arguments(made, made.part.arguments)

    def _stop(self, delta: Stopped) -> bytes:
        more: Object = {"stop_reason": delta.stop} if delta.stop else {}
        word = WORDS[delta.finish]
        if delta.raw_finish and delta.raw_finish != word:
            more["native_finish_reason"] = delta.raw_finish
        return self._role() + self._frame({}, finish_reason=word, **more)

    def _frame(self, delta: Object, **choice: Any) -> bytes:
        made: Object = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None} | choice
        return self._chunk([made], {})

    def _chunk(self, choices: list[Object], more: Object) -> bytes:
        begun, asked = self._begun, self._asked
        chunk: Object = {
            "id": (begun.id if begun is not None else "") or asked.id,
            "object": "chat.completion.chunk",
            "created": (begun.created_s if begun is not None else 0) or asked.created_s,
            "model": (begun.model if begun is not None else "") or asked.model,
            "choices": choices,
            **more,
        }
        return b"data: %b\n\n" % json.encode(chunk)


def _piece(piece: Thinking, number: int) -> Object:
    """A detail's next piece; clients join those of one index."""
    detail = detail_of(piece, number)
    if not piece.text and not piece.is_redacted:
        del detail["text"]
    return detail


def _field(part: Part) -> str:
    return "refusal" if isinstance(part, Refusal) else "content"
