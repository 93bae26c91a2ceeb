"""The verbs on money: usage, savings and a month's statement."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from wicket.accounts.keys import VirtualKey
from wicket.accounts.movements import Movement as Moved
from wicket.accounts.savings import SAVINGS_GROUPS, savings_report
from wicket.accounts.statement import Month, Movement, parse_month, statement
from wicket.accounts.usage_rows import GROUPS, UsageRow, record_ms, usage_report
from wicket.errors import CallerFault
from wicket.supervisor.verb import Arguments, House, Verb, key_number, now_ms

MAX_MOVEMENTS = 10_000
TAKEN = ("refund", "expiry")


async def usage(house: House, arguments: Arguments, key_id: int) -> Any:
    """`by`, `since_ms`, `until_ms` → a usage report."""
    by = checked_groups(arguments, GROUPS)
    since_ms, until_ms = arguments.get("since_ms", 0), arguments.get("until_ms", 0)
    return usage_report(await asyncio.to_thread(house.store.usage, by, since_ms, until_ms), by)


async def savings(house: House, arguments: Arguments, key_id: int) -> Any:
    """`by`, `since_ms`, `until_ms` → what was spent and what the large models alone would have cost."""
    by = checked_groups(arguments, SAVINGS_GROUPS)
    since_ms, until_ms = arguments.get("since_ms", 0), arguments.get("until_ms", 0)
    tasks = await asyncio.to_thread(house.store.savings, since_ms, until_ms)
    rows = await asyncio.to_thread(house.store.usage, by, since_ms, until_ms)
    return savings_report(tasks, rows, by)


async def statements_get(house: House, arguments: Arguments, key_id: int) -> Any:
    """`month`, and `team` or `key` → the month's statement."""
    month, team, key = parse_month(arguments["month"]), arguments.get("team", ""), arguments.get("key", "")
    if team and key:
        raise CallerFault("invalid_value", "A statement is of a team or of a key, not of both.", param="key")
    number = await key_number(house, key)
    keys = await asyncio.to_thread(house.store.list_keys)
    rows = await asyncio.to_thread(_rows, house, month, number)
    if team:
        rows = [row for row in rows if row.team == team]
        if not rows and all(one.team != team for one in keys):
            raise CallerFault("unknown_team", f"There is no team {team[:80]!r}.", status=404, param="team")
    moved = await asyncio.to_thread(movements_of, house, month, team, number)
    unpriced = await asyncio.to_thread(house.store.unpriced, month.since_ms, month.until_ms, number)
    missing = [row for row in unpriced if not team or row.team == team]
    return statement(month, _whose(team, number, keys), rows, moved, now_ms(), missing)


def movements_of(house: House, month: Month, team: str, key_id: int | None) -> list[Movement]:
    """Top-ups, grants, refunds and expiries, oldest first; what was taken is negative. Blocks."""
    ledger = house.store.ledger
    scope = f"key:{key_id}" if key_id is not None else ledger.scope_named("team", team) if team else ""
    if team and not scope:
        return []
    return listed_movements(month, reversed(ledger.movements(scope, MAX_MOVEMENTS)))


def listed_movements(month: Month, moved: Iterable[Moved]) -> list[Movement]:
    """The month's, in their order, as a statement lists them; what was taken is negative."""
    return [
        Movement(
            record_ms(each.id),
            each.kind,
            -each.amount_nanos if each.kind in TAKEN else each.amount_nanos,
            each.memo,
        )
        for each in moved
        if month.since_ms <= record_ms(each.id) < month.until_ms
    ]


def _rows(house: House, month: Month, key_id: int | None) -> list[UsageRow]:
    return house.store.usage(("day", "team", "model"), month.since_ms, month.until_ms, key_id)


def _whose(team: str, number: int | None, keys: list[VirtualKey]) -> dict[str, str]:
    if number is None:
        return {"team": team, "key": "", "key_name": ""}
    found = next((one for one in keys if one.id == number), None)
    if found is None:
        return {"team": "", "key": "admin", "key_name": "admin"}
    return {"team": "", "key": found.public_id, "key_name": found.name}


def checked_groups(arguments: Arguments, known: tuple[str, ...]) -> tuple[str, ...]:
    """What to group by. Raises `CallerFault` for what is not `known`."""
    by = tuple(arguments.get("by") or ())
    for group in by:
        if group not in known:
            raise CallerFault("invalid_value", f"There is no group {group!r}; there are {', '.join(known)}.")
    return by


MONEY_VERBS: dict[str, Verb] = {"usage": usage, "savings": savings, "statements.get": statements_get}
