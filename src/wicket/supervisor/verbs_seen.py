"""Records and sums for users who may not see all of them: of their own keys alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.accounts.keys import VirtualKey
from wicket.accounts.roles import Actor
from wicket.accounts.usage_rows import GROUPS, UsageRow, usage_report
from wicket.errors import CallerFault
from wicket.store.contract import RecordFilter, matches
from wicket.supervisor.tenancy import look, seen_keys
from wicket.supervisor.verb import ActorVerb, Arguments, House

MAX_LISTED = 10_000
_NUM_GROUPS = UsageRow.__struct_fields__.index("requests")  # those that name a group; counts come after


async def usage(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As the verb `usage`, over the keys that the actor may see."""
    by = tuple(arguments.get("by") or ())
    if any(group not in GROUPS for group in by):
        raise CallerFault("invalid_value", f"There are the groups {', '.join(GROUPS)}.", param="by")
    keys = await look(house, lambda rows: seen_keys(rows, actor, "usage"))
    span = arguments.get("since_ms", 0), arguments.get("until_ms", 0)
    return usage_report(merged(await seen_rows(house, keys, by, *span), by), by)


async def seen_rows(
    house: House, keys: Iterable[VirtualKey], by: tuple[str, ...], since_ms: int, until_ms: int
) -> list[UsageRow]:
    """Sums by key and `by`, of these keys; `merged` makes those by `by` of them."""
    seen = {key.public_id for key in keys}
    rows = await asyncio.to_thread(house.store.usage, tuple(dict.fromkeys([*by, "key"])), since_ms, until_ms)
    return [row for row in rows if row.key in seen]


def merged(rows: Iterable[UsageRow], by: tuple[str, ...]) -> list[UsageRow]:
    """Rows that were also grouped by key, as if they had not been."""
    names = UsageRow.__struct_fields__
    sums: dict[tuple[Any, ...], UsageRow] = {}
    for row in rows:
        if "key" not in by:
            row = msgspec.structs.replace(row, key="", key_name="")
        group = tuple(getattr(row, name) for name in names[:_NUM_GROUPS])
        known = sums.get(group)
        if known is not None:
            added = {name: getattr(row, name) + getattr(known, name) for name in names[_NUM_GROUPS:]}
            row = msgspec.structs.replace(row, **added)
        sums[group] = row
    return sorted(sums.values())


async def logs(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As the verb `logs`, of the keys that the actor may see."""
    keys = await look(house, lambda rows: seen_keys(rows, actor, "logs"))
    text = arguments.get("key", "")
    if text:
        keys = [key for key in keys if text in (key.public_id, key.name)][-1:]
        if not keys:
            raise CallerFault("unknown_key", f"There is no key {text[:80]!r} here.", status=404)
    wanted = RecordFilter(
        since_ms=arguments.get("since_ms", 0),
        until_ms=arguments.get("until_ms", 0),
        key_ids=tuple(key.id for key in keys),
        model=arguments.get("model", ""),
        outcome=arguments.get("outcome", ""),
        limit=min(MAX_LISTED, max(1, arguments.get("limit", 100))),
    )
    after = arguments.get("after")
    if after is not None:
        last, new = house.recent.last, house.recent.after(after)
        return {"records": [r for r in reversed(new) if matches(r, wanted)][: wanted.limit], "last": last}
    mark = house.recent.last
    found = await asyncio.to_thread(house.store.records, wanted)
    return {"records": found, "last": mark + len(house.recent.after(mark))}


async def requests_get(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id` → the record of a request of one of the actor's keys; None for any other."""
    record = await asyncio.to_thread(house.store.record, arguments["id"])
    if record is None and house.dues is not None:
        record = await house.dues.pending(arguments["id"])
    keys = await look(house, lambda rows: seen_keys(rows, actor, "requests.get"))
    return record if record is not None and record.key_id in {key.id for key in keys} else None


SEEN_VERBS: dict[str, ActorVerb] = {"usage": usage, "logs": logs, "requests.get": requests_get}
