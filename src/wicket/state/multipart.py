"""A form with files, read piece by piece: `multipart/form-data` (RFC 7578, RFC 2046 §5.1). No I/O.

Bounded in everything but the one file that the reader of the events bounds itself: number of parts, size of a
part's head, size of plain values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from wicket.errors import CallerFault

MAX_PARTS = 32
MAX_HEAD = 8 * 1024
MAX_VALUE = 64 * 1024
_BOUNDARY = re.compile(
    r"""multipart/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70})(?=[\s;]|$))""", re.I
)
_PARAMETER = re.compile(r""";\s*(name|filename)="((?:[^"\\]|\\.)*)\"""", re.I)
_DISPOSITION = re.compile(r"content-disposition\s*:\s*form-data\b(.*)", re.I)
_BREAK = b"\r\n"


class Value(NamedTuple):
    """A plain field, whole."""

    name: str
    text: str


class FileBegan(NamedTuple):
    """A file follows, in pieces."""

    name: str
    filename: str


class Piece(NamedTuple):
    """Some more of the file that began last."""

    data: bytes


class FileEnded(NamedTuple):
    """That file is whole."""


Event = Value | FileBegan | Piece | FileEnded


def boundary_of(content_type: str) -> bytes:
    """The boundary that a form's content type names. Raises `CallerFault` for everything but a form."""
    found = _BOUNDARY.match(content_type.strip())
    if found is None:
        message = "Send the file as multipart/form-data with a boundary, as OpenAI's clients do."
        raise CallerFault("unsupported_media_type", message, status=415)
    return (found[1] or found[2]).encode("latin-1")


class FormReader:
    """`feed` it the body; `finish` at its end. Both raise `CallerFault` for what is no form."""

    def __init__(self, boundary: bytes) -> None:
        self._mark = b"\r\n--" + boundary
        self._pending = b"\r\n"  # so that the first boundary looks like the others
        self._state = "before"  # then "head" and "value" or "file" in turn, "over"
        self._name = ""
        self._value = bytearray()
        self._num_parts = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """What the bytes bring."""
        self._pending += data
        is_moving = True
        while is_moving and self._state != "over":
            if self._state == "head":
                is_moving, events = self._read_head()
            else:
                is_moving, events = self._read_content()
            yield from events
        if self._state == "over":
            self._pending = b""

    def finish(self) -> None:
        """The body is at its end."""
        if self._state != "over":
            raise _broken("it ends before its last boundary")

    def _read_content(self) -> tuple[bool, list[Event]]:
        """Up to the next boundary, or as far as no boundary can have begun."""
        at = self._pending.find(self._mark)
        if at < 0:
            safe = max(0, len(self._pending) - len(self._mark) + 1)
            return False, self._take(safe)
        tail = self._pending[at + len(self._mark) : at + len(self._mark) + 2]
        if len(tail) < 2:
            return False, self._take(at)
        events = self._take(at)
        self._pending = self._pending[len(self._mark) :]
        if self._state == "file":
            events.append(FileEnded())
        elif self._state == "value":
            events.append(Value(self._name, self._text()))
        if tail == b"--":
            self._state = "over"
        elif tail == _BREAK:
            self._state = "head"
        else:
            raise _broken("a boundary is followed by something else")
        return True, events

    def _take(self, size: int) -> list[Event]:
        data, self._pending = self._pending[:size], self._pending[size:]
        if self._state == "file":
            return [Piece(data)] if data else []
        if self._state == "value":
            self._value += data
            if len(self._value) > MAX_VALUE:
                raise _broken(f"a field is larger than {MAX_VALUE} bytes")
        return []

    def _read_head(self) -> tuple[bool, list[Event]]:
        """A part's header lines; the line break behind the boundary stands before them."""
        at = self._pending.find(b"\r\n\r\n")
        if at < 0 or at > MAX_HEAD:
            if len(self._pending) > MAX_HEAD:
                raise _broken("a part's head is too long")
            return False, []
        head, self._pending = self._pending[:at], self._pending[at + 4 :]
        self._num_parts += 1
        if self._num_parts > MAX_PARTS:
            raise _broken(f"it has more than {MAX_PARTS} parts")
        name, filename = _disposition(head)
        self._name = name
        if filename is None:
            self._state, self._value = "value", bytearray()
            return True, []
        self._state = "file"
        return True, [FileBegan(name, filename)]

    def _text(self) -> str:
        try:
            return self._value.decode()
        except UnicodeDecodeError:
            raise _broken(f"the field '{self._name[:80]}' is not UTF-8") from None


def _disposition(head: bytes) -> tuple[str, str | None]:
    """The part's name, and its file's name if it is one."""
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError:
        raise _broken("a part's head is not UTF-8") from None
    for line in lines:
        found = _DISPOSITION.fullmatch(line)
        if found is not None:
            told = {
                name.lower(): re.sub(r'\\(["\\])', r"\1", text).replace("%22", '"')
                for name, text in _PARAMETER.findall(found[1])
            }
            if "name" in told:
                return told["name"], told.get("filename")
    raise _broken("a part has no name")


def _broken(what: str) -> CallerFault:
    return CallerFault("invalid_form", f"The form can't be read: {what}.")
