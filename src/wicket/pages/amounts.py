"""Numbers as people read them, by their unit: "%" (of a share), "ms", "$", "bytes", "" for a plain number."""

from __future__ import annotations

import math

UNKNOWN = "\N{EN DASH}"
_MS_PER_S = 1_000
_LONG_MS = 10_000
_STEP = 1_000
_SIZES = ("bytes", "kB", "MB", "GB", "TB")


def amount(value: float | None, unit: str = "") -> str:
    """A number with its unit, short. None and NaN are a dash."""
    if value is None or math.isnan(value):
        return UNKNOWN
    match unit:
        case "%":
            return f"{_digits(value * 100, 1)} %"
        case "ms":
            return f"{value:,.0f} ms" if value < _LONG_MS else f"{_digits(value / _MS_PER_S, 1)} s"
        case "$":
            return _dollars(value)
        case "bytes":
            return _size(value)
        case _:
            return f"{_plain(value)} {unit}".rstrip()


def interval(low: float, high: float, unit: str = "") -> str:
    """Both ends: "61.0 to 67.3 %"."""
    first = amount(low, unit)
    if unit and unit != "$" and first.endswith(f" {unit}"):
        first = first.removesuffix(f" {unit}")
    return f"{first} to {amount(high, unit)}"


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{share * 100:+.1f}".replace("-", "\u2212")


def probability(value: float) -> str:
    """A p-value: three digits, and never a false zero."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _digits(value: float, places: int) -> str:
    shown = f"{value:,.{places}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _dollars(value: float) -> str:
    if value == 0:
        return "$0"
    if abs(value) >= 1:
        return f"${value:,.2f}"
    places = 1 - math.floor(math.log10(abs(value))) + 1  # two digits that say something, and one more
    shown = f"${value:.{min(places, 9)}f}".rstrip("0")
    return shown.ljust(len("$0.00"), "0")


def _size(value: float) -> str:
    size = 0
    while value >= _STEP and size < len(_SIZES) - 1:
        value /= _STEP
        size += 1
    return f"{_digits(value, 1 if size > 1 else 0)} {_SIZES[size]}"


def _plain(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
