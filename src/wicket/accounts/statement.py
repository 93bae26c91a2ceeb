"""A month's statement of a team, a key or everybody: what was asked, used and charged, by day and model.

A month is a calendar month in UTC, as the daily sums are: whole days, whatever the reader's clock says.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from wicket.accounts.cost import format_usd
from wicket.accounts.unpriced import UnpricedRow
from wicket.accounts.usage_rows import DAY_MS, OTHER_KINDS, TOKEN_KINDS, UsageRow
from wicket.errors import CallerFault

TIME_ZONE = "UTC"
COUNTS = ("requests", "failed", "estimated", *TOKEN_KINDS, *OTHER_KINDS)
_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


class Month(msgspec.Struct, frozen=True):
    """A calendar month in UTC; `since_ms` is in it, `until_ms` is past it (Unix ms)."""

    name: str
    since_ms: int
    until_ms: int


class Movement(msgspec.Struct, frozen=True):
    """Money that moved other than by a request: a top-up, a grant, a refund. Negative where it was taken."""

    at_ms: int
    kind: str
    amount_nanos: int
    memo: str = ""


def parse_month(text: str) -> Month:
    """ "2026-11". Raises `CallerFault` naming `month`."""
    match = _MONTH.fullmatch(text)
    if match is None:
        raise CallerFault(
            "invalid_value", "A month is a year and a month, such as 2026-11.", status=400, param="month"
        )
    year, month = int(match[1]), int(match[2])
    first = datetime.date(year, month, 1)
    past = datetime.date(year + month // 12, month % 12 + 1, 1)
    return Month(text, _unix_ms(first), _unix_ms(past))


def statement(
    month: Month,
    whose: dict[str, str],
    rows: Iterable[UsageRow],
    movements: Sequence[Movement],
    now_ms: int,
    unpriced: Iterable[UnpricedRow] = (),
) -> dict[str, Any]:
    """The document. `rows` are by day and model (and by whatever was filtered); dollars are exact texts.

    `unpriced` is what the amounts are without.
    """
    listed = list(rows)
    return {
        "object": "statement",
        "month": month.name,
        "time_zone": TIME_ZONE,
        "since": _day(month.since_ms),
        "until": _day(month.until_ms - DAY_MS),
        "is_complete": now_ms >= month.until_ms,
        "currency": "USD",
        **whose,
        **_sums(listed),
        "models": _grouped(listed, ("model",)),
        "days": _grouped(listed, ("day",)),
        "rows": _grouped(listed, ("day", "model")),
        "unpriced": [
            {"model": one.model, "kind": one.kind, "requests": one.requests} for one in sorted(unpriced)
        ],
        "movements": [
            {
                "at": _moment(one.at_ms),
                "kind": one.kind,
                "amount_usd": format_usd(one.amount_nanos),
                "memo": one.memo,
            }
            for one in movements
        ],
    }


def _grouped(rows: list[UsageRow], names: tuple[str, ...]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, ...], list[UsageRow]] = {}
    for row in rows:
        groups.setdefault(tuple([getattr(row, name) for name in names]), []).append(row)
    return [dict(zip(names, key, strict=True)) | _sums(group) for key, group in sorted(groups.items())]


def _sums(rows: list[UsageRow]) -> dict[str, Any]:
    sums: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in COUNTS}
    return sums | {"charge_usd": format_usd(sum(row.charge_nanos for row in rows))}


def _unix_ms(day: datetime.date) -> int:
    return (day.toordinal() - 719_163) * DAY_MS


def _day(unix_ms: int) -> str:
    return datetime.datetime.fromtimestamp(unix_ms / 1000, datetime.UTC).date().isoformat()


def _moment(unix_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(unix_ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
