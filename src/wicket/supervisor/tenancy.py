"""Finding tenants in an actor's name: what lies beyond their reach is as if it did not exist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from wicket.accounts.keys import VirtualKey
from wicket.accounts.roles import Actor, Reach, check_may, check_reaches, reach
from wicket.accounts.scopes import DEFAULT_ORGANISATION
from wicket.accounts.tenants import DELETED, Organisation, Team
from wicket.errors import CallerFault
from wicket.store.contract import Rows
from wicket.store.key_rows import live_callers
from wicket.store.limits_contract import ScopeName
from wicket.supervisor.messages import AddCaller, RemoveCaller
from wicket.supervisor.verb import House, now_ms

T = TypeVar("T")


class Placed(NamedTuple):
    """A key, a team or an organisation and where it stands."""

    named: ScopeName
    organisation_id: int
    team_id: int = 0


async def write(house: House, act: Callable[[Rows], T]) -> T:
    """`Store.transact` beside the loop."""
    return await asyncio.to_thread(house.store.transact, act)


async def look(house: House, read: Callable[[Rows], T]) -> T:
    """`Store.look` beside the loop."""
    return await asyncio.to_thread(house.store.look, read)


async def tell_keys(house: House, **wanted: Any) -> None:
    """Every worker hears how the keys with these columns are now."""
    moment_ms = now_ms()
    keys, callers = await look(
        house, lambda rows: (rows.all(VirtualKey, **wanted), live_callers(rows, moment_ms, **wanted))
    )
    live = {caller.key_id: caller for caller in callers}
    for key in keys:
        caller = live.get(key.id)
        house.tell(AddCaller(caller) if caller is not None else RemoveCaller(key.id))


def own_organisation(rows: Rows, actor: Actor, text: str = "") -> Organisation:
    """The organisation that is meant: by id or, for the house, name; without, the actor's own.

    Raises `CallerFault` (404) for one that is not the actor's.
    """
    own_id = actor.organisation_id or DEFAULT_ORGANISATION
    found = rows.one(Organisation, id=own_id)
    if text and (found is None or text not in (found.public_id, found.name)):
        named = [one for one in rows.all(Organisation, name=text) if one.status != DELETED]
        found = rows.one(Organisation, public_id=text) or (named[0] if len(named) == 1 else None)
    is_theirs = found is not None and (actor.is_of_the_house or found.id == actor.organisation_id)
    if found is None or not is_theirs or found.status == DELETED:
        raise absent("organisation", text)
    return found


def find_team(rows: Rows, actor: Actor, verb: str, text: str, organisation: str = "") -> Team:
    """A team by id, or by name in the organisation that is meant, that the actor may do `verb` to.

    Raises `CallerFault` (404) or `PermissionFault`.
    """
    found = rows.one(Team, public_id=text)
    if found is None:
        home = own_organisation(rows, actor, organisation)
        named = [
            team for team in rows.all(Team, organisation_id=home.id, name=text) if team.status != DELETED
        ]
        found = named[0] if named else None
    if found is None or found.status == DELETED:
        raise absent("team", text)
    check_reaches(actor, verb, found.organisation_id, found.id, absent("team", text))
    return found


def find_key(rows: Rows, actor: Actor, verb: str, text: str) -> VirtualKey:
    """A key by its public id that the actor may do `verb` to. Raises as `find_team` does."""
    found = rows.one(VirtualKey, public_id=text)
    unknown = CallerFault(
        "unknown_key", f"There is no key {text[:80]!r}; `wicket keys list` shows them.", status=404
    )
    if found is None:
        raise unknown
    check_reaches(actor, verb, found.organisation_id, found.team_id, unknown)
    return found


def seen_keys(rows: Rows, actor: Actor, verb: str) -> list[VirtualKey]:
    """Every key that the actor may see, oldest first. Raises `PermissionFault`."""
    check_may(actor, verb)
    within = reach(actor, verb)
    wanted: dict[str, Any] = {} if within.is_everything else {"organisation_id": within.organisation_id}
    return [key for key in rows.all(VirtualKey, **wanted) if within.covers(key.organisation_id, key.team_id)]


def placed_scopes(rows: Rows, within: Reach) -> list[Placed]:
    """Every scope of one organisation that lies within, ended ones too, oldest first."""
    home = rows.one(Organisation, id=within.organisation_id)
    if home is None:
        return []
    wanted: dict[str, Any] = {"organisation_id": home.id}
    found = [
        Placed(ScopeName(f"organisation:{home.id}", home.public_id, home.name), home.id),
        *(
            Placed(ScopeName(f"team:{team.id}", team.public_id, team.name), home.id, team.id)
            for team in rows.all(Team, **wanted)
        ),
        *(
            Placed(ScopeName(f"key:{key.id}", key.public_id, key.name), home.id, key.team_id)
            for key in rows.all(VirtualKey, **wanted)
        ),
    ]
    return [one for one in found if within.covers(one.organisation_id, one.team_id)]


def absent(what: str, text: str) -> CallerFault:
    """There is none, or it is somebody else's: the same answer."""
    return CallerFault(f"unknown_{what}", f"There is no {what} {text[:80]!r} here.", status=404)
