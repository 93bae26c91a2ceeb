"""How near a shell command is to the one that was expected. Pure.

Two measures. `command_score` is the recipe's own: nothing for another utility, else the F1 of the other
words, counted as in SQuAD's token F1 (Rajpurkar et al. 2016). `flags_score` is that of the NLC2CMD
competition (Agarwal et al. 2021, https://arxiv.org/abs/2103.02523; `metric_utils.py` of its published code)
for one command at a confidence of 1: -1 for another utility, else (1 + (2 * common - all) / most) / 2 over
the sets of flags. It looks at no subcommand and no argument, and gives 1 where neither command has a flag.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

SEPARATORS = frozenset({"|", "||", "&&", ";", "&"})
PREFIX = "sudo"


def words_of(command: str) -> list[str]:
    """A command's words as a shell cuts them; at blanks alone where its quotes don't close."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def command_score(expected: str, given: str) -> float:
    """0 to 1: 0 for another utility, else the F1 of all other words; "sudo" counts as one of them."""
    theirs, ours = _utility_first(words_of(expected)), _utility_first(words_of(given))
    if not theirs or not ours or theirs[0] != ours[0]:
        return float(theirs == ours)
    left, right = Counter(theirs[1:]), Counter(ours[1:])
    most = left.total() + right.total()
    return 2 * (left & right).total() / most if most else 1.0


def flags_score(expected: str, given: str) -> float:
    """-1 to 1, the mean over the commands of a pipe or list in their order."""
    theirs, ours = _commands(words_of(expected)), _commands(words_of(given))
    num = max(len(theirs), len(ours))
    if not num:
        return 1.0
    # a command without its opposite is one of another utility
    return (sum(map(_flags, theirs, ours)) - abs(len(theirs) - len(ours))) / num


def _flags(theirs: Sequence[str], ours: Sequence[str]) -> float:
    if theirs[0].casefold() != ours[0].casefold():
        return -1.0
    left, right = ({_flag(word) for word in words[1:] if word[:1] == "-"} for words in (theirs, ours))
    most = max(len(left), len(right))
    return (1 + (2 * len(left & right) - len(left | right)) / most) / 2 if most else 1.0


def _flag(word: str) -> str:
    return word.partition("=")[0]


def _utility_first(words: list[str]) -> list[str]:
    if words[:1] == [PREFIX] and len(words) > 1:
        return [words[1], PREFIX, *words[2:]]
    return words


def _commands(words: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for word in words:
        if word in SEPARATORS:
            found.append([])
        elif word != PREFIX or found[-1]:
            found[-1].append(word)
    return [command for command in found if command]
