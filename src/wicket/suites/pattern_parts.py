"""A regular expression read into a tree: the syntax of Python's `re` as far as `pattern.py` takes it."""

from __future__ import annotations

from typing import NoReturn

import msgspec

from wicket.errors import CallerFault

MAX_PATTERN_CHARACTERS = 1_000
MAX_DEPTH = 40
MAX_REPEATS = 1_000
_KINDS = "dwsDWS"
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_CONDITIONS = {"b": "edge", "B": "no_edge", "A": "start", "Z": "very_end"}


class Letters(msgspec.Struct, frozen=True):
    """A set of characters: `ranges` (both ends in), classes such as "d" and "W", turned around if negated."""

    ranges: tuple[tuple[str, str], ...] = ()
    kinds: str = ""
    is_negated: bool = False
    folds: bool = False  # upper and lower case are the same

    def has(self, character: str) -> bool:
        """Whether a character belongs to it."""
        found = self._lists(character)
        if not found and self.folds:
            found = any(len(c) == 1 and self._lists(c) for c in (character.lower(), character.upper()))
        return found != self.is_negated

    def _lists(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) or any(
            _is_kind(kind, character) for kind in self.kinds
        )


class Node(msgspec.Struct, frozen=True):
    """A part: "take" (one of `letters`), "row", "either", "repeat", or a condition's name."""

    kind: str
    parts: tuple[Node, ...] = ()
    letters: Letters | None = None
    least: int = 0
    most: int | None = None


def parse(pattern: str) -> Node:
    """The tree. Raises `CallerFault` saying what is wrong, and at which character."""
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise CallerFault("bad_pattern", f"The pattern has more than {MAX_PATTERN_CHARACTERS} characters.")
    reader = _Reader(pattern)
    node = reader.either(0)
    if not reader.is_done:
        reader.refuse("a ')' without its '('")
    return node


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._place = 0
        self._flags = ""
        end = pattern.find(")")
        if pattern.startswith("(?") and end > 2 and set(pattern[2:end]) <= set("ims"):
            self._flags, self._place = pattern[2:end], end + 1

    @property
    def is_done(self) -> bool:
        return self._place >= len(self._text)

    def refuse(self, what: str) -> NoReturn:
        """Raise, with the place."""
        raise CallerFault("bad_pattern", f"The pattern has {what} at character {self._place + 1}.")

    def either(self, depth: int) -> Node:
        """Alternatives up to a ')' or the end."""
        if depth > MAX_DEPTH:
            self.refuse(f"groups nested deeper than {MAX_DEPTH}")
        rows = [self._row(depth)]
        while self._sees("|"):
            self._place += 1
            rows.append(self._row(depth))
        return rows[0] if len(rows) == 1 else Node("either", tuple(rows))

    def _sees(self, start: str) -> bool:
        return self._text.startswith(start, self._place)

    def _take(self) -> str:
        if self.is_done:
            self.refuse("its end where more is needed,")
        self._place += 1
        return self._text[self._place - 1]

    def _row(self, depth: int) -> Node:
        parts: list[Node] = []
        while not self.is_done and not self._sees("|") and not self._sees(")"):
            parts.append(self._repeated(self._atom(depth)))
        return parts[0] if len(parts) == 1 else Node("row", tuple(parts))

    def _repeated(self, node: Node) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return node
        if node.kind not in ("take", "row", "either", "repeat"):
            self.refuse("a repeat of a condition")
        if self._sees("?"):
            self._place += 1
        elif self._sees("+"):
            self.refuse("a possessive repeat, which is not supported,")
        if self._bounds() is not None:
            self.refuse("a repeat of a repeat")
        least, most = bounds
        if max(least, most or 0) > MAX_REPEATS or (most is not None and most < least):
            self.refuse(f"a repeat out of order or of more than {MAX_REPEATS} times")
        return Node("repeat", (node,), None, least, most)

    def _bounds(self) -> tuple[int, int | None] | None:
        """The repeat that stands here, taken; None for anything else (such a `{` is a letter)."""
        for sign, found in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._sees(sign):
                self._place += 1
                return found
        end = self._text.find("}", self._place)
        if not self._sees("{") or end < 0:
            return None
        low, comma, high = self._text[self._place + 1 : end].partition(",")
        if not (low + high).isdecimal() or not (low + high).isascii() or len(low + high) > 8:
            return None
        self._place = end + 1
        least = int(low or 0)
        return least, (int(high) if high else None) if comma else least

    def _atom(self, depth: int) -> Node:
        sign = self._take()
        match sign:
            case "(":
                return self._group(depth)
            case "[":
                return Node("take", letters=self._set())
            case ".":
                newline = () if "s" in self._flags else (("\n", "\n"),)
                return Node("take", letters=Letters(newline, is_negated=True))
            case "^":
                return Node("line_start" if "m" in self._flags else "start")
            case "$":
                return Node("line_end" if "m" in self._flags else "end")
            case "\\":
                if not self.is_done and self._text[self._place] in _CONDITIONS:
                    return Node(_CONDITIONS[self._take()])
                return Node("take", letters=self._letters(*self._escaped()))
            case "*" | "+" | "?":
                self._place -= 1
                self.refuse("a repeat of nothing")
        return Node("take", letters=self._letters(sign, ""))

    def _letters(self, character: str, kinds: str) -> Letters:
        ranges = ((character, character),) if character else ()
        return Letters(ranges, kinds, folds="i" in self._flags)

    def _group(self, depth: int) -> Node:
        if self._sees("?:"):
            self._place += 2
        elif self._sees("?P<"):
            end = self._text.find(">", self._place)
            if end < 0:
                self.refuse("an unfinished group name")
            self._place = end + 1
        elif self._sees("?"):
            self.refuse("a look-around, a back-reference or a flag that is not supported")
        node = self.either(depth + 1)
        if not self._sees(")"):
            self.refuse("a '(' without its ')'")
        self._place += 1
        return Node("row", (node,))

    def _escaped(self) -> tuple[str, str]:
        """The character or the class behind a backslash."""
        sign = self._take()
        if sign in _KINDS:
            return "", sign
        if sign in _PLAIN:
            return _PLAIN[sign], ""
        if sign in "xu":
            digits = self._text[self._place : self._place + (2 if sign == "x" else 4)]
            self._place += len(digits)
            try:
                return chr(int(digits, 16)), ""
            except ValueError:
                self.refuse("a bad character code")
        if sign.isalnum():
            self.refuse(f"\\{sign}, which is not supported,")
        return sign, ""

    def _set(self) -> Letters:
        is_negated = self._sees("^")
        self._place += is_negated
        ranges: list[tuple[str, str]] = []
        kinds = ""
        is_first = True
        while is_first or not self._sees("]"):
            is_first = False
            low, kind = self._in_set()
            kinds += kind
            if low and self._sees("-") and not self._text.startswith("-]", self._place):
                self._place += 1
                high, kind = self._in_set()
                if kind or high < low:
                    self.refuse("a range out of order")
                ranges.append((low, high))
            elif low:
                ranges.append((low, low))
        self._place += 1
        return Letters(tuple(ranges), kinds, is_negated, "i" in self._flags)

    def _in_set(self) -> tuple[str, str]:
        sign = self._take()
        if sign != "\\":
            return sign, ""
        if self._sees("b"):
            self._place += 1
            return "\b", ""
        return self._escaped()


def _is_kind(kind: str, character: str) -> bool:
    match kind.lower():
        case "d":
            found = character.isdecimal()
        case "s":
            found = character.isspace()
        case _:
            found = character.isalnum() or character == "_"
    return found != kind.isupper()
