"""Users, invitations and the audit log, as administrators see them."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from wicket.accounts import passwords
from wicket.accounts.roles import Actor, check_may, outranks
from wicket.accounts.tenants import (
    ACTIVE,
    DELETED,
    ROLES,
    SUSPENDED,
    AuditEntry,
    Invitation,
    Membership,
    Organisation,
    Role,
    Team,
    User,
    checked_name,
    email_key,
    new_id,
)
from wicket.errors import CallerFault, PermissionFault
from wicket.store.contract import Between, Rows
from wicket.supervisor.identity import entry
from wicket.supervisor.sign_up import check_free
from wicket.supervisor.tenancy import absent, find_team, look, own_organisation, write
from wicket.supervisor.verb import ActorVerb, Arguments, House, iso, now_ms
from wicket.supervisor.verbs_auth import tell_ended
from wicket.supervisor.verbs_tenants import (
    check_not_last_owner,
    checked_role,
    end_users_sessions,
    find_user,
    is_seen,
)
from wicket.wire.json import decode

INVITATION_MS = 7 * 86_400_000
MAX_INVITATION_S = 90 * 86_400
MAX_AUDIT = 1_000


async def users_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """Every user that the actor may see."""
    check_may(actor, "users.list")

    def read(rows: Rows) -> list[dict[str, Any]]:
        return [user_fields(rows, actor, user) for user in rows.all(User) if is_seen(rows, actor, user)]

    return await look(house, read)


async def users_create(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`email`, `name`, `role`, `team`, `organisation`, `password` → fields, `password` too if we made it."""
    role, key = checked_role(arguments.get("role", "member")), email_key(arguments["email"])
    name = checked_name(arguments["name"], "name") if arguments.get("name") else ""
    given, is_external = arguments.get("password", ""), bool(arguments.get("external"))
    if given and is_external:
        message = "A user who signs in elsewhere has no password here."
        raise CallerFault("invalid_value", message, param="password")
    password = given or secrets.token_urlsafe(15)
    kept = "" if is_external else await house.reception.hashed(passwords.checked(password))
    moment_ms = now_ms()

    def act(rows: Rows) -> dict[str, Any]:
        home, team = _place(rows, actor, "users.create", arguments, role)
        check_free(rows, key)
        user = rows.insert(User(new_id("user"), arguments["email"], key, moment_ms, name, kept))
        rows.insert(Membership(user.id, home.id, role, moment_ms, team.id if team is not None else 0))
        rows.insert(
            entry(actor, moment_ms, "users.create", user.public_id, home.id, email=user.email, role=role)
        )
        return user_fields(rows, actor, user)

    made = await write(house, act)
    return made if given or is_external else {**made, "password": password}


async def users_update(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id`, `name`, `status`, `role` (in the whole organisation), `organisation` → the fields."""
    moment_ms = now_ms()
    name = checked_name(arguments["name"], "name") if arguments.get("name") else ""
    status = arguments.get("status", "")
    if status not in ("", ACTIVE, SUSPENDED):
        raise CallerFault("invalid_value", "'status' is active or suspended.", param="status")

    def act(rows: Rows) -> tuple[dict[str, Any], list[int]]:
        user, ended = find_user(rows, actor, arguments["id"]), []
        changes = {field: value for field, value in (("name", name), ("status", status)) if value}
        if changes:
            _check_controls(rows, actor, user)
        if status == SUSPENDED and user.status != SUSPENDED:
            check_not_last_owner(rows, user)
            ended = end_users_sessions(rows, user, moment_ms)
        if changes:
            user = rows.update(user, **changes)
        home = own_organisation(rows, actor, arguments.get("organisation", ""))
        if "role" in arguments:
            changes["role"] = _set_role(rows, actor, user, home, checked_role(arguments["role"]))
        rows.insert(entry(actor, moment_ms, "users.update", user.public_id, home.id, **changes))
        return user_fields(rows, actor, user), ended

    found, ended = await write(house, act)
    tell_ended(house, ended)
    return found


async def users_password(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id`, `password` → `{"id", "email", "password"}`, the last if we made it; all sessions end."""
    given = arguments.get("password", "")
    password = given or secrets.token_urlsafe(15)
    kept = await house.reception.hashed(passwords.checked(password))
    moment_ms = now_ms()

    def act(rows: Rows) -> tuple[User, list[int]]:
        user = find_user(rows, actor, arguments["id"])
        _check_controls(rows, actor, user)
        rows.update(user, password=kept)
        rows.insert(entry(actor, moment_ms, "users.password", user.public_id, _home_id(rows, actor, user)))
        return user, end_users_sessions(rows, user, moment_ms)

    user, ended = await write(house, act)
    tell_ended(house, ended)
    house.reception.forgive(user.email_key)
    found = {"id": user.public_id, "email": user.email}
    return found if given else {**found, "password": password}


async def users_delete(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id` → the fields. Who belongs elsewhere too only leaves the actor's organisation."""
    moment_ms = now_ms()

    def act(rows: Rows) -> tuple[dict[str, Any], list[int]]:
        user = find_user(rows, actor, arguments["id"])
        held = rows.all(Membership, user_id=user.id)
        here = [one for one in held if actor.is_of_the_house or one.organisation_id == actor.organisation_id]
        if not all(outranks(actor, one.role, one.team_id) for one in here):
            raise PermissionFault("not_allowed", "Your role does not remove this user.")
        check_not_last_owner(rows, user)
        shown, home_id = user_fields(rows, actor, user), _home_id(rows, actor, user)
        for one in here:
            rows.delete(one)
        if len(here) == len(held):
            user = rows.update(user, status=DELETED, password="")
        rows.insert(entry(actor, moment_ms, "users.delete", user.public_id, home_id, email=user.email))
        return {**shown, "status": user.status}, end_users_sessions(rows, user, moment_ms)

    found, ended = await write(house, act)
    tell_ended(house, ended)
    return found


async def invitations_create(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`role`, `team`, `email`, `organisation`, `expires_in_s` → the fields and `code`, this once."""
    role, moment_ms = checked_role(arguments.get("role", "member")), now_ms()
    key = email_key(arguments["email"]) if arguments.get("email") else ""
    lasts_ms = int(arguments.get("expires_in_s", INVITATION_MS / 1000) * 1000)
    if not 0 < lasts_ms <= MAX_INVITATION_S * 1000:
        message = f"'expires_in_s' is at most {MAX_INVITATION_S} seconds."
        raise CallerFault("invalid_value", message, param="expires_in_s")
    code = secrets.token_urlsafe(24)

    def act(rows: Rows) -> dict[str, Any]:
        home, team = _place(rows, actor, "invitations.create", arguments, role)
        made = rows.insert(
            Invitation(
                public_id=new_id("inv"),
                digest=hashlib.sha256(code.encode()).digest(),
                organisation_id=home.id,
                role=role,
                created_ms=moment_ms,
                expires_ms=moment_ms + lasts_ms,
                team_id=team.id if team is not None else 0,
                email=key,
                made_by=actor.id,
            )
        )
        rows.insert(
            entry(actor, moment_ms, "invitations.create", made.public_id, home.id, role=role, email=key)
        )
        return invitation_fields(rows, made)

    return {**await write(house, act), "code": code}


async def invitations_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """The invitations that the actor may give."""
    within = check_may(actor, "invitations.list")

    def read(rows: Rows) -> list[dict[str, Any]]:
        found = rows.all(Invitation)
        return [
            invitation_fields(rows, one) for one in found if within.covers(one.organisation_id, one.team_id)
        ]

    return await look(house, read)


async def invitations_revoke(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id` → the fields. A used one stays used."""
    within, moment_ms = check_may(actor, "invitations.revoke"), now_ms()

    def act(rows: Rows) -> dict[str, Any]:
        found = rows.one(Invitation, public_id=arguments["id"])
        if found is None or not within.covers(found.organisation_id, found.team_id):
            raise absent("invitation", arguments["id"])
        if not found.used_ms and not found.revoked_ms:
            found = rows.update(found, revoked_ms=moment_ms)
            target = found.public_id
            rows.insert(entry(actor, moment_ms, "invitations.revoke", target, found.organisation_id))
        return invitation_fields(rows, found)

    return await write(house, act)


async def audit_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`limit`, `before` (an entry's id), `verb`, `actor`, `target`, `since_ms`, `until_ms` → newest first."""
    within = check_may(actor, "audit.list")
    wanted: dict[str, Any] = {} if within.is_everything else {"organisation_id": within.organisation_id}
    wanted |= {name: arguments[name] for name in ("verb", "actor", "target") if arguments.get(name)}
    since_ms, until_ms = arguments.get("since_ms", 0), arguments.get("until_ms", 0)
    if since_ms or until_ms:
        wanted["at_ms"] = Between(since_ms, until_ms or 1 << 62)
    limit = max(1, min(MAX_AUDIT, arguments.get("limit", 100)))
    before = arguments.get("before", 0)
    found = await look(
        house,
        lambda rows: rows.all(AuditEntry, limit=limit + 1, before_id=before, newest_first=True, **wanted),
    )
    shown = found[:limit]
    return {
        "data": [audit_fields(one) for one in shown],
        "next": shown[-1].id if len(found) > limit else None,
    }


USER_VERBS: dict[str, ActorVerb] = {
    "users.list": users_list,
    "users.create": users_create,
    "users.update": users_update,
    "users.password": users_password,
    "users.delete": users_delete,
    "invitations.create": invitations_create,
    "invitations.list": invitations_list,
    "invitations.revoke": invitations_revoke,
    "audit.list": audit_list,
}


def user_fields(rows: Rows, actor: Actor, user: User) -> dict[str, Any]:
    """A user with the memberships that the actor may see; never a password's hash."""
    held = rows.all(Membership, user_id=user.id)
    seen = [one for one in held if actor.is_of_the_house or one.organisation_id == actor.organisation_id]
    organisations = {one.id: one for one in rows.all(Organisation, id=[one.organisation_id for one in seen])}
    teams = {one.id: one for one in rows.all(Team, id=[one.team_id for one in seen])}
    return {
        "id": user.public_id,
        "email": user.email,
        "name": user.name,
        "status": user.status,
        "created_at": iso(user.created_ms),
        "has_password": bool(user.password),
        "issuer": user.issuer,
        "role": min((one.role for one in seen), key=ROLES.index, default=None),
        "memberships": [
            {
                "organisation": organisations[one.organisation_id].public_id,
                "organisation_name": organisations[one.organisation_id].name,
                "team": teams[one.team_id].public_id if one.team_id else None,
                "team_name": teams[one.team_id].name if one.team_id else None,
                "role": one.role,
            }
            for one in seen
        ],
    }


def invitation_fields(rows: Rows, invitation: Invitation) -> dict[str, Any]:
    """An invitation without its code."""
    organisation = rows.one(Organisation, id=invitation.organisation_id)
    team = rows.one(Team, id=invitation.team_id) if invitation.team_id else None
    return {
        "id": invitation.public_id,
        "organisation": organisation.public_id if organisation is not None else "",
        "team": team.public_id if team is not None else None,
        "role": invitation.role,
        "email": invitation.email,
        "made_by": invitation.made_by,
        "created_at": iso(invitation.created_ms),
        "expires_at": iso(invitation.expires_ms),
        "used_at": iso(invitation.used_ms),
        "revoked_at": iso(invitation.revoked_ms),
    }


def audit_fields(one: AuditEntry) -> dict[str, Any]:
    """An entry of the audit log."""
    return {
        "id": one.id,
        "at": iso(one.at_ms),
        "actor_kind": one.actor_kind,
        "actor": one.actor,
        "actor_name": one.actor_name,
        "verb": one.verb,
        "target": one.target,
        "changes": decode(one.changes.encode()),
        "request_id": one.request_id,
        "address": one.address,
    }


def _place(
    rows: Rows, actor: Actor, verb: str, arguments: Arguments, role: Role
) -> tuple[Organisation, Team | None]:
    """Where somebody new will belong. Raises `CallerFault`, `PermissionFault`."""
    organisation = arguments.get("organisation", "")
    home = own_organisation(rows, actor, organisation)
    team = None
    if arguments.get("team"):
        team = find_team(rows, actor, "members.set", arguments["team"], organisation)
        if role == "owner":
            raise CallerFault("invalid_value", "An owner is one of the whole organisation.", param="role")
        found = rows.one(Organisation, id=team.organisation_id)
        assert found is not None
        home = found
    team_id = team.id if team is not None else 0
    if not check_may(actor, verb).covers(home.id, team_id) or not outranks(actor, role, team_id):
        raise PermissionFault("not_allowed", "Your role does not give this one.")
    return home, team


def _home_id(rows: Rows, actor: Actor, user: User) -> int:
    """Whose audit log an act on a user belongs to: the actor's organisation, else the user's first."""
    held = rows.one(Membership, user_id=user.id)
    return actor.organisation_id or (held.organisation_id if held is not None else 0)


def _check_controls(rows: Rows, actor: Actor, user: User) -> None:
    """Raises `PermissionFault` unless the user belongs nowhere but where the actor stands above them."""
    if actor.is_of_the_house or user.id == actor.user_id:
        return
    for one in rows.all(Membership, user_id=user.id):
        is_ours = one.organisation_id == actor.organisation_id
        if not is_ours or not outranks(actor, one.role, one.team_id):
            raise PermissionFault("not_allowed", "Your role does not change this user.")


def _set_role(rows: Rows, actor: Actor, user: User, home: Organisation, role: Role) -> Role:
    held = rows.one(Membership, user_id=user.id, organisation_id=home.id, team_id=0)
    if not outranks(actor, role) or (held is not None and not outranks(actor, held.role)):
        raise PermissionFault("not_allowed", "Your role does not give or take this one.")
    if held is None:
        rows.insert(Membership(user.id, home.id, role, now_ms()))
    elif held.role != role:
        if held.role == "owner":
            check_not_last_owner(rows, user)
        rows.update(held, role=role)
    return role
