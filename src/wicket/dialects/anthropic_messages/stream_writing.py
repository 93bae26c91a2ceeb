"""A stream to a caller, in exactly Anthropic's order of events.

`message_start`, then block after block (start, deltas, stop; contiguous numbers, never two open at once, so
that parts which overlap elsewhere wait for their turn), `message_delta` with stop reason and cumulative
usage, `message_stop`. Source: "Streaming messages" of the Claude API documentation.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.anthropic_messages import carrier
from wicket.dialects.anthropic_messages.answers import (
    media_block,
    message_id,
    seal_blocks,
    stop_words,
    thinking_block,
)
from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.anthropic_messages.faults import fault_frame
from wicket.dialects.anthropic_messages.usage import written_usage
from wicket.dialects.contract import Counts
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Delta,
    Foreign,
    Media,
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
from wicket.errors import UpstreamBroken
from wicket.wire import json

KEEP_ALIVE = b'event: ping\ndata: {"type": "ping"}\n\n'

_PartDelta = TextDelta | ArgumentsDelta | SignatureDelta | AnnotationDelta | PartEnded


def _frame(kind: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.encode({"type": kind, **fields}))


class _Waiting:
    """A part whose turn has not come, or is now. `number` is its block's, -1 before that began."""

    def __init__(self, part: Any) -> None:
        self.part = part
        self.deltas: list[_PartDelta] = []
        self.number = -1
        self.signature = part.signature


class StreamWriter:
    """Writes one stream, as whole frames with their blank lines."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._has_begun = False
        self._parts: dict[int, _Waiting] = {}  # in order of their beginning; the first one is live
        self._num_blocks = 0
        self._stopped: Stopped | None = None
        self._counts: Counts | None = None
        self._broken = False
        self._model = ""

    def write(self, delta: Delta) -> bytes:
        """The frames for a delta, b"" where the dialect has nothing to say."""
        if isinstance(delta, Used):
            self._counts = delta.counts
            return b""
        if isinstance(delta, Stopped):
            self._stopped = delta
            return b""
        if isinstance(delta, Broken):
            self._broken = True
            return fault_frame(delta.fault, self._asked.id)
        if isinstance(delta, Began):
            self._model = delta.model
            return self._begin()
        if isinstance(delta, PartBegan):
            self._parts[delta.index] = _Waiting(delta.part)
            return self._begin() + self._advance()
        if isinstance(delta, TextDelta | ArgumentsDelta | SignatureDelta | AnnotationDelta | PartEnded):
            waiting = self._parts.get(delta.index)
            if waiting is None:
                return b""
            waiting.deltas.append(delta)
            return self._advance()
        return b""

    def finish(self, cost_usd: float | None) -> bytes:
        """The last frames; an error where no finish reason came, so that a cut is never a normal stop."""
        if self._broken:
            return b""
        if self._stopped is None:
            fault = UpstreamBroken("cut", "The provider's stream ended before its answer did.")
            return fault_frame(fault, self._asked.id)
        frames = self._begin()
        for index, waiting in list(self._parts.items()):
            waiting.deltas.append(PartEnded(index))
            frames += self._advance()
        stopped = self._stopped
        origin = NAME if stopped.raw_finish else ""
        reason, stop = stop_words(stopped.finish, stopped.raw_finish, stopped.stop, origin)
        usage = written_usage(self._counts, cost_usd)
        frames += _frame("message_delta", delta={"stop_reason": reason, "stop_sequence": stop}, usage=usage)
        return frames + _frame("message_stop")

    def _begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        message: dict[str, Any] = {
            "id": message_id(self._asked),
            "type": "message",
            "role": "assistant",
            "model": self._model or self._asked.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": written_usage(self._counts),
        }
        return _frame("message_start", message=message)

    def _advance(self) -> bytes:
        """Write what waits at the live part, and go on to the next once that has ended."""
        frames = b""
        while self._parts:
            index, live = next(iter(self._parts.items()))
            frames += self._first(live)
            ended = False
            for delta in live.deltas:
                ended = ended or isinstance(delta, PartEnded)
                frames += self._more(live, delta)
            live.deltas.clear()
            if not ended:
                return frames
            del self._parts[index]
        return frames

    def _first(self, live: _Waiting) -> bytes:
        """The beginning of a part, and what it has from the start."""
        if live.number >= 0:
            return b""
        part = live.part
        if isinstance(part, Text | Refusal):
            return self._text(live, part.text)
        if isinstance(part, Thinking) and not part.is_redacted:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            return self._start(live, block) + self._text(live, part.text)
        if isinstance(part, ToolCall):
            call: dict[str, Any] = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
            said = "" if part.arguments == "{}" else part.arguments  # "{}" is a call's empty form
            return self._start(live, call) + self._arguments(live, said)
        whole = self._whole(part)
        return b"" if whole is None else self._start(live, whole) + self._input(live, part)

    def _whole(self, part: Any) -> Any:
        if isinstance(part, Thinking):
            return thinking_block(part, part.origin)
        if isinstance(part, Media):
            return media_block(part)
        if isinstance(part, Foreign) and part.origin == NAME and part.raw is not None:
            block = json.decode(part.raw)
            return {**block, "input": {}} if isinstance(block.get("input"), dict) else part.raw
        return None

    def _input(self, live: _Waiting, part: Any) -> bytes:
        found = json.decode(part.raw).get("input") if isinstance(part, Foreign) and part.raw else None
        if not isinstance(found, dict):
            return b""
        return self._delta(live, {"type": "input_json_delta", "partial_json": json.encode(found).decode()})

    def _start(self, live: _Waiting, block: Any) -> bytes:
        live.number = self._num_blocks
        self._num_blocks += 1
        return _frame("content_block_start", index=live.number, content_block=block)

    def _delta(self, live: _Waiting, delta: dict[str, Any]) -> bytes:
        return _frame("content_block_delta", index=live.number, delta=delta)

    def _more(self, live: _Waiting, delta: _PartDelta) -> bytes:
        if isinstance(delta, TextDelta):
            return self._text(live, delta.text)
        if isinstance(delta, ArgumentsDelta):
            return self._arguments(live, delta.json)
        if isinstance(delta, SignatureDelta):
            live.signature = delta.signature
            return b""
        if isinstance(delta, AnnotationDelta):
            return self._annotation(live, delta.raw)
        return self._end(live)

    def _text(self, live: _Waiting, text: str) -> bytes:
        if not text:
            return b""
        frames = b""
        if live.number < 0:  # a text begins with its first words: an empty block would be refused as input
            frames = self._start(live, {"type": "text", "text": ""})
        kind = "thinking" if isinstance(live.part, Thinking) else "text"
        return frames + self._delta(live, {"type": f"{kind}_delta", kind: text})

    def _arguments(self, live: _Waiting, text: str) -> bytes:
        if not text:
            return b""
        return self._delta(live, {"type": "input_json_delta", "partial_json": text})

    def _annotation(self, live: _Waiting, raw: msgspec.Raw) -> bytes:
        if live.part.origin != NAME:
            return b""
        frames = b"" if live.number >= 0 else self._start(live, {"type": "text", "text": ""})
        return frames + self._delta(live, {"type": "citations_delta", "citation": raw})

    def _end(self, live: _Waiting) -> bytes:
        if live.number < 0:
            return b""
        part, frames = live.part, b""
        if isinstance(part, Thinking) and not part.is_redacted:
            signature = live.signature if part.origin == NAME else carrier.pack(part.origin, live.signature)
            if signature:
                frames = self._delta(live, {"type": "signature_delta", "signature": signature})
        frames += _frame("content_block_stop", index=live.number)
        if isinstance(part, ToolCall):
            for block in seal_blocks(part.id, part.origin, live.signature):
                number, self._num_blocks = self._num_blocks, self._num_blocks + 1
                frames += _frame("content_block_start", index=number, content_block=block)
                frames += _frame("content_block_stop", index=number)
        return frames


def stream_writer(asked: Asked) -> StreamWriter:
    """A writer for one stream."""
    return StreamWriter(asked)
