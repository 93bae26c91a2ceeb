"""From grouped sums to usage rows: the part of a usage query that is the same in every store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wicket.accounts.keys import VirtualKey
from wicket.accounts.usage_rows import GROUPS, SUMS, UsageRow, iso_day


def checked_groups(group_by: Sequence[str]) -> tuple[str, ...]:
    """The groups in their fixed order; raises `ValueError` for one that does not exist."""
    for name in group_by:
        if name not in GROUPS:
            raise ValueError(f"{name!r} is nothing to group by: choose from {', '.join(GROUPS)}")
    return tuple(name for name in GROUPS if name in group_by)


def usage_rows(
    groups: tuple[str, ...], sums: Iterable[Sequence[Any]], keys: Iterable[VirtualKey]
) -> list[UsageRow]:
    """Rows from (group values…, sums…), sorted; groups without requests are left out."""
    by_id = {key.id: key for key in keys}
    rows: list[UsageRow] = []
    for line in sums:
        named: dict[str, Any] = dict(zip(groups, line, strict=False))
        counts = line[len(groups) :]
        if not counts[0]:
            continue
        if "day" in named:
            named["day"] = iso_day(named["day"])
        if "key" in named:
            named["key"], named["key_name"] = _key_names(named["key"], by_id)
        rows.append(UsageRow(**named, **dict(zip(SUMS, counts, strict=True))))
    return sorted(rows)


def _key_names(key_id: int, by_id: dict[int, VirtualKey]) -> tuple[str, str]:
    if key_id == 0:
        return "admin", "admin"
    key = by_id.get(key_id)
    return (key.public_id, key.name) if key else (f"key {key_id}", "")
