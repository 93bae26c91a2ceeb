"""Whether a translated answer still says the same: what was written for a caller is read back and compared.

Compared are text and tool calls, which every family has; thoughts and citations may have no word elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.dialects.hub import ArgumentsDelta, Completion, Delta, PartBegan, Text, TextDelta, ToolCall
from wicket.wire import json
from wicket.wire.sse import FrameSplitter, payload


class Gist(msgspec.Struct, frozen=True):
    """The text of an answer and the calls in it: name and arguments as a value."""

    text: str
    calls: list[tuple[str, Any]]


def gist(said: Completion | Sequence[Delta]) -> Gist:
    """Of a whole answer or of a stream."""
    if isinstance(said, Completion):
        text = "".join(part.text for part in said.parts if isinstance(part, Text))
        calls = [(part.name, _value(part.arguments)) for part in said.parts if isinstance(part, ToolCall)]
        return Gist(text, calls)
    return _of_stream(said)


def _of_stream(said: Sequence[Delta]) -> Gist:
    parts = {delta.index: delta.part for delta in said if isinstance(delta, PartBegan)}
    text, arguments = (
        [part.text for part in parts.values() if isinstance(part, Text)],
        dict.fromkeys(parts, ""),
    )
    for delta in said:
        if isinstance(delta, TextDelta) and isinstance(parts.get(delta.index), Text):
            text.append(delta.text)
        elif isinstance(delta, ArgumentsDelta) and delta.index in arguments:
            arguments[delta.index] += delta.json
    calls = [
        (part.name, _value(arguments[index] or part.arguments))
        for index, part in parts.items()
        if isinstance(part, ToolCall)
    ]
    return Gist("".join(text), calls)


def _value(arguments: str) -> Any:
    try:
        return json.decode(arguments or "{}")
    except msgspec.DecodeError:
        return arguments


def read_back(module: Any, written: bytes, *, is_stream: bool) -> Gist:
    """What a dialect's own reader makes of what its writer wrote. Raises its faults."""
    if not is_stream:
        return gist(module.read_completion(written))
    splitter, stream = FrameSplitter(), module.stream_reader()
    frames = [*splitter.feed(written), splitter.finish()]
    deltas = [delta for data in map(payload, frames) if data for delta in stream.feed(data)]
    return gist([*deltas, *stream.finish()])
