"""Bars with intervals: shares or amounts of several things beside each other, each with its name above it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wicket.pages.amounts import amount, interval
from wicket.pages.drawing import WIDTH, Sheet, below, line, svg, words
from wicket.pages.scales import Axis, scale
from wicket.pages.style import NUM_SERIES

_ROW = 46.0
_THICK = 15.0
_MAX_NAME = 46


class Bar(msgspec.Struct, frozen=True):
    """One bar. `low` and `high` None: no interval is known. `note` stands behind the value ("41 of 60")."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


def bars(title: str, axis: Axis, rows: Sequence[Bar]) -> str:
    """One bar below the other, from 0; SVG text."""
    sheet = Sheet(left=0.0, top=4.0, right=WIDTH - 14, bottom=8 + _ROW * max(1, len(rows)))
    seen = [0.0, *(row.value for row in rows), *(row.high for row in rows if row.high is not None)]
    across = scale(axis, seen, sheet.left, sheet.right)
    drawn = [line(across.place(v), sheet.top, across.place(v), sheet.bottom, "grid") for v, _ in across.ticks]
    for place, row in enumerate(rows):
        y = sheet.top + place * _ROW
        name = row.name if len(row.name) <= _MAX_NAME else f"{row.name[: _MAX_NAME - 1]}…"
        note = f" ({row.note})" if row.note else ""
        drawn.append(words(sheet.left, y + 14, name, style="head"))
        drawn.append(
            words(sheet.right, y + 14, f"{amount(row.value, axis.unit)}{note}", anchor="end", style="quiet")
        )
        start, end = across.place(0.0), across.place(row.value)
        drawn.append(
            f'<g class="s{place % NUM_SERIES}"><rect x="{min(start, end):.1f}" y="{y + 21:.1f}" '
            f'width="{max(abs(end - start), 1):.1f}" height="{_THICK:g}" rx="2" class="fill"/></g>'
        )
        if row.low is not None and row.high is not None:
            drawn.append(_reach(across.place(row.low), across.place(row.high), y + 21 + _THICK / 2))
    drawn += below(sheet, across, axis.label)
    return svg(title, _told(axis, rows), drawn, sheet.bottom + 46)


def _reach(low: float, high: float, y: float) -> str:
    ends = f"M{low:.1f} {y - 5:.1f}v10M{high:.1f} {y - 5:.1f}v10"
    return f'<path d="{ends}M{low:.1f} {y:.1f}H{high:.1f}" class="whisker"/>'


def _told(axis: Axis, rows: Sequence[Bar]) -> str:
    said = []
    for row in rows:
        ends = (
            f" (95 % interval {interval(row.low, row.high, axis.unit)})"
            if row.low is not None and row.high is not None
            else ""
        )
        said.append(f"{row.name}: {amount(row.value, axis.unit)}{ends}")
    return f"{axis.label}. {'; '.join(said) or 'No data'}."
