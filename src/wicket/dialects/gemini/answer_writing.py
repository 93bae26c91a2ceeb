"""Answers as a Gemini caller reads them: whole, and as a stream of partial candidates."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts
from wicket.dialects.gemini import seals
from wicket.dialects.gemini.answers import SOURCES
from wicket.dialects.gemini.errors import fault_frame
from wicket.dialects.gemini.finishes import write_finish
from wicket.dialects.gemini.logprobs import write_logprobs
from wicket.dialects.gemini.part_writing import call_members
from wicket.dialects.gemini.usage import usage_members
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
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
from wicket.errors import CallerFault
from wicket.wire import json

ORIGIN = seals.ORIGIN


def write_completion(completion: Completion, asked: Asked, cost_usd: float | None) -> bytes:
    """A whole answer as JSON bytes; its cost stands in a header, for the SDKs take no unknown field."""
    parts = [one for part in completion.parts for one in _parts(part)]
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    candidate.update(_ending(completion.finish, completion.raw_finish))
    candidate["index"] = 0
    for part in completion.parts:
        if isinstance(part, Text) and part.annotations is not None and part.origin == ORIGIN:
            for note in json.decode(part.annotations, type=list[msgspec.Raw]):
                candidate.update(_sources(note))
    told = write_logprobs(completion.logprobs)
    if told is not None:
        candidate["logprobsResult"] = told
    return json.encode(_answer(candidate, completion.counts, completion.model, asked))


def _answer(candidate: dict[str, Any], counts: Counts | None, model: str, asked: Asked) -> dict[str, Any]:
    answer: dict[str, Any] = {"candidates": [candidate]}
    if counts is not None:
        answer["usageMetadata"] = usage_members(counts)
    answer["modelVersion"] = model or asked.model
    answer["responseId"] = asked.id
    return answer


def _ending(finish: Finish, raw_finish: str) -> dict[str, Any]:
    ending = {"finishReason": write_finish(finish, raw_finish)}
    if finish is Finish.PAUSED:
        ending["finishMessage"] = "The provider paused; send the answer back to let it go on."
    return ending


def _sources(note: msgspec.Raw) -> dict[str, msgspec.Raw]:
    try:
        found = json.decode(note, type=dict[str, msgspec.Raw])
    except json.DecodeError:
        return {}
    return {name: raw for name, raw in found.items() if name in SOURCES}


def _parts(part: Part) -> list[dict[str, Any]]:
    """A part of an answer; another family's own parts have no form here and are no one's loss but theirs."""
    written: dict[str, Any]
    match part:
        case Text() | Refusal():
            written = {"text": part.text}
        case Thinking():
            written = {"text": part.text, "thought": True}
        case ToolCall():
            written = {"functionCall": _called(part)}
        case Media(data=data) if data:
            written = {"inlineData": {"mimeType": part.media_type, "data": data}}
        case Media(url=url) if url:
            written = {"fileData": {"mimeType": part.media_type, "fileUri": url}}
        case Foreign() if part.origin == ORIGIN and part.raw is not None:
            return [dict(json.decode(part.raw, type=dict[str, msgspec.Raw]))]
        case _:
            return []
    is_redacted = isinstance(part, Thinking) and part.is_redacted
    if part.signature:
        written["thoughtSignature"] = seals.seal(
            part.origin or "unknown", part.signature, is_redacted=is_redacted
        )
    return [written] if written.get("text", True) or part.signature else []


def _called(part: ToolCall) -> dict[str, Any]:
    """A call whose arguments are no JSON is still shown, as the text that it is."""
    try:
        return call_members(part)
    except CallerFault:
        return {"id": part.id, "name": part.name, "args": {"arguments": part.arguments}}


def _frame(answer: dict[str, Any]) -> bytes:
    """One event. Raw JSON inside may span lines, which an event's data may not: they become spaces."""
    return b"data: %b\n\n" % json.encode(answer).replace(b"\n", b" ").replace(b"\r", b" ")


class AnswerWriter:
    """Writes one stream. Text goes out as it comes; a call when its part ends, whole, as Gemini sends it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._model = asked.model
        self._parts: dict[int, Part] = {}
        self._pieces: dict[int, list[str]] = {}
        self._sources: dict[str, msgspec.Raw] = {}
        self._stopped: Stopped | None = None
        self._counts: Counts | None = None
        self._is_broken = False

    def write(self, delta: Delta) -> bytes:
        """The frames for a delta, b"" where there is nothing to say yet."""
        match delta:
            case Began(model=model):
                self._model = model or self._model
            case PartBegan():
                return self._begin(delta)
            case TextDelta():
                return self._text(delta)
            case ArgumentsDelta(index=index, json=text):
                self._pieces.setdefault(index, []).append(text)
            case SignatureDelta(index=index, signature=signature):
                return self._sign(index, signature)
            case AnnotationDelta(index=index, raw=raw):
                if self._parts[index].origin == ORIGIN:
                    self._sources.update(_sources(raw))
            case PartEnded(index=index):
                return self._end(index)
            case Stopped():
                self._stopped = delta
            case Used(counts=counts):
                self._counts = counts
            case Broken(fault=fault):
                self._is_broken = True
                return fault_frame(fault, self._asked.id)
            case _:
                pass
        return b""

    def finish(self, cost_usd: float | None) -> bytes:
        """The chunk with the finish reason and the usage. There is no end mark."""
        if self._is_broken or self._stopped is None:
            return b""
        candidate: dict[str, Any] = {"content": {"parts": [{"text": ""}], "role": "model"}}
        candidate.update(_ending(self._stopped.finish, self._stopped.raw_finish))
        candidate["index"] = 0
        candidate.update(self._sources)
        return _frame(_answer(candidate, self._counts, self._model, self._asked))

    def _chunk(self, part: dict[str, Any], **beside: Any) -> bytes:
        candidate = {"content": {"parts": [part], "role": "model"}, "index": 0, **beside}
        return _frame(_answer(candidate, None, self._model, self._asked))

    def _begin(self, delta: PartBegan) -> bytes:
        self._parts[delta.index] = msgspec.structs.replace(delta.part)
        self._pieces[delta.index] = []
        is_grown = isinstance(delta.part, ToolCall)
        return b"" if is_grown else b"".join([self._chunk(one) for one in _parts(delta.part)])

    def _text(self, delta: TextDelta) -> bytes:
        told = write_logprobs(delta.logprobs)
        beside = {"logprobsResult": told} if told is not None else {}
        if not delta.text and not beside:
            return b""
        is_thought = isinstance(self._parts[delta.index], Thinking)
        part = {"text": delta.text, "thought": True} if is_thought else {"text": delta.text}
        return self._chunk(part, **beside)

    def _sign(self, index: int, signature: str) -> bytes:
        part = self._parts[index]
        if isinstance(part, ToolCall):
            part.signature = signature
            return b""
        sealed = seals.seal(part.origin or "unknown", signature)
        beside = {"thought": True} if isinstance(part, Thinking) else {}
        return self._chunk({"text": "", **beside, "thoughtSignature": sealed})

    def _end(self, index: int) -> bytes:
        part = self._parts.get(index)
        if not isinstance(part, ToolCall):
            return b""
        part.arguments = "".join(self._pieces[index]) or part.arguments
        return b"".join([self._chunk(one) for one in _parts(part)])
