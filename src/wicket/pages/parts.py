"""What a page is made of: values that say what is shown, never how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

Tone = Literal["", "good", "bad", "warn"]


class Paragraph(msgspec.Struct, frozen=True):
    """Prose. `tone` sets it apart as a verdict or a warning; the words must say so too."""

    text: str
    tone: Tone = ""


class Fact(msgspec.Struct, frozen=True):
    """One figure to be seen first: "64 %", what it is, and in small what belongs to it (its interval)."""

    value: str
    label: str
    note: str = ""


class Facts(msgspec.Struct, frozen=True):
    """A few figures in a row."""

    facts: Sequence[Fact]


class Table(msgspec.Struct, frozen=True):
    """`numeric` are the columns (from 0) that stand to the right; the first cell of a row is its heading."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[int] = ()


class Figure(msgspec.Struct, frozen=True):
    """A plot: SVG text of this package's own plots, and what to see in it."""

    svg: str
    caption: str


class Figures(msgspec.Struct, frozen=True):
    """Plots beside each other, one below the other where there is no room."""

    figures: Sequence[Figure]


class Answer(msgspec.Struct, frozen=True):
    """What one model said to a sample. `verdict` is a word or two: "right", "wrong", "no answer: timeout"."""

    name: str
    text: str
    verdict: str = ""
    tone: Tone = ""


class Sample(msgspec.Struct, frozen=True):
    """One request with everybody's answers side by side; `expected` "" where nothing was."""

    heading: str
    request: str
    answers: Sequence[Answer]
    expected: str = ""


class Samples(msgspec.Struct, frozen=True):
    """A list of them."""

    samples: Sequence[Sample]


Part = Paragraph | Facts | Table | Figures | Samples


class Section(msgspec.Struct, frozen=True):
    """A heading and what stands under it."""

    heading: str
    parts: Sequence[Part]


class Page(msgspec.Struct, frozen=True):
    """`lead` is the one sentence to read first; `footer` says how and when the page was made."""

    title: str
    sections: Sequence[Section]
    lead: str = ""
    footer: str = ""
