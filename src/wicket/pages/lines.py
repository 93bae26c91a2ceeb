"""Lines: a loss while training, precision against the share of answers taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from wicket.pages.amounts import amount
from wicket.pages.drawing import HEIGHT, Sheet, below, beside, legend, line, mark, stroke, svg, words
from wicket.pages.scales import Axis, Scale, scale
from wicket.pages.style import NUM_SERIES

_MOST_POINTS = 600  # more can't be told apart at this width
_P = TypeVar("_P", tuple[float, float], tuple[float, float, float])
_FEW = 12  # points of a line that are marked one by one


class Series(msgspec.Struct, frozen=True):
    """A line through `points` (x, y) in order of x; `band` are (x, low, high) around it."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]] = ()


class Guide(msgspec.Struct, frozen=True):
    """A dashed line across: at a height `y` or at a place `x`, with its words."""

    name: str
    x: float | None = None
    y: float | None = None


def lines(
    title: str, x_axis: Axis, y_axis: Axis, series: Sequence[Series], guides: Sequence[Guide] = ()
) -> str:
    """SVG text; points that are no numbers are left out."""
    shown = [Series(one.name, _thinned(one.points), _thinned(one.band)) for one in series]
    names = [one.name for one in shown] if len(shown) > 1 else []
    drawn, room = legend(names, 0, 12, with_lines=True)
    sheet = Sheet(top=30 + room, bottom=HEIGHT - 48 + room)
    xs = [point[0] for one in shown for point in (*one.points, *one.band)]
    ys = [y for one in shown for point in (*one.points, *one.band) for y in point[1:]]
    across = scale(x_axis, [*xs, *(g.x for g in guides if g.x is not None)], sheet.left, sheet.right)
    up = scale(y_axis, [*ys, *(g.y for g in guides if g.y is not None)], sheet.bottom, sheet.top)
    drawn += [*beside(sheet, up, y_axis.label), *below(sheet, across, x_axis.label)]
    for number, one in enumerate(shown):
        drawn += _drawn(number, one, across, up)
    for guide in guides:
        drawn += _guide(guide, sheet, across, up)
    return svg(title, _told(x_axis, y_axis, series), drawn, HEIGHT + room)


def _drawn(number: int, one: Series, across: Scale, up: Scale) -> list[str]:
    drawn = []
    if one.band:
        upper = [f"{across.place(x):.1f} {up.place(high):.1f}" for x, _, high in one.band]
        lower = [f"{across.place(x):.1f} {up.place(low):.1f}" for x, low, _ in reversed(one.band)]
        path = f"M{'L'.join([*upper, *lower])}z"
        drawn.append(f'<g class="s{number % NUM_SERIES}"><path d="{path}" class="band"/></g>')
    places = [(across.place(x), up.place(y)) for x, y in one.points]
    if len(places) > 1:
        drawn.append(stroke("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places), number))
    if len(places) <= _FEW:
        drawn += [mark(x, y, number, 4) for x, y in places]
    return drawn


def _guide(guide: Guide, sheet: Sheet, across: Scale, up: Scale) -> list[str]:
    drawn = []
    if guide.y is not None:
        y = up.place(guide.y)
        drawn += [line(sheet.left, y, sheet.right, y, "guide")]
        drawn += [words(sheet.right, y - 5, guide.name, anchor="end", style="quiet")]
    if guide.x is not None:
        x = across.place(guide.x)
        is_right = x > (sheet.left + sheet.right) / 2
        drawn += [line(x, sheet.top, x, sheet.bottom, "guide")]
        anchor = "end" if is_right else "start"
        drawn += [
            words(x - 5 if is_right else x + 5, sheet.bottom - 8, guide.name, anchor=anchor, style="quiet")
        ]
    return drawn


def _thinned(points: Sequence[_P]) -> list[_P]:
    """The points that are numbers, at most `_MOST_POINTS` of them, the first and the last among them."""
    good = [point for point in points if all(map(math.isfinite, point))]
    if len(good) <= _MOST_POINTS:
        return good
    step = (len(good) - 1) / (_MOST_POINTS - 1)
    return [good[round(number * step)] for number in range(_MOST_POINTS)]


def _told(x_axis: Axis, y_axis: Axis, series: Sequence[Series]) -> str:
    said = []
    for one in series:
        good = [point for point in one.points if all(map(math.isfinite, point))]
        if not good:
            said.append(f"{one.name}: no data")
            continue
        (x1, y1), (x2, y2) = good[0], good[-1]
        said.append(
            f"{one.name}: from {amount(y1, y_axis.unit)} at {amount(x1, x_axis.unit)} "
            f"to {amount(y2, y_axis.unit)} at {amount(x2, x_axis.unit)}"
        )
    return f"{y_axis.label} against {x_axis.label}. {'; '.join(said) or 'No data'}."
