"""Deltas as a caller's stream. Source: OpenAI's OpenAPI description, `ResponseStreamEvent`.

    response.created, response.in_progress
    (output_item.added → (content_part.added → delta* → done → content_part.done)* → output_item.done)*
    response.completed | response.incomplete

Texts in a row are pieces of one message; items may overlap, `output_index` tells them apart. Every event has
the next `sequence_number`; there is no `[DONE]`.
"""

from __future__ import annotations

from typing import Any

import msgspec

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
from wicket.dialects.openai_responses.answer_write import (
    Object,
    call_item,
    ending,
    entries_of,
    item_of,
    message_item,
    number_of,
    response_object,
    said_piece,
    seal_item,
    thought_item,
)
from wicket.dialects.openai_responses.content import flat, is_annotation
from wicket.dialects.openai_responses.usage import usage_json
from wicket.dialects.translation import Asked
from wicket.wire import json


class _Open:
    """A part under way: the item it is (in), its own place there, and what came of it."""

    __slots__ = ("item_id", "logprobs", "notes", "output_index", "part", "piece", "pieces")

    def __init__(self, part: Part, output_index: int, item_id: str, piece: int) -> None:
        self.part = msgspec.structs.replace(part)
        self.output_index = output_index
        self.item_id = item_id
        self.piece = piece
        self.pieces: list[str] = []
        self.notes: list[Any] = []
        self.logprobs: list[Any] = []

    @property
    def place(self) -> Object:
        """What every event of this part says."""
        return {"item_id": self.item_id, "output_index": self.output_index}


class _Message:
    """The message that takes further texts."""

    __slots__ = ("content", "item_id", "num_begun", "output_index")

    def __init__(self, output_index: int, item_id: str) -> None:
        self.output_index = output_index
        self.item_id = item_id
        self.content: list[Object] = []
        self.num_begun = 0


class ResponsesWriter:
    """One stream."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._number = number_of(asked)
        self._sequence = 0
        self._told: Object = {}
        self._has_begun = False
        self._items: list[Object | None] = []
        self._foreign: list[msgspec.Raw] = []
        self._open: dict[int, _Open] = {}
        self._message: _Message | None = None
        self._stopped: Stopped | None = None
        self._used: Used | None = None

    def write(self, delta: Delta) -> bytes:
        """The frames for a delta."""
        match delta:
            case Began():
                return self._begin(delta)
            case PartBegan(index=index, part=part):
                return self._begin(Began("", "")) + self._begin_part(index, part)
            case TextDelta(index=index):
                return self._say(self._open[index], delta)
            case ArgumentsDelta(index=index, json=text):
                made = self._open[index]
                made.pieces.append(text)
                return self._event("response.function_call_arguments.delta", {**made.place, "delta": text})
            case SignatureDelta(index=index, signature=signature):
                self._open[index].part.signature = signature
            case AnnotationDelta(index=index, raw=raw):
                return self._cite(self._open.get(index), raw)
            case PartEnded(index=index):
                return self._end_part(index)
            case Stopped():
                self._stopped = delta
            case Used():
                self._used = delta
        return b""

    def finish(self, cost_usd: float | None) -> bytes:
        """The parts still open, then the whole answer with its usage."""
        frames = self._begin(Began("", ""))
        for index in list(self._open):
            frames += self._end_part(index)
        told = self._told | ending(self._stopped.finish if self._stopped is not None else None)
        is_whole = told["status"] == "completed"
        frames += self._end_message("completed" if is_whole else "incomplete")
        told["output"] = [item for item in self._items if item is not None]
        if self._used is not None:
            told["usage"] = usage_json(self._used.counts, cost_usd, is_estimated=self._used.is_estimated)
        if self._foreign:
            told["foreign_parts"] = self._foreign
        name = "response.completed" if is_whole else "response.incomplete"
        return frames + self._event(name, {"response": response_object(self._asked, told)})

    def _event(self, name: str, fields: Object) -> bytes:
        """One frame. Raw JSON of the caller's may span lines, which an event's data may not."""
        data = json.encode({"type": name, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        if b"\n" in data or b"\r" in data:
            data = data.replace(b"\n", b" ").replace(b"\r", b" ")
        return b"event: %b\ndata: %b\n\n" % (name.encode(), data)

    def _begin(self, began: Began) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        if began.id.startswith("resp_"):
            self._told["id"] = began.id
        if began.model:
            self._told["model"] = began.model
        if began.created_s:
            self._told["created_at"] = began.created_s
        response = {"response": response_object(self._asked, self._told)}
        return self._event("response.created", response) + self._event("response.in_progress", response)

    # parts

    def _begin_part(self, index: int, part: Part) -> bytes:
        if isinstance(part, Text | Refusal):
            return self._begin_piece(index, part)
        frames = b"" if self._has_open_text() else self._end_message("completed")
        if isinstance(part, Foreign):
            self._foreign += [part.raw] if part.raw is not None else []
            return frames
        place, number = self._take_place()
        if isinstance(part, Media):
            item = item_of(part, number)
            return frames + self._added(place, {**item, "status": "in_progress"}) + self._done(place, item)
        empty = msgspec.structs.replace(part)
        if isinstance(empty, ToolCall):
            empty.arguments = ""
            item = call_item(empty, number, "in_progress")
        else:
            assert isinstance(empty, Thinking)
            empty.text = empty.signature = ""
            item = thought_item(empty, number, "in_progress") | {"encrypted_content": None}
        self._open[index] = made = _Open(part, place, item["id"], 0)
        frames += self._added(place, item)
        if isinstance(part, Thinking) and part.text:
            frames += self._think(made, part.text)
        return frames

    def _take_place(self) -> tuple[int, str]:
        self._items.append(None)
        place = len(self._items) - 1
        return place, f"{self._number}_{place}"

    def _begin_piece(self, index: int, part: Text | Refusal) -> bytes:
        frames, message = b"", self._message
        if message is None:
            place, number = self._take_place()
            message = self._message = _Message(place, f"msg_{number}")
            frames = self._added(place, message_item(message.item_id, [], "in_progress"))
        made = _Open(part, message.output_index, message.item_id, message.num_begun)
        message.num_begun += 1
        message.content.append({})
        self._open[index] = made
        empty = said_piece(msgspec.structs.replace(part, text=""), [])
        fields = {**made.place, "content_index": made.piece, "part": empty}
        frames += self._event("response.content_part.added", fields)
        return frames + (self._say(made, TextDelta(index, part.text)) if part.text else b"")

    def _has_open_text(self) -> bool:
        return any(isinstance(made.part, Text | Refusal) for made in self._open.values())

    def _say(self, made: _Open, delta: TextDelta) -> bytes:
        if isinstance(made.part, Thinking):
            return self._think(made, delta.text)
        made.pieces.append(delta.text)
        fields = {**made.place, "content_index": made.piece, "delta": delta.text}
        if isinstance(made.part, Refusal):
            return self._event("response.refusal.delta", fields)
        entries = entries_of(json.decode(delta.logprobs)) if delta.logprobs is not None else []
        made.logprobs += entries
        return self._event("response.output_text.delta", {**fields, "logprobs": entries})

    def _think(self, made: _Open, text: str) -> bytes:
        frames, place = b"", {**made.place, "summary_index": 0}
        if not text:
            return frames
        if not made.pieces:
            part = {"type": "summary_text", "text": ""}
            frames = self._event("response.reasoning_summary_part.added", {**place, "part": part})
        made.pieces.append(text)
        return frames + self._event("response.reasoning_summary_text.delta", {**place, "delta": text})

    def _cite(self, made: _Open | None, raw: msgspec.Raw) -> bytes:
        if made is None:
            return b""
        frames = b""
        for note in flat(raw):
            if is_annotation(note):
                place = sum(map(is_annotation, made.notes))
                fields = {**made.place, "content_index": made.piece, "annotation_index": place}
                name = "response.output_text.annotation.added"
                frames += self._event(name, {**fields, "annotation": note})
            made.notes.append(note)
        return frames

    # ends

    def _end_part(self, index: int) -> bytes:
        made = self._open.pop(index, None)
        if made is None:
            return b""
        said = "".join(made.pieces)
        match made.part:
            case Text() | Refusal():
                return self._end_piece(made, said)
            case Thinking():
                return self._end_thought(made, said)
            case ToolCall():
                return self._end_call(made, said)
        return b""

    def _end_piece(self, made: _Open, said: str) -> bytes:
        part = made.part
        assert isinstance(part, Text | Refusal)
        part.text = said
        if isinstance(part, Text) and made.notes:
            part.annotations = msgspec.Raw(json.encode(made.notes))
        piece, place = said_piece(part, made.logprobs), {**made.place, "content_index": made.piece}
        if self._message is not None and self._message.item_id == made.item_id:
            self._message.content[made.piece] = piece
        if isinstance(part, Refusal):
            frames = self._event("response.refusal.done", {**place, "refusal": said})
        else:
            fields = {**place, "text": said, "logprobs": made.logprobs}
            frames = self._event("response.output_text.done", fields)
        return frames + self._event("response.content_part.done", {**place, "part": piece})

    def _end_message(self, status: str) -> bytes:
        message, self._message = self._message, None
        if message is None:
            return b""
        return self._done(message.output_index, message_item(message.item_id, message.content, status))

    def _end_thought(self, made: _Open, said: str) -> bytes:
        part = made.part
        assert isinstance(part, Thinking)
        part.text, frames = said, b""
        if said:
            place = {**made.place, "summary_index": 0}
            frames = self._event("response.reasoning_summary_text.done", {**place, "text": said})
            piece = {"type": "summary_text", "text": said}
            frames += self._event("response.reasoning_summary_part.done", {**place, "part": piece})
        item = thought_item(part, f"{self._number}_{made.output_index}") | {"id": made.item_id}
        return frames + self._done(made.output_index, item)

    def _end_call(self, made: _Open, said: str) -> bytes:
        part = made.part
        assert isinstance(part, ToolCall)
        frames = b""
        if not said and part.arguments:  # it came whole
            fields = {**made.place, "delta": part.arguments}
            frames = self._event("response.function_call_arguments.delta", fields)
        part.arguments = said or part.arguments
        fields = {**made.place, "name": part.name, "arguments": part.arguments}
        frames += self._event("response.function_call_arguments.done", fields)
        frames += self._done(made.output_index, call_item(part, f"{self._number}_{made.output_index}"))
        if part.signature:
            place, number = self._take_place()
            item = seal_item(part, number)
            frames += self._added(place, {**item, "status": "in_progress"}) + self._done(place, item)
        return frames

    def _added(self, place: int, item: Object) -> bytes:
        return self._event("response.output_item.added", {"output_index": place, "item": item})

    def _done(self, place: int, item: Object) -> bytes:
        self._items[place] = item
        return self._event("response.output_item.done", {"output_index": place, "item": item})
