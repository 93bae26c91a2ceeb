"""Limits and budgets for users who may not see all of them: of their own scopes, set by who stands above."""

from __future__ import annotations

import asyncio
from typing import Any

from wicket.accounts.meters import NANOS
from wicket.accounts.roles import Actor, reach
from wicket.errors import PermissionFault
from wicket.supervisor.tenancy import Placed, look, placed_scopes
from wicket.supervisor.verb import ActorVerb, Arguments, House
from wicket.supervisor.verbs_limits import (
    find_scope,
    list_meters,
    meter_id,
    meters_remove,
    set_meter,
    unknown_meter,
)

_SETTERS = {
    "organisation": "What an organisation is held to, the operator sets.",
    "team": "What a team is held to, an owner or admin of the whole organisation sets.",
    "key": "What a key is held to, an owner or admin of its organisation or team sets.",
}


async def seen_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As `limits.list` and `budgets.list`, of the scopes that the actor may see."""
    seen = await _seen(house, actor, arguments["what"])
    return await list_meters(house, arguments, [one.named for one in seen], is_all=False)


async def seen_set(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As `limits.set` and `budgets.set`. Raises `PermissionFault` for what holds the actor as well."""
    what = "budgets" if arguments["unit"] == NANOS else "limits"
    seen = await _seen(house, actor, what)
    names = [one.named for one in seen]
    _check_binds(actor, f"{what}.set", seen, find_scope(arguments, names))
    return await set_meter(house, arguments, names)


async def seen_remove(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As `limits.remove` and `budgets.remove`, likewise."""
    what, id = arguments["what"], meter_id(arguments)
    seen = await _seen(house, actor, what)
    scopes = {one.named.scope for one in seen}
    meters = await asyncio.to_thread(house.store.meters)
    found = next((meter for meter in meters if meter.id == id and meter.scope in scopes), None)
    if found is None:
        raise unknown_meter(what, arguments["id"])
    _check_binds(actor, f"{what}.remove", seen, found.scope)
    return await meters_remove(house, arguments, 0)


async def _seen(house: House, actor: Actor, what: str) -> list[Placed]:
    within = reach(actor, f"{what}.list")
    return await look(house, lambda rows: placed_scopes(rows, within))


def _check_binds(actor: Actor, verb: str, seen: list[Placed], scope: str) -> None:
    kind = scope.partition(":")[0]
    place = next(one for one in seen if one.named.scope == scope)
    if not reach(actor, verb).binds(kind, place.organisation_id, place.team_id):
        raise PermissionFault("not_allowed", _SETTERS[kind])


SEEN_LIMIT_VERBS: dict[str, ActorVerb] = {
    "limits.list": seen_list,
    "limits.set": seen_set,
    "limits.remove": seen_remove,
    "budgets.list": seen_list,
    "budgets.set": seen_set,
    "budgets.remove": seen_remove,
}
