"""On which line a value of a TOML document stands: tomllib does not say.

A scanner that knows just enough of TOML 1.0 (https://toml.io/en/v1.0.0) to follow keys: headers, arrays
of tables, dotted and quoted keys, inline tables, arrays and all four kinds of string. It is run on text
that tomllib has accepted; on any other text it stops early and knows fewer lines.
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_STRINGS = (
    re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}', re.DOTALL),
    re.compile(r"'''(?:[^']|'(?!''))*'{3,5}", re.DOTALL),
    re.compile(r'"((?:[^"\\\n]|\\.)*)"'),
    re.compile(r"'([^'\n]*)'"),
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_SIMPLE = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}
_MAX_DEPTH = 64


class _Lost(Exception):
    """The text is not TOML from here on."""


class Lines:
    """Line numbers (from 1) by path; a path is keys and array positions, e.g. `("models", "x", "policy")`."""

    def __init__(self, text: str = "") -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._line = 1
        self._counted = 0
        self._known: dict[Path, int] = {}
        self._last: dict[Path, int] = {}  # array of tables → its latest position
        try:
            self._document()
        except _Lost:
            pass

    def of(self, path: Path) -> int:
        """The line of `path`, or of the nearest thing around it; 0 if nothing around it is known."""
        while path:
            if path in self._known:
                return self._known[path]
            path = path[:-1]
        return 0

    def _document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANK)
            if self._at >= len(self._text):
                return
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table, 0)

    def _header(self) -> Path:
        line = self._line_here()
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        keys = self._keys()
        self._expect("]]" if is_array else "]")
        path: Path = ()
        for position, key in enumerate(keys):
            path += (key,)
            is_last = position == len(keys) - 1
            if is_last and is_array:
                self._note(path, line)
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                path += (self._last[path],)
            self._note(path, line)
        return path

    def _pair(self, table: Path, depth: int) -> None:
        line = self._line_here()
        path = table
        for key in self._keys():
            path += (key,)
            self._note(path, line)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path, depth)

    def _value(self, path: Path, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise _Lost
        first = self._text[self._at : self._at + 1]
        if first == "[":
            self._array(path, depth)
        elif first == "{":
            self._inline_table(path, depth)
        elif first and first in "\"'":
            self._string()
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path, depth: int) -> None:
        self._at += 1
        position = 0
        while True:
            self._skip(_BLANK)
            if self._take("]"):
                return
            before = self._at
            self._note((*path, position), self._line_here())
            self._value((*path, position), depth + 1)
            self._skip(_BLANK)
            self._take(",")
            self._must_have_moved(before)
            position += 1

    def _inline_table(self, path: Path, depth: int) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self._take("}"):
                return
            before = self._at
            self._pair(path, depth + 1)
            self._skip(_BLANK)
            self._take(",")
            self._must_have_moved(before)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            self._skip(_SPACE)
            if not self._take("."):
                return keys

    def _key(self) -> str:
        if self._text[self._at : self._at + 1] in ('"', "'"):
            quote = self._text[self._at]
            inner = self._string()[1:-1]
            return _ESCAPE.sub(_unescape, inner) if quote == '"' else inner
        match = _BARE_KEY.match(self._text, self._at)
        if not match:
            raise _Lost
        self._at = match.end()
        return match.group()

    def _string(self) -> str:
        for pattern in _STRINGS:
            match = pattern.match(self._text, self._at)
            if match:
                self._at = match.end()
                return match.group()
        raise _Lost

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _take(self, mark: str) -> bool:
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise _Lost

    def _must_have_moved(self, before: int) -> None:
        if self._at == before:
            raise _Lost

    def _note(self, path: Path, line: int) -> None:
        self._known.setdefault(path, line)

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line


def _unescape(match: re.Match[str]) -> str:
    body = match.group(1)
    if body[0] in "uU" and len(body) > 1:
        code = int(body[1:], 16)
        return chr(code) if code <= 0x10FFFF else "�"
    return _SIMPLE.get(body, body)
