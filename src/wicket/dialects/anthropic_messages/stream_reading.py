"""A stream of a provider: as the hub's deltas, or only looked at on its way past.

Source: "Streaming messages" of the Claude API documentation (event order, ping, error, new event types are to
be ignored) and recorded traffic. Clones: Kimi's endpoint sends a tool's whole input in `content_block_start`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.dialects.anthropic_messages.answers import (
    MAX_MODEL,
    Head,
    finish_of,
    malformed,
    read_block,
)
from wicket.dialects.anthropic_messages.block_reading import NAME
from wicket.dialects.anthropic_messages.faults import in_band
from wicket.dialects.anthropic_messages.request_writing import ANSWER_TOOL
from wicket.dialects.anthropic_messages.usage import Usage, counts, merged
from wicket.dialects.contract import Frame
from wicket.dialects.hub import (
    AnnotationDelta,
    ArgumentsDelta,
    Began,
    Broken,
    Delta,
    Finish,
    Over,
    PartBegan,
    PartEnded,
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.errors import Fault, UpstreamBroken
from wicket.wire import json
from wicket.wire.sse import FrameSplitter

NOTHING = msgspec.Raw()


class _BlockDelta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: msgspec.Raw = NOTHING
    content: Any = None  # of compaction_delta
    encrypted_content: str | None = None
    stop_reason: str | None = None  # of message_delta
    stop_sequence: str | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    message: Head | None = None
    content_block: msgspec.Raw = NOTHING
    delta: _BlockDelta | None = None
    usage: Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode
_SILENT = Frame()
_SPOKE = Frame(spoke=True)
_DONE = Frame(is_done=True, goes_out=True)


def splitter() -> FrameSplitter:
    """A splitter for one stream."""
    return FrameSplitter()


def _event(data: bytes) -> _Event:
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"The provider sent a stream frame that is not an event: {error}."
        raise UpstreamBroken("malformed", message) from None


def frame(data: bytes) -> Frame:
    """Read one frame's payload, on its own: counts of `message_delta` may lack what `message_start` said."""
    event = _event(data)
    kind, delta = event.type, event.delta
    if kind == "content_block_delta":
        has_output = delta is not None and bool(delta.text or delta.thinking or delta.partial_json)
        return _SPOKE if has_output else _SILENT
    if kind == "content_block_start":
        return _SPOKE if _has_output(event.content_block) else _SILENT
    if kind == "message_start" and event.message is not None:
        return Frame(model=(event.message.model or "")[:MAX_MODEL], counts=counts(event.message.usage))
    if kind == "message_delta":
        try:
            finished = (
                delta is not None and delta.stop_reason is not None and bool(finish_of(delta.stop_reason))
            )
        except Fault as fault:
            return Frame(fault=fault)
        return Frame(finished=finished, counts=counts(event.usage))
    if kind == "error" or event.error:
        return Frame(fault=in_band(event.error))
    return _DONE if kind == "message_stop" else _SILENT


def _has_output(raw: msgspec.Raw) -> bool:
    """Whether a block says something by beginning: everything but an empty text or thought does."""
    block = json.decode(raw) if bytes(raw).startswith(b"{") else {}
    return (bool(block) and block.get("type") not in ("text", "thinking")) or bool(
        block.get("text") or block.get("thinking")
    )


class _Open:
    """A block that has begun: its first form, and what of the rest must be gathered until it is whole."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = start
        self.kind = str(start.get("type"))
        self.index = -1
        self.json = ""
        self.signature = str(start.get("signature") or "")

    @property
    def is_whole(self) -> bool:
        """Blocks that go on as one piece, once they are complete."""
        return self.kind not in ("text", "thinking", "tool_use")


class StreamReader:
    """Reads one stream, payload by payload."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._num_parts = 0
        self._num_calls = 0
        self._usage: Usage | None = None
        self._has_stopped = False
        self._is_over = False
        self._is_broken = False

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What a payload says. Raises `UpstreamBroken` if it is not one of this dialect."""
        event = _event(payload)
        if self._is_over or self._is_broken:
            return []
        match event.type:
            case "message_start":
                return self._begin(event)
            case "content_block_start":
                return self._start(event)
            case "content_block_delta":
                return self._more(event)
            case "content_block_stop":
                return self._end(self._block(event), event.index)
            case "message_delta":
                return self._stop(event)
            case "message_stop":
                return self._finish()
        if event.type == "error" or event.error:
            self._is_broken = True
            return [Broken(in_band(event.error))]
        return []  # ping, and what may come in future

    def finish(self) -> Sequence[Delta]:
        """What the end of the bytes means: with a stop reason the answer is whole, without it cut."""
        if self._is_over or self._is_broken:
            return []
        if self._has_stopped:
            return self._close()
        self._is_broken = True
        return [Broken(UpstreamBroken("cut", "The provider's stream ended before its answer did."))]

    def _finish(self) -> list[Delta]:
        if not self._has_stopped:
            raise malformed("it stops without a stop reason")
        self._is_over = True
        return [*self._close(), Over()]

    def _begin(self, event: _Event) -> list[Delta]:
        message = event.message or Head()
        deltas: list[Delta] = [Began(message.id or "", (message.model or "")[:MAX_MODEL])]
        return deltas + self._used(message.usage)

    def _used(self, usage: Usage | None) -> list[Delta]:
        if usage is None:
            return []
        self._usage = merged(self._usage, usage)
        found = counts(self._usage)
        return [] if found is None else [Used(found)]

    def _start(self, event: _Event) -> list[Delta]:
        block = json.decode(event.content_block) if bytes(event.content_block) else None
        if not isinstance(block, dict) or event.index is None or event.index in self._open:
            raise malformed("a block begins without its number or form")
        opened = self._open[event.index] = _Open(block)
        if opened.is_whole:
            return []
        opened.index = self._num_parts
        self._num_parts += 1
        if opened.kind == "tool_use":
            return [PartBegan(opened.index, self._call(block))]
        first = block.get("text" if opened.kind == "text" else "thinking") or ""
        part = Text(text="", origin=NAME) if opened.kind == "text" else Thinking(origin=NAME)
        deltas: list[Delta] = [PartBegan(opened.index, part)]
        if isinstance(first, str) and first:
            deltas.append(TextDelta(opened.index, first))
        citations = block.get("citations")
        if isinstance(citations, list):
            deltas += [AnnotationDelta(opened.index, _raw(each)) for each in citations]
        return deltas

    def _call(self, block: dict[str, Any]) -> ToolCall | Text:
        found, name = block.get("id"), block.get("name")
        if not isinstance(found, str) or not isinstance(name, str):
            raise malformed("a tool call begins without its id or name")
        if name == ANSWER_TOOL:
            return Text(text="", origin=NAME)
        self._num_calls += 1
        return ToolCall(id=found, name=name, arguments="", origin=NAME)

    def _block(self, event: _Event) -> _Open:
        block = self._open.get(event.index) if event.index is not None else None
        if block is None:
            raise malformed("an event belongs to no open block")
        return block

    def _more(self, event: _Event) -> list[Delta]:
        block, delta = self._block(event), event.delta
        if delta is None:
            return []
        if delta.type == "signature_delta":
            block.signature += delta.signature or ""
        elif delta.type == "input_json_delta":
            return self._more_json(block, delta.partial_json or "")
        elif delta.type == "citations_delta" and bytes(delta.citation) and block.kind == "text":
            return [AnnotationDelta(block.index, delta.citation)]
        elif delta.type == "compaction_delta":
            block.start["content"] = delta.content
            if delta.encrypted_content is not None:
                block.start["encrypted_content"] = delta.encrypted_content
        else:
            text = delta.text if delta.type == "text_delta" else delta.thinking
            if text and block.kind in ("text", "thinking"):
                return [TextDelta(block.index, text)]
        return []

    def _more_json(self, block: _Open, text: str) -> list[Delta]:
        block.json += text
        if not text or block.kind != "tool_use":
            return []
        return [self._arguments(block, text)]

    def _arguments(self, block: _Open, text: str) -> Delta:
        if block.start.get("name") == ANSWER_TOOL:
            return TextDelta(block.index, text)
        return ArgumentsDelta(block.index, text)

    def _end(self, block: _Open, index: int | None) -> list[Delta]:
        self._open.pop(index if index is not None else -1, None)
        if block.is_whole:
            return self._whole(block)
        deltas: list[Delta] = []
        if block.kind == "tool_use" and not block.json:  # it came whole in the start, or there is none
            deltas.append(self._arguments(block, json.encode(block.start.get("input") or {}).decode()))
        if block.signature:
            deltas.append(SignatureDelta(block.index, block.signature))
        return [*deltas, PartEnded(block.index)]

    def _whole(self, block: _Open) -> list[Delta]:
        if block.json:
            try:
                block.start["input"] = json.decode(block.json)
            except json.DecodeError:
                raise malformed("the input of a server's tool is cut") from None
        part = read_block(block.start, _raw(block.start))
        index, self._num_parts = self._num_parts, self._num_parts + 1
        return [PartBegan(index, part), PartEnded(index)]

    def _stop(self, event: _Event) -> list[Delta]:
        delta = event.delta
        deltas = self._used(event.usage)
        if delta is None or delta.stop_reason is None:
            return deltas
        try:
            finish = finish_of(delta.stop_reason)
        except Fault as fault:
            self._is_broken = True
            return [Broken(fault)]
        if finish is Finish.TOOL_CALLS and not self._num_calls:
            finish = Finish.STOP  # the only call was the answer itself (`ANSWER_TOOL`)
        self._has_stopped = True
        return [*deltas, Stopped(finish, delta.stop_reason, delta.stop_sequence or "")]

    def _close(self) -> list[Delta]:
        """The ends of parts that a provider left open."""
        deltas: list[Delta] = []
        for index, block in sorted(self._open.items()):
            deltas += self._end(block, index)
        return deltas


def stream_reader() -> StreamReader:
    """A reader for one stream."""
    return StreamReader()


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.encode(value))
