"""Regular expressions that can't be made to run for ever: all states at once, one step per character.

Thompson's construction (CACM 11:419, 1968). The time is at most the pattern's size times the text's, whatever
both say; Python's own `re` tries alternatives one after the other and can take exponential time. The price:
no back-references and no look-around, which such an automaton can't have. They are refused, by name.

Taken: literals, `.`, `[…]`, `\\d \\w \\s` and their opposites, `\\b \\B ^ $ \\A \\Z`, groups (what they
hold is not kept), `|`, `* + ? {m,n}` (a trailing `?` changes nothing about *whether* there is a match), and
the flags `(?ims)` at the very start.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wicket.errors import CallerFault
from wicket.suites.pattern_parts import Letters, Node, parse

MAX_STEPS = 2_000  # of the compiled pattern
MAX_CHARACTERS = 20_000  # of a text are looked at


class Pattern(msgspec.Struct, frozen=True):
    """A compiled pattern: `steps` are (kind, what, next, other)."""

    steps: tuple[tuple[str, Letters | None, int, int], ...]

    def found_in(self, text: str) -> bool:
        """Whether the pattern matches anywhere in the first `MAX_CHARACTERS` of the text."""
        text = text[:MAX_CHARACTERS]
        here: set[int] = set()
        for place in range(len(text) + 1):
            here = self._reached([*here, 0], text, place)
            if len(self.steps) in here:
                return True
            if place == len(text):
                return False
            character = text[place]
            here = {
                self.steps[number][2]
                for number in here
                if (letters := self.steps[number][1]) is not None and letters.has(character)
            }
        return False

    def _reached(self, numbers: Sequence[int], text: str, place: int) -> set[int]:
        """The steps that wait for a character, or the end, from `numbers` on without taking one."""
        reached: set[int] = set()
        stack = list(numbers)
        seen: set[int] = set()
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            if number == len(self.steps):
                reached.add(number)
                continue
            kind, _, after, other = self.steps[number]
            if kind == "take":
                reached.add(number)
            elif kind == "fork":
                stack += [after, other]
            elif _holds(kind, text, place):
                stack.append(after)
        return reached


def compiled(pattern: str) -> Pattern:
    """The pattern ready for use. Raises `CallerFault` for what is not taken and for what is too large."""
    steps: list[tuple[str, Letters | None, int, int]] = []
    _write(parse(pattern), steps)
    return Pattern(tuple(steps))


def _write(node: Node, steps: list[tuple[str, Letters | None, int, int]]) -> None:
    """Append the steps of a node; it ends where the next one begins."""
    if len(steps) > MAX_STEPS:
        message = f"The pattern is too large: more than {MAX_STEPS} steps with its repeats written out."
        raise CallerFault("pattern_too_large", message)
    match node.kind:
        case "take":
            steps.append(("take", node.letters, len(steps) + 1, -1))
        case "row":
            for part in node.parts:
                _write(part, steps)
        case "either":
            _write_either(node, steps)
        case "repeat":
            _write_repeat(node, steps)
        case _:
            steps.append((node.kind, None, len(steps) + 1, -1))


def _write_either(node: Node, steps: list[tuple[str, Letters | None, int, int]]) -> None:
    ends = []
    for part in node.parts[:-1]:
        fork = len(steps)
        steps.append(("fork", None, fork + 1, -1))
        _write(part, steps)
        ends.append(len(steps))
        steps.append(("fork", None, -1, -1))
        steps[fork] = ("fork", None, fork + 1, len(steps))
    _write(node.parts[-1], steps)
    for end in ends:
        steps[end] = ("fork", None, len(steps), len(steps))


def _write_repeat(node: Node, steps: list[tuple[str, Letters | None, int, int]]) -> None:
    part = node.parts[0]
    for _ in range(node.least):
        _write(part, steps)
    if node.most is None:
        fork = len(steps)
        steps.append(("fork", None, fork + 1, -1))
        _write(part, steps)
        steps.append(("fork", None, fork, fork))
        steps[fork] = ("fork", None, fork + 1, len(steps))
        return
    forks = []
    for _ in range(node.most - node.least):
        forks.append(len(steps))
        steps.append(("fork", None, len(steps) + 1, -1))
        _write(part, steps)
    for fork in forks:
        steps[fork] = ("fork", None, fork + 1, len(steps))


def _holds(kind: str, text: str, place: int) -> bool:
    """Whether a condition that takes no character holds before `place`."""
    match kind:
        case "start":
            return place == 0
        case "line_start":
            return place == 0 or text[place - 1] == "\n"
        case "very_end":
            return place == len(text)
        case "end":
            return place == len(text) or (place == len(text) - 1 and text[place] == "\n")
        case "line_end":
            return place == len(text) or text[place] == "\n"
    before = place > 0 and _is_word(text[place - 1])
    behind = place < len(text) and _is_word(text[place])
    return (before != behind) == (kind == "edge")


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
