"""Organisations, teams and their members. Nothing is deleted but memberships: history keeps its names."""

from __future__ import annotations

from typing import Any

from wicket.accounts.keys import VirtualKey
from wicket.accounts.roles import Actor, check_may, outranks, reach
from wicket.accounts.scopes import DEFAULT_ORGANISATION
from wicket.accounts.tenants import (
    ACTIVE,
    DELETED,
    ROLES,
    SUSPENDED,
    Membership,
    Organisation,
    Role,
    Session,
    Team,
    User,
    checked_name,
    new_id,
)
from wicket.errors import CallerFault, PermissionFault
from wicket.store.contract import Rows
from wicket.supervisor.identity import end_sessions, entry
from wicket.supervisor.tenancy import absent, find_team, look, own_organisation, tell_keys, write
from wicket.supervisor.verb import ActorVerb, Arguments, House, iso, now_ms


async def organisations_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """Every organisation for the house, else the actor's own."""
    check_may(actor, "organisations.list")
    wanted: dict[str, Any] = {} if actor.is_of_the_house else {"id": actor.organisation_id}
    return [
        organisation_fields(one) for one in await look(house, lambda rows: rows.all(Organisation, **wanted))
    ]


async def organisations_create(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`name` → the fields."""
    name = checked_name(arguments["name"], "name")

    def act(rows: Rows) -> Organisation:
        made = rows.insert(Organisation(new_id("org"), name, now_ms()))
        rows.insert(entry(actor, now_ms(), "organisations.create", made.public_id, made.id, name=name))
        return made

    return organisation_fields(await write(house, act))


async def organisations_update(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id`, `name`, `status` → the fields. The house alone suspends and lifts."""

    def act(rows: Rows) -> Organisation:
        found = own_organisation(rows, actor, arguments["id"])
        changes = _changes(arguments)
        if "status" in changes and not actor.is_of_the_house:
            raise PermissionFault("not_allowed", "Only the operator suspends an organisation.")
        if found.id == DEFAULT_ORGANISATION and changes.get("status", ACTIVE) != ACTIVE:
            message = "The first organisation is the house's own: it can't be suspended or deleted."
            raise CallerFault("first_organisation", message, status=409)
        fresh = rows.update(found, **changes) if changes else found
        rows.insert(entry(actor, now_ms(), "organisations.update", found.public_id, found.id, **changes))
        return fresh

    found = await write(house, act)
    await tell_keys(house, organisation_id=found.id, revoked_ms=0)
    return organisation_fields(found)


async def organisations_delete(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id` → the fields: its keys and sessions open nothing any more."""
    return await organisations_update(house, {"id": arguments["id"], "status": DELETED}, actor)


async def teams_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """The teams that the actor may see; `organisation` narrows that for the house."""
    within = check_may(actor, "teams.list")

    def read(rows: Rows) -> list[dict[str, Any]]:
        names = {one.id: one for one in rows.all(Organisation)}
        wanted: dict[str, Any] = {}
        if arguments.get("organisation") or not within.is_everything:
            wanted = {"organisation_id": own_organisation(rows, actor, arguments.get("organisation", "")).id}
        found = [team for team in rows.all(Team, **wanted) if within.covers(team.organisation_id, team.id)]
        return [team_fields(team, names[team.organisation_id]) for team in found]

    return await look(house, read)


async def teams_create(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`name`, `organisation` → the fields. Only who is of the whole organisation makes teams."""
    name = checked_name(arguments["name"], "name")

    def act(rows: Rows) -> dict[str, Any]:
        home = own_organisation(rows, actor, arguments.get("organisation", ""))
        _check_name_free(rows, home.id, name)
        made = rows.insert(Team(new_id("team"), home.id, name, now_ms()))
        rows.insert(entry(actor, now_ms(), "teams.create", made.public_id, home.id, name=name))
        return team_fields(made, home)

    return await write(house, act)


async def teams_update(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id`, `name`, `status` → the fields. A suspended team's keys are refused at once."""

    def act(rows: Rows) -> tuple[Team, Organisation]:
        found = find_team(rows, actor, "teams.update", arguments["id"])
        changes = _changes(arguments)
        if changes.get("name", found.name) != found.name:
            _check_name_free(rows, found.organisation_id, changes["name"])
            for key in rows.all(VirtualKey, team_id=found.id):
                rows.update(key, team=changes["name"])
        fresh = rows.update(found, **changes) if changes else found
        verb = "teams.delete" if changes.get("status") == DELETED else "teams.update"
        rows.insert(entry(actor, now_ms(), verb, found.public_id, found.organisation_id, **changes))
        home = rows.one(Organisation, id=found.organisation_id)
        assert home is not None
        return fresh, home

    team, home = await write(house, act)
    await tell_keys(house, team_id=team.id, revoked_ms=0)
    return team_fields(team, home)


async def teams_delete(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id` → the fields: its keys open nothing any more, its name is free."""
    return await teams_update(house, {"id": arguments["id"], "status": DELETED}, actor)


async def members_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`team` → who is a member of the team itself."""

    def read(rows: Rows) -> list[dict[str, Any]]:
        team = find_team(rows, actor, "members.list", arguments["team"])
        held = rows.all(Membership, team_id=team.id)
        users = {user.id: user for user in rows.all(User, id=[one.user_id for one in held])}
        return [
            member_fields(users[one.user_id], one) for one in held if users[one.user_id].status != DELETED
        ]

    return await look(house, read)


async def members_set(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`team`, `user` (id or address), `role` → the membership, made or changed.

    Only who is a member of the organisation already can be given a team, or the house's word is needed.
    """
    role = checked_role(arguments["role"])
    if role == "owner":
        raise CallerFault("invalid_value", "An owner is one of the whole organisation.", param="role")

    def act(rows: Rows) -> dict[str, Any]:
        team = find_team(rows, actor, "members.set", arguments["team"])
        if not outranks(actor, role, team.id):
            raise PermissionFault("not_allowed", "Your role does not give this one.")
        user = find_user(rows, actor, arguments["user"])
        held = rows.one(Membership, user_id=user.id, organisation_id=team.organisation_id, team_id=team.id)
        if held is None:
            held = rows.insert(Membership(user.id, team.organisation_id, role, now_ms(), team.id))
        else:
            held = rows.update(held, role=role)
        target = user.public_id
        rows.insert(
            entry(
                actor, now_ms(), "members.set", target, team.organisation_id, team=team.public_id, role=role
            )
        )
        return member_fields(user, held)

    return await write(house, act)


async def members_remove(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`team`, `user` → the membership that was."""
    moment_ms = now_ms()

    def act(rows: Rows) -> dict[str, Any]:
        team = find_team(rows, actor, "members.remove", arguments["team"])
        user = find_user(rows, actor, arguments["user"])
        held = rows.one(Membership, user_id=user.id, organisation_id=team.organisation_id, team_id=team.id)
        if held is None:
            raise absent("member", arguments["user"])
        rows.delete(held)
        rows.insert(
            entry(
                actor, moment_ms, "members.remove", user.public_id, team.organisation_id, team=team.public_id
            )
        )
        return member_fields(user, held)

    return await write(house, act)


TENANT_VERBS: dict[str, ActorVerb] = {
    "organisations.list": organisations_list,
    "organisations.create": organisations_create,
    "organisations.update": organisations_update,
    "organisations.delete": organisations_delete,
    "teams.list": teams_list,
    "teams.create": teams_create,
    "teams.update": teams_update,
    "teams.delete": teams_delete,
    "members.list": members_list,
    "members.set": members_set,
    "members.remove": members_remove,
}


def checked_role(text: str) -> Role:
    """One of the four. Raises `CallerFault`."""
    for role in ROLES:
        if role == text:
            return role
    raise CallerFault("invalid_value", f"'role' is one of {', '.join(ROLES)}.", param="role")


def find_user(rows: Rows, actor: Actor, text: str) -> User:
    """A user by id or address whom the actor may see. Raises `CallerFault` (404)."""
    found = rows.one(User, public_id=text)
    if found is None:
        found = next(
            (one for one in rows.all(User, email_key=text.casefold()) if one.status != DELETED), None
        )
    if found is None or found.status == DELETED or not is_seen(rows, actor, found):
        raise absent("user", text)
    return found


def is_seen(rows: Rows, actor: Actor, user: User) -> bool:
    """Whether a user is a member of something that the actor may see."""
    within = reach(actor, "users.list")
    if within.is_everything or user.id == actor.user_id:
        return True
    held = rows.all(Membership, user_id=user.id, organisation_id=within.organisation_id)
    return any(within.covers(one.organisation_id, one.team_id) for one in held)


def check_not_last_owner(rows: Rows, user: User) -> None:
    """Raises `CallerFault` if an organisation would be left without an owner: the next would be anybody."""
    for held in rows.all(Membership, user_id=user.id, role="owner", team_id=0):
        others = rows.all(Membership, organisation_id=held.organisation_id, role="owner", team_id=0)
        alive = [
            one
            for one in others
            if one.user_id != user.id and rows.one(User, id=one.user_id, status=ACTIVE) is not None
        ]
        if not alive:
            message = "This is the last owner of an organisation: make somebody else an owner first."
            raise CallerFault("last_owner", message, status=409)


def end_users_sessions(rows: Rows, user: User, moment_ms: int) -> list[int]:
    """End all of a user's sessions; the ids of keys that ended with them."""
    return end_sessions(rows, rows.all(Session, user_id=user.id, ended_ms=0), moment_ms)


def organisation_fields(organisation: Organisation) -> dict[str, Any]:
    """As people and programs see it."""
    return {
        "id": organisation.public_id,
        "name": organisation.name,
        "status": organisation.status,
        "created_at": iso(organisation.created_ms),
    }


def team_fields(team: Team, organisation: Organisation) -> dict[str, Any]:
    """As people and programs see it."""
    return {
        "id": team.public_id,
        "name": team.name,
        "organisation": organisation.public_id,
        "organisation_name": organisation.name,
        "status": team.status,
        "created_at": iso(team.created_ms),
    }


def member_fields(user: User, held: Membership) -> dict[str, Any]:
    """A membership with its user."""
    return {"user": user.public_id, "email": user.email, "name": user.name, "role": held.role}


def _changes(arguments: Arguments) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "name" in arguments:
        changes["name"] = checked_name(arguments["name"], "name")
    if "status" in arguments:
        if arguments["status"] not in (ACTIVE, SUSPENDED, DELETED):
            raise CallerFault("invalid_value", "'status' is active or suspended.", param="status")
        changes["status"] = arguments["status"]
    return changes


def _check_name_free(rows: Rows, organisation_id: int, name: str) -> None:
    if any(team.status != DELETED for team in rows.all(Team, organisation_id=organisation_id, name=name)):
        raise CallerFault("name_taken", f"There is a team {name!r} already.", status=409, param="name")
