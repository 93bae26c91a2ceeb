"""Cohere's typed events as deltas.

message-start, tool-plan-delta*, (content-start, content-delta*, content-end)*, (tool-call-start,
tool-call-delta*, tool-call-end)*, citation-start and -end where they fall, message-end. Contents and calls
count their `index` apart. Source: Cohere API reference, "Chat with streaming".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.dialects.cohere.answers import ORIGIN, Call, Function, malformed
from wicket.dialects.cohere.endings import Usage, read_finish, usage_counts
from wicket.dialects.cohere.errors import in_stream
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Delta,
    Over,
    Part,
    PartBegan,
    PartEnded,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.errors import UpstreamBroken


class _Content(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct):
    content: _Content | list[Any] | None = None
    tool_plan: str | None = None
    tool_calls: Call | list[Any] | None = None
    citations: msgspec.Raw = msgspec.Raw()


class _Delta(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    error: str | None = None
    usage: Usage | None = None


class Event(msgspec.Struct):
    """The members of all events, each of which has some of them."""

    type: str = ""
    id: str | None = None
    index: int | None = None
    delta: _Delta | None = None
    message: str | None = None  # an error's


decode_event = msgspec.json.Decoder(Event).decode
_QUIET = frozenset({"citation-end", "debug", ""})
_NOTHING = _Message()


class CohereReader:
    """Reads one stream, event by event; `unread` are the types of events that nothing was made of."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._num_parts = 0
        self._has_calls = False
        self._has_stopped = False
        self._open: dict[tuple[str, int], int] = {}  # what is open, by kind and index in the stream
        self._kinds: dict[int, type[Part]] = {}  # an open content's part → its kind
        self._last_text = -1

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What an event says. Raises `UpstreamBroken` if it is none of this API's."""
        if payload == b"[DONE]":
            return []
        found: list[Delta] = []
        try:
            event = decode_event(payload)
            self._read(event, payload, found)
        except (msgspec.DecodeError, RecursionError) as error:
            raise malformed(error) from None
        except UpstreamBroken as fault:
            return [*found, Broken(fault)]
        return found

    def finish(self) -> Sequence[Delta]:
        """The parts that were left open."""
        found: list[Delta] = []
        self._end_all(found)
        return found

    def _read(self, event: Event, payload: bytes, found: list[Delta]) -> None:
        message = (event.delta.message if event.delta else None) or _NOTHING
        number = event.index or 0
        match event.type:
            case "message-start":
                found.append(Began(event.id or "", ""))
            case "content-start" | "content-delta":
                self._content(number, message.content, found, is_start=event.type == "content-start")
            case "content-end":
                self._end(("content", number), found)
            case "tool-plan-delta":
                self._say(("plan", 0), Thinking, message.tool_plan or "", found)
            case "tool-call-start" | "tool-call-delta":
                self._call(number, message.tool_calls, found, is_start=event.type == "tool-call-start")
            case "tool-call-end":
                self._end(("call", number), found)
            case "citation-start":
                self._cite(message.citations, found)
            case "message-end":
                self._stop(event.delta or _Delta(), found)
            case "error" | "stream-error":
                found.append(Broken(in_stream(payload)))
            case _ if event.type == "" and event.message:
                found.append(Broken(in_stream(payload)))
            case _ if event.type not in _QUIET:
                self.unread.append(event.type)

    def _content(
        self, number: int, content: _Content | list[Any] | None, found: list[Delta], *, is_start: bool
    ) -> None:
        if not isinstance(content, _Content):
            return
        self._end(("plan", 0), found)
        key = ("content", number)
        if is_start:
            self._end(key, found)
            kind = Thinking if content.type == "thinking" else Text
        else:
            kind = Thinking if content.thinking is not None else Text
        self._say(key, kind, content.thinking or content.text or "", found)

    def _say(self, key: tuple[str, int], kind: type[Text | Thinking], said: str, found: list[Delta]) -> None:
        if key in self._open and self._kinds[self._open[key]] is not kind and said:
            self._end(key, found)
        if key not in self._open:
            part = Text(origin=ORIGIN, text="") if kind is Text else Thinking(origin=ORIGIN)
            self._kinds[self._begin(key, part, found)] = kind
            if kind is Text:
                self._last_text = self._open[key]
        if said:
            found.append(TextDelta(self._open[key], said))

    def _call(
        self, number: int, calls: Call | list[Any] | None, found: list[Delta], *, is_start: bool
    ) -> None:
        call = calls if isinstance(calls, Call) else Call()
        function = call.function or Function()
        key = ("call", number)
        if is_start or key not in self._open:
            self._end(("plan", 0), found)
            self._end(key, found)
            self._has_calls = True
            id = call.id or f"call_{number}"
            self._begin(key, ToolCall(origin=ORIGIN, id=id, name=function.name or ""), found)
        if function.arguments:
            found.append(ArgumentsDelta(self._open[key], function.arguments))

    def _cite(self, citations: msgspec.Raw, found: list[Delta]) -> None:
        if bytes(citations) in (b"", b"null", b"[]"):
            return
        if self._last_text < 0:
            self._say(("content", -1), Text, "", found)
        notes = [citations]
        if bytes(citations).lstrip()[:1] == b"[":
            notes = msgspec.json.decode(citations, type=list[msgspec.Raw])
        found += [AnnotationDelta(self._last_text, note) for note in notes]

    def _stop(self, delta: _Delta, found: list[Delta]) -> None:
        self._end_all(found)
        counts = usage_counts(delta.usage)
        if counts is not None:
            found.append(Used(counts))
        word = delta.finish_reason or ""
        finish = read_finish(word, has_calls=self._has_calls, error=delta.error or "")
        self._has_stopped = True
        found += [Stopped(finish, word), Over()]

    def _begin(self, key: tuple[str, int], part: Part, found: list[Delta]) -> int:
        index = self._open[key] = self._num_parts
        self._num_parts += 1
        found.append(PartBegan(index, part))
        return index

    def _end(self, key: tuple[str, int], found: list[Delta]) -> None:
        index = self._open.pop(key, None)
        if index is not None:
            found.append(PartEnded(index))

    def _end_all(self, found: list[Delta]) -> None:
        for key in list(self._open):
            self._end(key, found)
