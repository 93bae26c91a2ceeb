"""Dots by two measures, with their names: quality against cost, latency or size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from wicket.pages.amounts import amount
from wicket.pages.drawing import CHARACTER, WIDTH, Sheet, below, beside, mark, svg, whisker, words
from wicket.pages.scales import Axis, scale

_MAX_NAME = 34
_GAP = 15.0  # between two names


class Dot(msgspec.Struct, frozen=True):
    """One thing; `low` and `high` are the interval of `y`, None if it has none."""

    name: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


def scatter(title: str, x_axis: Axis, y_axis: Axis, dots: Sequence[Dot]) -> str:
    """SVG text. On a logarithmic axis a dot that is not above 0 stands at its left end and says its value."""
    sheet = Sheet()
    finite = [math.isfinite(dot.x) and math.isfinite(dot.y) for dot in dots]
    shown = [dot for dot, good in zip(dots, finite, strict=True) if good]
    numbers = [number for number, good in enumerate(finite) if good]  # colours stay where a dot is left out
    across = scale(x_axis, [dot.x for dot in shown], sheet.left + 14, sheet.right - 14)
    ys = [y for dot in shown for y in (dot.y, dot.low, dot.high) if y is not None]
    up = scale(y_axis, ys, sheet.bottom, sheet.top)
    drawn = [*beside(sheet, up, y_axis.label), *below(sheet, across, x_axis.label)]
    places = [(across.place(dot.x), up.place(dot.y)) for dot in shown]
    for dot, (x, _) in zip(shown, places, strict=True):
        if dot.low is not None and dot.high is not None:
            drawn.append(whisker(x, up.place(dot.low), up.place(dot.high)))
    drawn += [mark(x, y, number) for number, (x, y) in zip(numbers, places, strict=True)]
    names = [_name(dot, x_axis) for dot in shown]
    drawn += _named(names, places, sheet)
    return svg(title, _told(x_axis, y_axis, shown), drawn)


def _name(dot: Dot, axis: Axis) -> str:
    name = dot.name if len(dot.name) <= _MAX_NAME else f"{dot.name[: _MAX_NAME - 1]}…"
    return f"{name} ({amount(dot.x, axis.unit)})" if axis.is_log and dot.x <= 0 else name


def _named(names: Sequence[str], places: Sequence[tuple[float, float]], sheet: Sheet) -> list[str]:
    """Names beside their dots, moved up or down where two would lie on each other."""
    taken = [(x - 9, x + 9, y + 4.5) for x, y in places]  # left, right, y: the marks, then the names
    drawn = []
    for name, (x, y) in sorted(zip(names, places, strict=True), key=lambda pair: pair[1][1]):
        width = len(name) * CHARACTER
        is_left = x + 11 + width > WIDTH
        left = x - 11 - width if is_left else x + 11
        tries = [y + 4.5 + step * _GAP * sign for step in range(9) for sign in (1, -1)]
        free = [
            t
            for t in tries
            if not any(left < r and start < left + width and abs(t - b) < _GAP for start, r, b in taken)
        ]
        good = [t for t in free if sheet.top < t < sheet.bottom - 2]
        line = (good or free or tries)[0]
        taken.append((left, left + width, line))
        drawn.append(words(x - 11 if is_left else x + 11, line, name, anchor="end" if is_left else "start"))
    return drawn


def _told(x_axis: Axis, y_axis: Axis, dots: Sequence[Dot]) -> str:
    said = [f"{dot.name}: {amount(dot.y, y_axis.unit)} at {amount(dot.x, x_axis.unit)}" for dot in dots]
    return f"{y_axis.label} against {x_axis.label}. {'; '.join(said) or 'No data'}."
