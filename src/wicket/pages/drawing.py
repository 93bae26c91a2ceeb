"""What all plots are drawn with: the sheet, its axes, marks that differ in shape as well as in colour."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from wicket.pages.markup import text
from wicket.pages.scales import Scale
from wicket.pages.style import NUM_SERIES

WIDTH = 460.0
HEIGHT = 300.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 26.0, 48.0
LINE = 18.0  # from one line of text to the next
CHARACTER = 6.9  # about what a character of 13 px is wide
DASHES = ("", "7 4", "2 4", "9 4 2 4", "12 4", "1 5")


class Sheet(msgspec.Struct, frozen=True):
    """The part of a plot that data stand on, in SVG units from the top left."""

    left: float = LEFT
    top: float = TOP
    right: float = WIDTH - RIGHT
    bottom: float = HEIGHT - BOTTOM


def svg(title: str, description: str, body: Sequence[str], height: float = HEIGHT) -> str:
    """A whole plot. `title` names it, `description` tells what it shows to those who don't see it."""
    inside = "".join(body)
    mark = hashlib.sha256(f"{title}\0{description}\0{inside}".encode("utf-8", "replace")).hexdigest()[:12]
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-labelledby="t{mark} d{mark}">'
        f'<title id="t{mark}">{text(title)}</title><desc id="d{mark}">{text(description)}</desc>'
        f"{inside}</svg>"
    )


def words(x: float, y: float, value: str, *, anchor: str = "start", style: str = "") -> str:
    """Text; `anchor` is start, middle or end."""
    mark = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{mark}>{text(value)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def below(sheet: Sheet, across: Scale, label: str) -> list[str]:
    """Ticks, their words and the label of the axis below the sheet."""
    drawn = [line(sheet.left, sheet.bottom, sheet.right, sheet.bottom, "axis")]
    room = 0.0
    for value, name in across.ticks:
        x = across.place(value)
        half = len(name) * CHARACTER / 2
        if x - half < room and room:
            continue  # would run into the word before
        room = x + half + 6
        anchor = "end" if x + half > WIDTH else "start" if x < half else "middle"
        drawn += [line(x, sheet.bottom, x, sheet.bottom + 4, "axis")]
        drawn += [words(min(x, WIDTH), sheet.bottom + 18, name, anchor=anchor, style="quiet")]
    middle = (sheet.left + sheet.right) / 2
    return [*drawn, words(middle, sheet.bottom + 38, label, anchor="middle", style="quiet")]


def beside(sheet: Sheet, up: Scale, label: str) -> list[str]:
    """Grid lines, their words to the left, and the label of that axis above the sheet."""
    drawn = [words(0, sheet.top - 12, label, style="quiet")]
    for value, name in up.ticks:
        y = up.place(value)
        drawn += [line(sheet.left, y, sheet.right, y, "grid")]
        drawn += [words(sheet.left - 8, y + 4.5, name, anchor="end", style="quiet")]
    return drawn


def whisker(x: float, low: float, high: float) -> str:
    """An interval upright at `x`."""
    return (
        f'<path d="M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8M{x:.1f} {low:.1f}V{high:.1f}" '
        'class="whisker"/>'
    )


def mark(x: float, y: float, series: int, size: float = 6.0) -> str:
    """A point; series differ in shape and colour."""
    group = f'class="fill ring s{series % NUM_SERIES}"'
    match series % 4:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {group}/>'
        case 1:
            corner = size * 0.9
            path = f"M{x - corner:.1f} {y - corner:.1f}h{2 * corner:g}v{2 * corner:g}h{-2 * corner:g}z"
        case 2:
            tip = size * 1.3
            path = f"M{x:.1f} {y - tip:.1f}l{tip:g} {tip:g}l{-tip:g} {tip:g}l{-tip:g} {-tip:g}z"
        case _:
            tip = size * 1.2
            path = f"M{x:.1f} {y - tip:.1f}l{tip:g} {2 * tip:g}h{-2 * tip:g}z"
    return f'<path d="{path}" {group}/>'


def legend(names: Sequence[str], left: float, top: float, *, with_lines: bool) -> tuple[list[str], float]:
    """The series by name, in as many rows as it takes, and the height of that."""
    if not names:
        return [], 0.0
    drawn: list[str] = []
    x, y = left, top
    for series, name in enumerate(names):
        shown = name if len(name) <= 40 else f"{name[:39]}…"
        width = 34 + len(shown) * CHARACTER + 14
        if x > left and x + width > WIDTH:
            x, y = left, y + LINE
        if with_lines:
            drawn.append(stroke(f"M{x:.1f} {y - 4.5:.1f}h26", series))
        else:
            drawn.append(mark(x + 13, y - 4.5, series, 5))
        drawn.append(words(x + 34, y, shown))
        x += width
    return drawn, y - top + LINE


def stroke(path: str, series: int) -> str:
    """A line of a series, with its own dashes."""
    dash = DASHES[series % len(DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<g class="s{series % NUM_SERIES}"><path d="{path}" class="line"{dashes}/></g>'
