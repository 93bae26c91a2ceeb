"""A provider's stream as deltas. Source: OpenAI's OpenAPI description, `ResponseStreamEvent`.

Texts, thoughts and function calls grow; every other item comes whole when it is done. Events that are not
known say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Delta,
    Foreign,
    Over,
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
from wicket.dialects.openai_chat.answer import Object, object_of, objects, text
from wicket.dialects.openai_responses.answers import (
    call_of,
    finish_of,
    read_output,
    seconds,
    thought_of,
    whole_part,
)
from wicket.dialects.openai_responses.apis import NAME
from wicket.dialects.openai_responses.carrier import unpack_call
from wicket.dialects.openai_responses.content import nested
from wicket.dialects.openai_responses.faults import failure
from wicket.dialects.openai_responses.usage import counts_of
from wicket.errors import Fault
from wicket.wire import json


class _Growing:
    """A part under way: its index, how much of it came, and which piece of a thought is being said."""

    __slots__ = ("has_ended", "index", "num_notes", "piece", "said")

    def __init__(self, index: int) -> None:
        self.index = index
        self.said = False
        self.has_ended = False
        self.num_notes = 0
        self.piece: tuple[str, int] | None = None


class ResponsesReader:
    """One stream. Parts are known by their item's place and, in a message, their own place in it."""

    def __init__(self) -> None:
        self._has_begun = False
        self._num_parts = 0
        self._growing: dict[tuple[int, int], _Growing] = {}
        self._calls: dict[str, int] = {}  # a call's id → its part's index
        self._found: list[Delta] = []

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What a payload says. Raises `UpstreamBroken` if it is no event."""
        if payload == b"[DONE]":
            return ()
        event = object_of(payload)
        self._found = []
        name = text(event.get("type"))
        if name == "error" or (not name and event.get("error")):
            inner = event.get("error")
            return [Broken(failure(inner if isinstance(inner, dict) else event))]
        response = event.get("response")
        if isinstance(response, dict):
            self._begin(response)
        handler = _HANDLERS.get(name)
        if handler is not None:
            handler(self, event)
        return self._found

    def finish(self) -> Sequence[Delta]:
        """Parts that the provider left open."""
        self._found = []
        self._end_all()
        return self._found

    # the answer

    def _begin(self, response: Object) -> None:
        if self._has_begun:
            return
        self._has_begun = True
        created = seconds(response.get("created_at"))
        self._found.append(Began(text(response.get("id")), text(response.get("model")), created))

    def _over(self, event: Object) -> None:
        response = event.get("response")
        if not isinstance(response, dict):
            return
        output = response.get("output")
        if not self._num_parts:
            for part in read_output(output, []):
                self._whole(part)
        self._end_all()
        has_calls = bool(self._calls) or any(one.get("type") == "function_call" for one in objects(output))
        try:
            reason, finish = finish_of(response, has_calls=has_calls)
        except Fault as fault:
            self._found.append(Broken(fault))
            return
        self._found.append(Stopped(finish, reason))
        counts = counts_of(response)
        if counts is not None:
            self._found.append(Used(counts))
        self._found.append(Over())

    def _failed(self, event: Object) -> None:
        response = event.get("response")
        self._found.append(Broken(failure(response.get("error") if isinstance(response, dict) else None)))

    # parts

    def _grow(self, key: tuple[int, int], part: Part) -> _Growing:
        found = self._growing.get(key)
        if found is None:
            found = self._growing[key] = _Growing(self._num_parts)
            self._found.append(PartBegan(self._num_parts, part))
            self._num_parts += 1
        return found

    def _whole(self, part: Part) -> None:
        if isinstance(part, ToolCall):
            self._calls[part.id] = self._num_parts
        self._found += [PartBegan(self._num_parts, part), PartEnded(self._num_parts)]
        self._num_parts += 1

    def _end(self, growing: _Growing) -> None:
        if not growing.has_ended:
            growing.has_ended = True
            self._found.append(PartEnded(growing.index))

    def _end_all(self) -> None:
        for growing in self._growing.values():
            self._end(growing)

    def _say(self, growing: _Growing, said: Any, logprobs: Any = None) -> None:
        entries = objects(logprobs)
        raw = msgspec.Raw(json.encode(entries)) if entries else None
        if text(said) or raw is not None:
            growing.said = True
            self._found.append(TextDelta(growing.index, text(said), raw))

    # messages

    def _piece_began(self, event: Object) -> None:
        piece = event.get("part")
        if isinstance(piece, dict) and piece.get("type") in ("output_text", "refusal"):
            self._of_message(event, is_refusal=piece["type"] == "refusal")

    def _of_message(self, event: Object, *, is_refusal: bool = False) -> _Growing:
        part = Refusal(origin=NAME, text="") if is_refusal else Text(origin=NAME, text="")
        return self._grow(_place(event), part)

    def _text(self, event: Object) -> None:
        self._say(self._of_message(event), event.get("delta"), event.get("logprobs"))

    def _refusal(self, event: Object) -> None:
        self._say(self._of_message(event, is_refusal=True), event.get("delta"))

    def _cited(self, event: Object) -> None:
        note = event.get("annotation")
        if isinstance(note, dict):
            self._note(self._of_message(event), note)

    def _note(self, growing: _Growing, note: Any) -> None:
        growing.num_notes += 1
        [one] = json.decode(nested([note]), type=list[msgspec.Raw])
        self._found.append(AnnotationDelta(growing.index, one))

    def _piece_ended(self, event: Object) -> None:
        piece = event.get("part")
        if isinstance(piece, dict) and piece.get("type") in ("output_text", "refusal"):
            self._end_piece(event, piece)

    def _end_piece(self, event: Object, piece: Object) -> None:
        is_refusal = piece.get("type") == "refusal"
        growing = self._of_message(event, is_refusal=is_refusal)
        if growing.has_ended:
            return
        if not growing.said:
            self._say(growing, piece.get("refusal" if is_refusal else "text"), piece.get("logprobs"))
        for note in objects(piece.get("annotations"))[growing.num_notes :]:
            self._note(growing, note)
        self._end(growing)

    # thoughts

    def _thought(self, event: Object, kind: str, number: Any) -> None:
        """Pieces of one thought stand apart by a blank line, as in a whole answer."""
        if not text(event.get("delta")):
            return
        growing = self._grow(_place(event), Thinking(origin=NAME))
        piece = (kind, number if isinstance(number, int) else 0)
        if growing.piece is not None and growing.piece != piece:
            self._say(growing, "\n\n")
        growing.piece = piece
        self._say(growing, event["delta"])

    def _summary(self, event: Object) -> None:
        self._thought(_no_piece(event), "summary", event.get("summary_index"))

    def _reasoned(self, event: Object) -> None:
        self._thought(_no_piece(event), "content", event.get("content_index"))

    # items

    def _item_began(self, event: Object) -> None:
        item = event.get("item")
        if isinstance(item, dict) and item.get("type") == "function_call":
            self._call(_no_piece(event), item)

    def _call(self, event: Object, item: Object) -> _Growing:
        made = call_of(item, "")
        growing = self._grow(_place(event), made)
        self._calls.setdefault(made.id, growing.index)
        return growing

    def _arguments(self, event: Object) -> None:
        growing = self._growing.get(_place(_no_piece(event)))
        if growing is not None and text(event.get("delta")):
            growing.said = True
            self._found.append(ArgumentsDelta(growing.index, text(event["delta"])))

    def _item_ended(self, event: Object) -> None:
        item = event.get("item")
        if not isinstance(item, dict):
            return
        event = _no_piece(event)
        match item.get("type"):
            case "message":
                self._end_message(event, item)
            case "reasoning":
                self._end_thought(event, item)
            case "function_call":
                growing = self._call(event, item)
                if not growing.said and text(item.get("arguments")):
                    self._found.append(ArgumentsDelta(growing.index, item["arguments"]))
                self._end(growing)
            case _:
                self._whole(whole_part(item))

    def _end_message(self, event: Object, item: Object) -> None:
        for number, piece in enumerate(objects(item.get("content"))):
            if piece.get("type") == "refusal" or "text" in piece:
                self._end_piece({**event, "content_index": number}, piece)
            else:
                raw = msgspec.Raw(json.encode(piece))
                self._whole(Foreign(origin=NAME, raw=raw, kind=text(piece.get("type"))))

    def _end_thought(self, event: Object, item: Object) -> None:
        call = unpack_call(text(item.get("encrypted_content")))
        if call is not None:
            if call[1] in self._calls:
                self._found.append(SignatureDelta(self._calls[call[1]], call[2]))
            return
        part, growing = thought_of(item), self._growing.get(_place(event))
        if growing is None:
            if part is not None:
                self._whole(part)
            return
        if part is not None and part.signature:
            self._found.append(SignatureDelta(growing.index, part.signature))
        self._end(growing)


def _place(event: Object) -> tuple[int, int]:
    item, piece = event.get("output_index"), event.get("content_index")
    return item if isinstance(item, int) else 0, piece if isinstance(piece, int) else 0


def _no_piece(event: Object) -> Object:
    """The event as one of its item as a whole."""
    return {**event, "content_index": 0}


_HANDLERS: dict[str, Callable[[ResponsesReader, Object], None]] = {
    "response.completed": ResponsesReader._over,
    "response.incomplete": ResponsesReader._over,
    "response.cancelled": ResponsesReader._over,
    "response.failed": ResponsesReader._failed,
    "response.output_item.added": ResponsesReader._item_began,
    "response.output_item.done": ResponsesReader._item_ended,
    "response.content_part.added": ResponsesReader._piece_began,
    "response.content_part.done": ResponsesReader._piece_ended,
    "response.output_text.delta": ResponsesReader._text,
    "response.output_text.annotation.added": ResponsesReader._cited,
    "response.refusal.delta": ResponsesReader._refusal,
    "response.reasoning_summary_text.delta": ResponsesReader._summary,
    "response.reasoning_text.delta": ResponsesReader._reasoned,
    "response.function_call_arguments.delta": ResponsesReader._arguments,
}
