"""The calibration curve: is what is claimed with 80 % confidence right in 80 % of the cases?

Also called a reliability diagram (Murphy and Winkler, Applied Statistics 26:41, 1977).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from wicket.pages.amounts import amount
from wicket.pages.drawing import Sheet, below, beside, mark, stroke, svg, whisker, words
from wicket.pages.scales import Axis, scale

_HISTOGRAM = 44.0  # height of the tallest bar of counts


class Bin(msgspec.Struct, frozen=True):
    """Answers of nearly the same confidence: its mean, the share that was right and its interval."""

    claimed: float
    right: float
    low: float
    high: float
    num: int


def calibration(title: str, bins: Sequence[Bin]) -> str:
    """SVG text: the curve over the diagonal of perfect calibration, and how many answers there are."""
    sheet = Sheet()
    claimed, right = Axis("claimed confidence", "%", 0.0, 1.0), Axis("share that was right", "%", 0.0, 1.0)
    across = scale(claimed, (), sheet.left, sheet.right)
    up = scale(right, (), sheet.bottom, sheet.top)
    drawn = [*beside(sheet, up, right.label), *below(sheet, across, claimed.label)]
    most = max((one.num for one in bins), default=1)
    for one in bins:
        height = _HISTOGRAM * one.num / most
        x = across.place(one.claimed)
        drawn.append(
            f'<g class="s4"><rect x="{x - 7:.1f}" y="{sheet.bottom - height:.1f}" width="14" '
            f'height="{height:.1f}" class="count"/></g>'
        )
    drawn.append(f'<path d="M{sheet.left} {sheet.bottom}L{sheet.right} {sheet.top}" class="guide"/>')
    shown = [one for one in bins if one.num]
    places = [(across.place(one.claimed), up.place(one.right)) for one in shown]
    drawn += [
        whisker(x, up.place(one.low), up.place(one.high)) for one, (x, _) in zip(shown, places, strict=True)
    ]
    if len(places) > 1:
        drawn.append(stroke("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places), 0))
    drawn += [mark(x, y, 0, 5) for x, y in places]
    drawn.append(words(sheet.left + 8, sheet.top + 14, "dashed: as claimed", style="quiet"))
    drawn.append(words(sheet.left + 8, sheet.top + 32, "bars: how many answers", style="quiet"))
    said = "; ".join(
        f"{amount(b.claimed, '%')} claimed, {amount(b.right, '%')} of {b.num} right" for b in shown
    )
    return svg(title, f"Share that was right against claimed confidence. {said or 'No data'}.", drawn)
