"""The assistant's message in an answer that is worth learning from: whole, or put together from a stream.

Source: OpenAI API reference, "chat completion object" and "chat completion chunk object". Both ways give the
same message: `role`, `content`, and `tool_calls` if there are any. None stands for an answer that teaches
nothing: another finish reason than "stop" and "tool_calls", several choices, neither text nor tool calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.wire import json

FINISHED = ("stop", "tool_calls")


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Part(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    message: _Part | None = None
    delta: _Part | None = None
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def whole_message(data: bytes) -> bytes | None:
    """The message of a whole answer, as JSON."""
    try:
        choices = _decode(data).choices or []
    except (msgspec.DecodeError, RecursionError):
        return None
    if len(choices) != 1 or choices[0].message is None:
        return None
    gathered = _Gathered()
    gathered.add(choices[0].message)
    return gathered.message(choices[0].finish_reason)


def streamed_message(payloads: Iterable[bytes]) -> bytes | None:
    """The message behind a stream's frames (their data, in order), as JSON."""
    gathered = _Gathered()
    finish = None
    for data in payloads:
        if not data or data == b"[DONE]":
            continue
        try:
            choices = _decode(data).choices or []
        except (msgspec.DecodeError, RecursionError):
            return None
        for choice in choices:
            if choice.index:
                return None  # a second choice
            finish = choice.finish_reason or finish
            if choice.delta is not None:
                gathered.add(choice.delta)
    return gathered.message(finish)


class _Gathered:
    """A message that grows by parts; a whole one is one part."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._arguments: list[list[str]] = []
        self._places: dict[int, int] = {}  # a call's index in the stream → its place in ours

    def add(self, part: _Part) -> None:
        if part.content:
            self._texts.append(part.content)
        for call in part.tool_calls or ():
            self._add_call(call)

    def message(self, finish: str | None) -> bytes | None:
        if finish not in FINISHED or not (self._texts or self._calls):
            return None
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._texts) or None}
        if self._calls:
            for call, pieces in zip(self._calls, self._arguments, strict=True):
                call["function"]["arguments"] = "".join(pieces)
            if not all(call["function"]["name"] for call in self._calls):
                return None
            message["tool_calls"] = self._calls
        return json.encode(message)

    def _add_call(self, call: _ToolCall) -> None:
        place = self._place_of(call)
        known, function = self._calls[place], call.function
        known["id"] = known["id"] or call.id or ""
        if function is not None:
            known["function"]["name"] = known["function"]["name"] or function.name or ""
            self._arguments[place].append(function.arguments or "")

    def _place_of(self, call: _ToolCall) -> int:
        """By its index; some providers send none, or the same one for every call with an id of its own."""
        last = len(self._calls) - 1
        place = self._places.get(call.index, -1) if call.index is not None else (-1 if call.id else last)
        is_other = place >= 0 and call.id and self._calls[place]["id"] not in ("", call.id)
        if place < 0 or is_other:
            place = last + 1
            self._calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
            self._arguments.append([])
            if call.index is not None:
                self._places[call.index] = place
        return place
