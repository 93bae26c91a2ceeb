"""From numbers to places on the paper: axes, straight and logarithmic, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from wicket.pages.amounts import amount

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_FEW_DECADES = 2
_TINY = 1e-12


class Axis(msgspec.Struct, frozen=True):
    """What one direction shows. `low` and `high` None are taken from the data; units as in `amounts`."""

    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    is_log: bool = False


class Scale(msgspec.Struct, frozen=True):
    """`low` to `high` on the paper from `start` to `end`; `ticks` with their words."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Where a value stands, kept on the paper."""
        low, high, value = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def scale(axis: Axis, values: Iterable[float], start: float, end: float, num_ticks: int = 5) -> Scale:
    """The axis laid over the data. Values that are no numbers (or, on a logarithmic axis, not positive) are
    passed over; without data it goes from 0 to 1.
    """
    seen = [value for value in values if math.isfinite(value) and (value > 0 or not axis.is_log)]
    low = axis.low if axis.low is not None else min(seen, default=0.0)
    high = axis.high if axis.high is not None else max(seen, default=1.0)
    if axis.is_log and (low > 0 or seen):
        return _logarithmic(axis, low, high, (start, end))
    if high - low < _TINY * max(1.0, abs(high)):
        spread = abs(high) / 2 or 0.5
        low = low - spread if axis.low is None else low
        high = high + spread if axis.high is None else high + (spread if high <= low else 0)
    step = _step((high - low) / max(1, num_ticks - 1))
    low = low if axis.low is not None else math.floor(low / step + 1e-9) * step
    high = high if axis.high is not None else math.ceil(high / step - 1e-9) * step
    first = math.ceil(low / step - 1e-9)
    ticks = []
    while first * step <= high + step * 1e-9:
        value = first * step
        ticks.append((value, amount(round(value, 12), axis.unit)))
        first += 1
    return Scale(low, high, start, end, False, tuple(ticks))


def _step(rough: float) -> float:
    decade: float = 10.0 ** math.floor(math.log10(rough))
    return next(step * decade for step in _STEPS if step * decade >= rough * (1 - 1e-9))


def _logarithmic(axis: Axis, low: float, high: float, paper: tuple[float, float]) -> Scale:
    low, high = max(low, _TINY), max(high, _TINY)
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if first == last:
        last += 1
    between = (1, 2, 5) if last - first <= _FEW_DECADES else (1,)
    low, high = axis.low or 10.0**first, axis.high or 10.0**last
    ticks = [
        (digit * 10.0**decade, amount(digit * 10.0**decade, axis.unit))
        for decade in range(first, last + 1)
        for digit in between
        if low * (1 - 1e-9) <= digit * 10.0**decade <= high * (1 + 1e-9)
    ]
    return Scale(low, high, *paper, True, tuple(ticks))
