"""ConverseStream's events as deltas. Source: `ConverseStreamOutput` of the API reference."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.dialects.bedrock_converse.answers import malformed, read_block, unread_members
from wicket.dialects.bedrock_converse.block_writing import ORIGIN
from wicket.dialects.bedrock_converse.endings import ServiceTier, Usage, read_finish, usage_counts
from wicket.dialects.bedrock_converse.errors import in_stream
from wicket.dialects.bedrock_converse.eventstream import read_message
from wicket.dialects.bedrock_converse.names import callers_name
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
    SignatureDelta,
    Stopped,
    Text,
    TextDelta,
    Thinking,
    ToolCall,
    Used,
)
from wicket.errors import UpstreamBroken
from wicket.wire import json

_KNOWN = frozenset({"usage", "metrics", "serviceTier", "performanceConfig", "p"})  # `p` is padding
_KNOWN_AT_STOP = frozenset({"stopReason", "p"})


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""
    type: str | None = None
    input: str | None = None


class _Thought(msgspec.Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Thought | None = None
    citation: msgspec.Raw = msgspec.Raw()


class Event(msgspec.Struct, rename="camel"):
    """The members of all events, each of which has some of them."""

    content_block_index: int = 0
    start: dict[str, msgspec.Raw] | None = None
    delta: dict[str, msgspec.Raw] | None = None
    stop_reason: str | None = None
    usage: Usage | None = None
    service_tier: ServiceTier | None = None


decode_event = msgspec.json.Decoder(Event).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
EVENTS = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)


class _Block:
    """A content block while it grows; `index` is its part's, -1 before that began.

    `kind` is "" until something tells. `own` are the start and the deltas of a block that Bedrock's family
    alone understands: it comes whole, when it ends.
    """

    def __init__(self) -> None:
        self.index = -1
        self.kind = ""
        self.redacted: list[str] = []
        self.own: dict[str, Any] | None = None
        self.pieces: list[dict[str, msgspec.Raw]] = []


class ConverseReader:
    """Reads one stream, message by message; `unread` are paths of it that nothing was made of."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self._blocks: dict[int, _Block] = {}  # those that are open, by their number in the stream
        self._num_parts = 0
        self._has_calls = False
        self._has_stopped = False
        self._is_over = False

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What a message says. Raises `UpstreamBroken` if it is damaged or none of this API's."""
        found: list[Delta] = []
        try:
            message = read_message(payload)
            if message.is_exception:
                return [Broken(in_stream(message))]
            self._read(message.kind, message.payload, found)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise malformed(error) from None
        except UpstreamBroken as fault:
            if fault.code == "malformed" and self._has_stopped:
                return found  # the answer was whole before the line was cut
            if fault.code == "malformed":
                raise
            return [*found, Broken(fault)]
        return found

    def finish(self) -> Sequence[Delta]:
        """The parts that were left open."""
        found: list[Delta] = []
        self._end_all(found)
        if self._has_stopped and not self._is_over:
            found.append(Over())
        return found

    def _read(self, kind: str, payload: bytes, found: list[Delta]) -> None:
        if kind not in EVENTS:
            if kind:
                self.unread.append(kind)
            return
        event = decode_event(payload)
        match kind:
            case "messageStart":
                found.append(Began("", ""))
            case "contentBlockStart":
                self._start(event, found)
            case "contentBlockDelta":
                self._grow(event, found)
            case "contentBlockStop":
                self._end(event.content_block_index, found)
            case "messageStop":
                self._end_all(found)
                self.unread += unread_members(_decode_members(payload), _KNOWN_AT_STOP)
                finish = read_finish(event.stop_reason or "", has_calls=self._has_calls)
                self._has_stopped = True
                found.append(Stopped(finish, event.stop_reason or ""))
            case "metadata":
                self._read_metadata(event, payload, found)

    def _read_metadata(self, event: Event, payload: bytes, found: list[Delta]) -> None:
        counts = usage_counts(event.usage, event.service_tier)
        self.unread += unread_members(_decode_members(payload), _KNOWN)
        if counts is not None:
            found.append(Used(counts))
        if self._has_stopped:
            self._is_over = True
            found.append(Over())

    def _start(self, event: Event, found: list[Delta]) -> None:
        block = self._blocks[event.content_block_index] = _Block()
        start = event.start or {}
        use = msgspec.json.decode(start["toolUse"], type=_ToolUse) if "toolUse" in start else None
        if use is not None and use.type is None:
            self._has_calls = True
            call = ToolCall(origin=ORIGIN, id=use.tool_use_id, name=callers_name(use.name))
            self._begin(block, "call", call, found)
        elif start:
            kind, raw = next(iter(start.items()))
            block.own = {"kind": kind, **msgspec.json.decode(raw, type=dict[str, msgspec.Raw])}

    def _grow(self, event: Event, found: list[Delta]) -> None:
        block = self._blocks.setdefault(event.content_block_index, _Block())
        members = event.delta or {}
        if block.own is not None:
            block.pieces.append(members)
            return
        delta = msgspec.json.decode(json.encode(members), type=_Delta)
        if delta.text is not None:
            self._begin(block, "text", Text(origin=ORIGIN, text=""), found)
            found.append(TextDelta(block.index, delta.text))
        if delta.reasoning_content is not None:
            self._think(block, delta.reasoning_content, found)
        if delta.tool_use is not None and delta.tool_use.input and block.kind == "call":
            found.append(ArgumentsDelta(block.index, delta.tool_use.input))
        if bytes(delta.citation) not in (b"", b"null"):
            self._begin(block, "text", Text(origin=ORIGIN, text=""), found)
            found.append(AnnotationDelta(block.index, delta.citation))
        self.unread += [
            f"contentBlockDelta.delta.{name}"
            for name in members
            if name not in ("text", "reasoningContent", "toolUse", "citation")
        ]

    def _think(self, block: _Block, thought: _Thought, found: list[Delta]) -> None:
        if thought.redacted_content:
            block.redacted.append(thought.redacted_content)
            return
        self._begin(block, "thinking", Thinking(origin=ORIGIN), found)
        if thought.text:
            found.append(TextDelta(block.index, thought.text))
        if thought.signature:
            found.append(SignatureDelta(block.index, thought.signature))

    def _begin(self, block: _Block, kind: str, part: Part, found: list[Delta]) -> None:
        """Begin a block's part, unless it has begun. A block that changes its kind starts another part."""
        if block.kind == kind:
            return
        if block.index >= 0:
            found.append(PartEnded(block.index))
        block.kind, block.index = kind, self._num_parts
        self._num_parts += 1
        found.append(PartBegan(block.index, part))

    def _end(self, number: int, found: list[Delta]) -> None:
        block = self._blocks.pop(number, None)
        if block is None:
            return
        if block.index >= 0:
            found.append(PartEnded(block.index))
        whole: Part | None = None
        if block.redacted:
            whole = Thinking(origin=ORIGIN, is_redacted=True, signature=_joined(block.redacted))
        elif block.own is not None:
            whole = _own_part(block.own, block.pieces)
        if whole is not None:
            found += [PartBegan(self._num_parts, whole), PartEnded(self._num_parts)]
            self._num_parts += 1

    def _end_all(self, found: list[Delta]) -> None:
        for number in list(self._blocks):
            self._end(number, found)


def _joined(pieces: list[str]) -> str:
    """Base64 in pieces as one; pieces that are none stay as they are."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join([base64.b64decode(one) for one in pieces])).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)


def _own_part(own: dict[str, Any], pieces: list[dict[str, msgspec.Raw]]) -> Part | None:
    """A block of Bedrock's own (a server's tool, its result, an image) as a whole answer would have it."""
    kind = own.pop("kind")
    if kind == "toolUse":
        texts = [
            msgspec.json.decode(one["toolUse"], type=_ToolUse).input or "" for one in pieces if kind in one
        ]
        said = "".join(texts) or "{}"
        try:
            json.decode(said)
        except json.DecodeError:
            said = json.encode(said).decode()
        own["input"] = msgspec.Raw(said.encode())
    elif kind == "toolResult":
        lists = [msgspec.json.decode(one[kind], type=list[msgspec.Raw]) for one in pieces if kind in one]
        own["content"] = [item for found in lists for item in found]
    else:
        for one in pieces:
            own.update(msgspec.json.decode(one[kind], type=dict[str, msgspec.Raw]) if kind in one else {})
    return read_block(msgspec.Raw(json.encode({kind: own})))
