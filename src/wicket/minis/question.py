"""A request's text as a question and its options, bounded before anything looks at it. Pure."""

from __future__ import annotations

import re

import msgspec

HEAD_CHARACTERS = 2_000
TAIL_CHARACTERS = 4_000  # what is asked stands at the end more often than at the beginning
MAX_OPTIONS = 10
_OPTION = re.compile(r"\n[ \t]{0,4}\(?([A-J])[.):][ \t]")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_ASKS_FOR_ANSWER = re.compile(r"\s*\bAnswer:\s*\Z")


class Question(msgspec.Struct, frozen=True):
    """`text` is all that is looked at; `stem` what comes before the options, with its words as written.

    `num_characters` is the whole request's length. `options` are [] where there is no choice of answers.
    """

    text: str
    stem: str
    words: list[str]
    options: list[str]
    num_characters: int


def question_of(text: str, num_characters: int = 0) -> Question:
    """Read a request's text. Long ones lose their middle; the time taken is bounded.

    `num_characters` is the length of all that comes with it, a conversation before it for example.
    """
    size = len(text)
    if size > HEAD_CHARACTERS + TAIL_CHARACTERS:
        text = f"{text[:HEAD_CHARACTERS]}\n{text[-TAIL_CHARACTERS:]}"
    if text.endswith(("Answer:", "Answer: ", "Answer:\n")):
        text = _ASKS_FOR_ANSWER.sub("", text)
    text = text.strip()
    stem, options = _split(text)
    return Question(text, stem, words_of(stem), options, max(size, num_characters))


def words_of(text: str) -> list[str]:
    """Runs of letters of any script, with inner apostrophes."""
    return _WORD.findall(text)


def _split(text: str) -> tuple[str, list[str]]:
    """The options are the last run of marks A, B, C, … that begin lines; two at least."""
    marks = list(_OPTION.finditer(text))
    start = max((at for at, mark in enumerate(marks) if mark[1] == "A"), default=None)
    if start is None:
        return text, []
    run = marks[start : start + MAX_OPTIONS]
    size = next((at for at, mark in enumerate(run) if mark[1] != "ABCDEFGHIJ"[at]), len(run))
    if size < 2:
        return text, []
    run = run[:size]
    ends = [mark.start() for mark in run[1:]] + [len(text)]
    options = [text[mark.end() : end].strip() for mark, end in zip(run, ends, strict=True)]
    return text[: run[0].start()].strip(), options
