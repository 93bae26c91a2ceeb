"""Gemini's answers, whole or streamed: every chunk is a partial candidate, so one reader does for both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.dialects.gathering import Gathered
from wicket.dialects.gemini import errors
from wicket.dialects.gemini.finishes import read_finish, word_of
from wicket.dialects.gemini.logprobs import read_logprobs
from wicket.dialects.gemini.part_reading import ORIGIN, Pairing, read_part
from wicket.dialects.gemini.usage import Usage, grounding_counts, usage_counts
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Completion,
    Delta,
    Finish,
    Over,
    Part,
    PartBegan,
    PartEnded,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    ToolResult,
    Used,
)
from wicket.errors import CallerFault, Fault, UpstreamBroken
from wicket.wire import json

MAX_MODEL = 256
SOURCES = ("groundingMetadata", "citationMetadata", "urlContextMetadata")
_KNOWN = frozenset(
    {"content", "finishReason", "finishMessage", "index", "safetyRatings", "avgLogprobs", "tokenCount"}
    | {"logprobsResult", *SOURCES}
)


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | int | None = None
    block_reason_message: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[msgspec.Raw] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


class _Content(msgspec.Struct):
    parts: list[msgspec.Raw] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | int | None = None
    finish_message: str | None = None
    index: int | None = None
    logprobs_result: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Answer).decode
_decode_candidate = msgspec.json.Decoder(_Candidate).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_completion(data: bytes) -> Completion:
    """A whole answer, or a stream's chunks as one array. Raises `UpstreamBroken`, or the fault it tells."""
    reader, gathered = AnswerReader(), Gathered()
    for payload in _payloads(data):
        for delta in reader.feed(payload):
            gathered.add(delta)
    for delta in reader.finish():
        gathered.add(delta)
    completion = gathered.completion(ORIGIN)
    completion.unread = list(dict.fromkeys(reader.unread))
    return completion


def _payloads(data: bytes) -> Sequence[bytes]:
    if data.lstrip()[:1] != b"[":
        return [data]
    try:
        return json.decode(data, type=list[msgspec.Raw])
    except (json.DecodeError, RecursionError) as error:
        raise _malformed(error) from None


def _malformed(error: object) -> UpstreamBroken:
    return UpstreamBroken("malformed", f"The provider's answer is not what it promised: {str(error)[:300]}.")


class AnswerReader:
    """Reads one answer, chunk by chunk; `unread` are paths of it that nothing was made of."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._has_begun = False
        self._num_parts = 0
        self._open: type[Part] | None = None  # the kind of the text that may go on, as part `_num_parts - 1`
        self._is_sealed = False  # it has its signature: what follows is another part
        self._has_calls = False
        self._stopped = False
        self._is_broken = False
        self._pairing = Pairing()
        self._grounding: Any = None

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What a chunk says. Raises `UpstreamBroken` if it is none."""
        try:
            answer = _decode(payload)
            deltas: list[Delta] = []
            self._read(answer, payload, deltas)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _malformed(error) from None
        except CallerFault as fault:  # the readers of parts serve callers too: here the provider is wrong
            raise _malformed(fault.message) from None
        return deltas

    def finish(self) -> Sequence[Delta]:
        """The end of the bytes: of the answer too, if it told why it ended."""
        if self._is_broken:
            return []
        deltas: list[Delta] = []
        self._close(deltas)
        if not self._stopped:
            message = "The provider's answer ended without saying why."
            return [*deltas, Broken(UpstreamBroken("cut", message))]
        return [*deltas, Over()]

    def _read(self, answer: _Answer, payload: bytes, deltas: list[Delta]) -> None:
        if answer.error is not None:
            self._break(errors.in_band(answer.error), deltas)
            return
        if not self._has_begun:
            self._has_begun = True
            deltas.append(Began(answer.response_id or "", (answer.model_version or "")[:MAX_MODEL]))
            stem = answer.response_id or hashlib.blake2s(payload, digest_size=9).hexdigest()
            self._pairing = Pairing(f"call_{''.join(c for c in stem[:40] if c.isalnum() or c in '-_')}")
        candidates = answer.candidates or []
        for place, raw in enumerate(candidates):
            self._read_candidate(raw, place, deltas)
        feedback = answer.prompt_feedback
        if feedback is not None and feedback.block_reason and not candidates and not self._stopped:
            self._stop(Finish.FILTERED, str(feedback.block_reason), deltas)
        counts = grounding_counts(usage_counts(answer.usage_metadata), self._grounding)
        if counts is not None and not self._is_broken:
            deltas.append(Used(counts))

    def _read_candidate(self, raw: msgspec.Raw, place: int, deltas: list[Delta]) -> None:
        candidate = _decode_candidate(raw)
        path = f"candidates[{place}]"
        if place or candidate.index:  # nobody asks for a second one through the hub
            self.unread.append(path)
            return
        start = len(deltas)
        for i, part in enumerate((candidate.content.parts if candidate.content else None) or ()):
            self._read_part(part, f"{path}.content.parts[{i}]", deltas)
        members = _decode_members(raw)
        self._read_sources(members, path, deltas)
        if "groundingMetadata" in members:
            self._grounding = json.decode(members["groundingMetadata"])
        if bytes(candidate.logprobs_result) not in (b"", b"null"):
            self._read_logprobs(candidate.logprobs_result, start, deltas)
        self.unread += [f"{path}.{name}" for name in members if name not in _KNOWN]
        if candidate.finish_reason:
            try:
                message = candidate.finish_message or ""
                word = word_of(candidate.finish_reason)
                finish = read_finish(word, has_calls=self._has_calls, message=message)
            except UpstreamBroken as fault:
                self._break(fault, deltas)
                return
            self._stop(finish, word, deltas)

    def _read_part(self, raw: msgspec.Raw, path: str, deltas: list[Delta]) -> None:
        read = read_part(raw, path, self._pairing)
        part = read.part
        part.path = ""
        self.unread += read.unread
        if isinstance(part, Text) and part.signature:  # no caller's place for it; Google can do without
            self.unread.append(f"{path}.thoughtSignature")
        if isinstance(part, Text | Thinking) and part.raw is None:
            self._read_text(part, deltas)
        elif isinstance(part, ToolCall):
            self._has_calls = True
            self._read_call(part, deltas)
        elif isinstance(part, ToolResult):
            self.unread.append(path)
        else:
            self._close(deltas)
            index = self._begin(part, deltas)
            deltas.append(PartEnded(index))

    def _read_text(self, part: Text | Thinking, deltas: list[Delta]) -> None:
        if not part.text and not part.signature:
            return
        is_next = self._open is not type(part) or self._is_sealed
        if is_next and not part.text and self._num_parts and self._open is not None and not self._is_sealed:
            is_next = False  # a signature that comes alone belongs to the text before it
        if is_next:
            self._close(deltas)
            empty = (
                Text(origin=ORIGIN, text="")
                if isinstance(part, Text)
                else Thinking(origin=part.origin, is_redacted=part.is_redacted)
            )
            self._begin(empty, deltas)
            self._open = type(part)
        index = self._num_parts - 1
        if part.text:
            deltas.append(TextDelta(index, part.text))
        if part.signature:
            deltas.append(SignatureDelta(index, part.signature))
            self._is_sealed = True

    def _read_call(self, part: ToolCall, deltas: list[Delta]) -> None:
        self._close(deltas)
        arguments, signature = part.arguments, part.signature
        index = self._begin(ToolCall(origin=ORIGIN, id=part.id, name=part.name), deltas)
        deltas.append(ArgumentsDelta(index, arguments))
        if signature:
            deltas.append(SignatureDelta(index, signature))
        deltas.append(PartEnded(index))

    def _begin(self, part: Part, deltas: list[Delta]) -> int:
        index = self._num_parts
        self._num_parts += 1
        deltas.append(PartBegan(index, part))
        return index

    def _close(self, deltas: list[Delta]) -> None:
        if self._open is not None:
            deltas.append(PartEnded(self._num_parts - 1))
        self._open, self._is_sealed = None, False

    def _read_sources(self, members: dict[str, msgspec.Raw], path: str, deltas: list[Delta]) -> None:
        """What an answer rests on is told of the text that is open; of anything else it can't be."""
        for name in SOURCES:
            raw = members.get(name)
            if raw is None or bytes(raw) in (b"{}", b"null"):
                continue
            if self._open is Text:
                note = msgspec.Raw(b'{"%b":%b}' % (name.encode(), bytes(raw)))
                deltas.append(AnnotationDelta(self._num_parts - 1, note))
            else:
                self.unread.append(f"{path}.{name}")

    def _read_logprobs(self, raw: msgspec.Raw, start: int, deltas: list[Delta]) -> None:
        entries = read_logprobs(raw)
        if entries is None:
            return
        for i in range(len(deltas) - 1, start - 1, -1):
            delta = deltas[i]
            if isinstance(delta, TextDelta):
                deltas[i] = TextDelta(delta.index, delta.text, entries)
                return
        if self._open is not None:
            deltas.append(TextDelta(self._num_parts - 1, "", entries))

    def _stop(self, finish: Finish, word: str, deltas: list[Delta]) -> None:
        self._close(deltas)
        self._stopped = True
        deltas.append(Stopped(finish, word))

    def _break(self, fault: Fault, deltas: list[Delta]) -> None:
        self._is_broken = True
        deltas.append(Broken(fault))
