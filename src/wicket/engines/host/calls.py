"""Reads a model's output as it comes: text, or tool calls inside it. Sans-IO.

Readers turn pieces of output into deltas for the client, holding back only what can't be told apart yet.
"""

from __future__ import annotations

import re
from typing import Literal, Protocol

import msgspec

from wicket.engines.host.tools import Shape
from wicket.wire import json

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_MAX_HEAD_CHARS = 4096
_HEAD = re.compile(r'\s*\{\s*"(answer|name)"\s*:\s*')
_NAME = re.compile(r'("(?:[^"\\]|\\.)*")\s*,\s*"arguments"\s*:\s*')
_UNIT = re.compile(
    r'[^"\\]+|\\["\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
    r"|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
)
_LONE = re.compile(
    r"\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89abAB][0-9a-fA-F]{2}(?=[^\\]|\\[^u]|\\u[^dD]|\\u[dD][89abAB0-7])"
)


class Text(msgspec.Struct, frozen=True):
    """Words for the client."""

    text: str


class CallStart(msgspec.Struct, frozen=True):
    """A call begins: the function's name is known. `index` counts the calls of one answer."""

    index: int
    name: str


class CallArguments(msgspec.Struct, frozen=True):
    """More of a call's arguments, as JSON text."""

    index: int
    text: str


Delta = Text | CallStart | CallArguments


class Reader(Protocol):
    """Turns output into deltas; `num_calls` tool calls were seen so far."""

    num_calls: int

    def feed(self, text: str) -> list[Delta]:
        """The deltas that `text` completes."""
        ...

    def finish(self) -> list[Delta]:
        """What was held back, at the end of the output."""
        ...


def reader(shape: Shape) -> Reader:
    """The reader that the shape asks for."""
    if shape.reading == "choice":
        return ChoiceReader(is_answer_json=shape.is_answer_json)
    return TaggedReader() if shape.reading == "tagged" else TextReader()


class TextReader:
    """Output is the answer."""

    num_calls = 0

    def feed(self, text: str) -> list[Delta]:
        """The text as it is."""
        return [Text(text)] if text else []

    def finish(self) -> list[Delta]:
        """Nothing is held back."""
        return []


class ChoiceReader:
    """Output is `{"answer": …}` or `{"name": …, "arguments": …}`, as the schema made sure."""

    def __init__(self, *, is_answer_json: bool) -> None:
        self.num_calls = 0
        self._is_answer_json = is_answer_json
        self._phase: Literal["head", "name", "string", "value", "after"] = "head"
        self._rest = ""
        self._value = ValueEnd()

    def feed(self, text: str) -> list[Delta]:
        """The deltas that `text` completes."""
        self._rest += text
        deltas: list[Delta] = []
        while self._rest and self._phase != "after":
            before = (self._phase, len(self._rest))
            deltas += self._advance()
            if (self._phase, len(self._rest)) == before:
                break
        return deltas

    def finish(self) -> list[Delta]:
        """A head that never became one is handed over as text."""
        rest, self._rest = self._rest, ""
        return [Text(rest)] if rest.strip() and self._phase in ("head", "name") else []

    def _advance(self) -> list[Delta]:
        if self._phase == "head":
            return self._read_head()
        if self._phase == "name":
            return self._read_name()
        if self._phase == "string":
            return self._read_string()
        return self._read_value()

    def _read_head(self) -> list[Delta]:
        found = _HEAD.match(self._rest)
        if found is None or (not self._is_answer_json and found.end() == len(self._rest)):
            return []
        self._rest = self._rest[found.end() :]
        if found.group(1) == "name":
            self._phase = "name"
        elif self._is_answer_json:
            self._phase = "value"
        else:
            self._phase = "string"
            self._rest = self._rest[1:]
        return []

    def _read_name(self) -> list[Delta]:
        found = _NAME.match(self._rest)
        if found is None:
            return []
        self._rest = self._rest[found.end() :]
        self._phase = "value"
        self.num_calls = 1
        return [CallStart(0, json.decode(found.group(1)))]

    def _read_string(self) -> list[Delta]:
        text, self._rest, is_ended = decode_string(self._rest)
        if is_ended:
            self._phase = "after"
        return [Text(text)] if text else []

    def _read_value(self) -> list[Delta]:
        rest = self._rest if self._value.is_begun else self._rest.lstrip()
        size, is_ended = self._value.scan(rest)
        text, self._rest = rest[:size], rest[size:]
        if is_ended:
            self._phase = "after"
        if not text:
            return []
        return [CallArguments(0, text)] if self.num_calls else [Text(text)]


class ValueEnd:
    """Finds where a JSON value ends in text that comes in parts."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_string = False
        self._is_escaped = False
        self.is_begun = False

    def scan(self, text: str) -> tuple[int, bool]:
        """How many characters of `text` belong to the value, and whether it ended there."""
        for position, char in enumerate(text):
            self.is_begun = True
            if self._is_string:
                self._string(char)
            elif char == '"':
                self._is_string = True
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                self._depth -= 1
                if self._depth <= 0:  # its own bracket, or the one around a plain value
                    return position + 1 + self._depth, True
            elif char == "," and self._depth == 0:
                return position, True
        return len(text), False

    def _string(self, char: str) -> None:
        if self._is_escaped:
            self._is_escaped = False
        elif char == "\\":
            self._is_escaped = True
        elif char == '"':
            self._is_string = False


def decode_string(text: str) -> tuple[str, str, bool]:
    """Decode the inside of a JSON string as far as it is whole: (text, what is left, whether it ended)."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == '"':
            return "".join(parts), text[position + 1 :], True
        unit = _UNIT.match(text, position)
        if unit is not None:
            raw = unit.group()
            parts.append(json.decode(f'"{raw}"', strict=False) if raw[0] == "\\" else raw)
        else:
            unit = _LONE.match(text, position)
            if unit is None:
                break
            parts.append("\N{REPLACEMENT CHARACTER}")
        position = unit.end()
    return "".join(parts), text[position:], False


class TaggedReader:
    """Output is text with `<tool_call>{"name": …, "arguments": …}</tool_call>` in it."""

    def __init__(self) -> None:
        self.num_calls = 0
        self._rest = ""
        self._is_inside = False

    def feed(self, text: str) -> list[Delta]:
        """The deltas that `text` completes; a possible start of a tag is held back."""
        self._rest += text
        deltas: list[Delta] = []
        while True:
            tag = _CLOSE if self._is_inside else _OPEN
            before, found, after = self._rest.partition(tag)
            if not found:
                break
            self._rest = after
            deltas += self._call(before) if self._is_inside else self._words(before)
            self._is_inside = not self._is_inside
        if not self._is_inside:
            size = len(self._rest) - _held(self._rest)
            deltas += self._words(self._rest[:size])
            self._rest = self._rest[size:]
        return deltas

    def finish(self) -> list[Delta]:
        """The rest: a call without its closing tag is still a call if it is whole."""
        rest, self._rest = self._rest, ""
        return self._call(rest) if self._is_inside else self._words(rest)

    def _words(self, text: str) -> list[Delta]:
        if not text or (self.num_calls and not text.strip()):
            return []
        return [Text(text)]

    def _call(self, text: str) -> list[Delta]:
        try:
            call = json.decode(text.strip(), type=_TaggedCall)
        except (json.DecodeError, RecursionError):
            return [Text(f"{_OPEN}{text}")]
        index = self.num_calls
        self.num_calls += 1
        arguments: str = (bytes(call.arguments) or bytes(call.parameters) or b"{}").decode()
        return [CallStart(index, call.name), CallArguments(index, arguments)]


class _TaggedCall(msgspec.Struct):
    name: str
    arguments: msgspec.Raw = msgspec.Raw()
    parameters: msgspec.Raw = msgspec.Raw()


def _held(text: str) -> int:
    """How many last characters could be the beginning of an opening tag."""
    for size in range(min(len(text), len(_OPEN) - 1), 0, -1):
        if _OPEN.startswith(text[-size:]):
            return size
    return 0
