"""Ollama's answers, whole or streamed: every line is a piece of the message, so one reader does for both.

Source: `ChatResponse` and `Metrics` in Ollama's `api/types.go`. The counts of a prompt that was wholly cached
are left away, and `done_reason` by old versions; "load" and "unload" answer requests without messages.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence

import msgspec

from wicket.dialects.contract import Counts
from wicket.dialects.gathering import Gathered
from wicket.dialects.hub import (
    ArgumentsDelta,
    Began,
    Broken,
    Completion,
    Delta,
    Finish,
    Media,
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
from wicket.dialects.ollama.errors import in_stream
from wicket.errors import UpstreamBroken

ORIGIN = "ollama"
MAX_TOKENS = 1 << 40
MAX_MODEL = 256
_FINISHES = {"": Finish.STOP, "stop": Finish.STOP, "length": Finish.LENGTH}
_KNOWN = frozenset(
    [
        "model",
        "created_at",
        "message",
        "done",
        "done_reason",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
        "prompt_eval_duration",
        "eval_count",
        "eval_duration",
        "remote_model",
        "remote_host",
        "logprobs",
        "error",
        "status",
    ]
)
_KNOWN_IN_MESSAGE = frozenset({"role", "content", "thinking", "tool_calls", "images"})


class _Function(msgspec.Struct):
    name: str = ""
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None
    images: list[str] | None = None


class Piece(msgspec.Struct):
    """A line of a stream, or a whole answer."""

    model: str | None = None
    created_at: str | None = None
    message: msgspec.Raw = msgspec.Raw()  # empty: there is none
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    logprobs: list[msgspec.Raw] | None = None
    error: str | None = None
    status: int | None = None


decode_piece = msgspec.json.Decoder(Piece).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def malformed(error: object) -> UpstreamBroken:
    """The fault for an answer of another shape."""
    return UpstreamBroken("malformed", f"The provider's answer is not what it promised: {str(error)[:300]}.")


def read_finish(word: str | None, *, has_calls: bool) -> Finish:
    """The hub's word for `done_reason`. Raises `UpstreamBroken` for one that is not known."""
    finish = _FINISHES.get(word or "")
    if finish is None:
        raise UpstreamBroken(
            "unknown_finish", f"The provider ended for an unknown reason: '{(word or '')[:80]}'."
        )
    return Finish.TOOL_CALLS if has_calls and finish is Finish.STOP else finish


def counts_of(piece: Piece) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    if piece.eval_count is None and piece.prompt_eval_count is None:
        return None
    given, output = piece.prompt_eval_count or 0, piece.eval_count or 0
    if min(given, output) < 0 or given + output > MAX_TOKENS:
        return None
    return Counts(input_tokens=given, output_tokens=output)


def read_completion(data: bytes) -> Completion:
    """A whole answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    reader, gathered = OllamaReader(), Gathered()
    for delta in [*reader.feed(data), *reader.finish()]:
        gathered.add(delta)
    completion = gathered.completion(ORIGIN)
    completion.unread = list(dict.fromkeys(reader.unread))
    return completion


class OllamaReader:
    """Reads one answer, line by line; `unread` are paths of it that nothing was made of."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._has_begun = False
        self._num_parts = 0
        self._open: type[Part] | None = None  # the kind of the text that grows, part `_num_parts - 1`
        self._num_calls = 0
        self._stem = ""

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What a line says. Raises `UpstreamBroken` if it is none of this API's."""
        found: list[Delta] = []
        try:
            piece = decode_piece(payload)
            if piece.error is not None:
                return [Broken(in_stream(piece.error, piece.status or 0))]
            if not bytes(piece.message) and not piece.done:
                raise malformed("a line has neither a message nor an end")
            self._read(piece, payload, found)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise malformed(error) from None
        except UpstreamBroken as fault:
            if fault.code == "malformed":
                raise
            return [*found, Broken(fault)]
        return found

    def finish(self) -> Sequence[Delta]:
        """The part that was left open."""
        found: list[Delta] = []
        self._close(found)
        return found

    def _read(self, piece: Piece, payload: bytes, found: list[Delta]) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._stem = hashlib.blake2s(payload, digest_size=9).hexdigest()
            found.append(Began("", (piece.model or "")[:MAX_MODEL], _seconds(piece.created_at)))
        self.unread += _unread(payload, _KNOWN, "")
        if bytes(piece.message) not in (b"", b"null"):
            self.unread += _unread(piece.message, _KNOWN_IN_MESSAGE, "message.")
            self._read_message(_decode_message(piece.message), piece.logprobs, found)
        if not piece.done:
            return
        self._close(found)
        finish = read_finish(piece.done_reason, has_calls=self._num_calls > 0)
        found.append(Stopped(finish, piece.done_reason or ""))
        counts = counts_of(piece)
        if counts is not None:
            found.append(Used(counts))
        found.append(Over())

    def _read_message(
        self, message: _Message, logprobs: list[msgspec.Raw] | None, found: list[Delta]
    ) -> None:
        if message.thinking:
            self._say(Thinking, message.thinking, None, found)
        listed = msgspec.Raw(b"[%b]" % b",".join(map(bytes, logprobs))) if logprobs else None
        if message.content or (listed is not None and not message.thinking):
            self._say(Text, message.content or "", listed, found)
        for data in message.images or ():
            self._whole(Media(origin=ORIGIN, kind="image", media_type="image/png", data=data), found)
        for call in message.tool_calls or ():
            self._call(call, found)

    def _say(
        self, kind: type[Text | Thinking], said: str, logprobs: msgspec.Raw | None, found: list[Delta]
    ) -> None:
        if self._open is not kind:
            self._close(found)
            part = Text(origin=ORIGIN, text="") if kind is Text else Thinking(origin=ORIGIN)
            found.append(PartBegan(self._num_parts, part))
            self._num_parts += 1
            self._open = kind
        found.append(TextDelta(self._num_parts - 1, said, logprobs))

    def _call(self, call: _Call, found: list[Delta]) -> None:
        """A call comes whole; one without an id gets one that no other answer has."""
        arguments = bytes(call.function.arguments).decode()
        id = call.id or f"call_{self._stem}_{self._num_calls}"
        self._num_calls += 1
        self._close(found)
        found.append(PartBegan(self._num_parts, ToolCall(origin=ORIGIN, id=id, name=call.function.name)))
        found.append(ArgumentsDelta(self._num_parts, "{}" if arguments == "null" else arguments))
        found.append(PartEnded(self._num_parts))
        self._num_parts += 1

    def _whole(self, part: Part, found: list[Delta]) -> None:
        self._close(found)
        found += [PartBegan(self._num_parts, part), PartEnded(self._num_parts)]
        self._num_parts += 1

    def _close(self, found: list[Delta]) -> None:
        if self._open is not None:
            found.append(PartEnded(self._num_parts - 1))
            self._open = None


def _unread(data: bytes | msgspec.Raw, known: frozenset[str], prefix: str) -> list[str]:
    members = _decode_members(data)
    return [f"{prefix}{name}" for name, raw in members.items() if name not in known and bytes(raw) != b"null"]


def _seconds(created_at: str | None) -> int:
    try:
        return max(0, int(datetime.datetime.fromisoformat(created_at or "").timestamp()))
    except (ValueError, OverflowError):
        return 0
