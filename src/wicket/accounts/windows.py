"""Windows of the calendar: when a day, a month or all of time begins and ends, in an organisation's zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from wicket.accounts.meters import DAY, MONTH
from wicket.errors import CallerFault

FOR_EVER = (1 << 62) - 1
_FIRST_MS, _LAST_MS = 0, 253_370_764_800_000  # 1970 to 9999, which is as far as dates go
Window = tuple[int, int]


def window_at(kind: str, zone: str, unix_ms: int) -> Window:
    """The window of `kind` that holds a moment: its first ms and the first after it, in Unix time.

    Windows touch and never overlap, also where clocks are set forward or back: a day is from its first
    instant to the next day's first, 23 to 25 hours long. Raises `CallerFault` for an unknown zone.
    """
    if kind not in (DAY, MONTH):
        return 0, FOR_EVER
    where = zone_of(zone)
    moment = min(max(unix_ms, _FIRST_MS), _LAST_MS)
    day = datetime.fromtimestamp(moment / 1_000, where).date()
    if kind == DAY:
        return _begin_ms(day, where), _begin_ms(day + timedelta(days=1), where)
    first = day.replace(day=1)
    after = (first + timedelta(days=32)).replace(day=1)
    return _begin_ms(first, where), _begin_ms(after, where)


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name. Raises `CallerFault` for one that this machine does not know."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # KeyError: not found
        message = f"There is no time zone {name[:64]!r}; one reads like Europe/Madrid."
    raise CallerFault("invalid_value", message, param="zone")


def _begin_ms(day: date, where: tzinfo) -> int:
    """A day's first instant: that after the gap where midnight is skipped, the first of two midnights."""
    return int(datetime(day.year, day.month, day.day, tzinfo=where).timestamp() * 1_000)
