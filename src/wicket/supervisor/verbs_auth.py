"""Signing up, in and out: what anybody may ask. Nothing here says a password, a code or a cookie twice.

A session's text is made here, given to the browser once and kept as its digest. Whoever signs in gets a new
one, so a text that somebody planted opens nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from typing import Any, NamedTuple

import msgspec

from wicket.accounts import passwords
from wicket.accounts.keys import VirtualKey, create_key
from wicket.accounts.roles import Actor, verbs_of
from wicket.accounts.tenants import ROLES, Membership, Session, User, email_key, new_id
from wicket.errors import CallerFault, KeyFault
from wicket.store.contract import Rows
from wicket.supervisor.identity import Guest, end_sessions, entry, find_guest, guest_of, no_session
from wicket.supervisor.messages import AddCaller, Asker, RemoveCaller
from wicket.supervisor.sign_up import Wanted, check_sign_up, has_owner, register
from wicket.supervisor.sign_up import join as take_up
from wicket.supervisor.verb import Arguments, House, OpenVerb, iso

PLAYGROUND_MS = 3_600_000
MAX_PLAYGROUND_KEYS = 5  # of one session; the oldest ends
MAX_AGENT_CHARS = 200


async def state(house: House, arguments: Arguments, asker: Asker) -> Any:
    """What a page must know before anybody signs in, and who is signed in."""
    await asyncio.to_thread(house.reception.open, house.store)
    owned = await asyncio.to_thread(house.store.look, has_owner)
    guest = await guest_of(house, asker)
    table = house.reception.table
    return {
        "has_owner": owned,
        "sign_up": table.sign_up,
        "needs_setup_code": not owned and not asker.is_local,
        "oidc": [{"name": name, "title": each.title or name} for name, each in table.oidc.items()],
        "session": guest_fields(guest) if guest is not None else None,
    }


async def sign_up(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`email`, `password` and what else `Wanted` has, `setup_code`, `is_operator` → a new session."""
    reception = house.reception
    await asyncio.to_thread(reception.open, house.store)
    reception.count_try(asker.address)
    code = arguments.get("setup_code", "").strip().lower().encode()
    wanted = Wanted(
        email=arguments["email"],
        email_key=email_key(arguments["email"]),
        name=arguments.get("name", ""),
        organisation=arguments.get("organisation", ""),
        invitation=arguments.get("invitation", ""),
        may_be_first=asker.is_local
        or bool(arguments.get("is_operator"))
        or hmac.compare_digest(code, reception.setup_code.encode()),
        mode=reception.table.sign_up,
    )
    password = passwords.checked(arguments["password"])
    async with reception.signing_up:  # one after the other, so that one of two is first
        now_ms = reception.clock.now_ms()
        await asyncio.to_thread(house.store.look, lambda rows: check_sign_up(rows, wanted, now_ms))
        wanted = msgspec.structs.replace(wanted, password=await reception.hashed(password))

        def act(rows: Rows) -> Opened:
            user, organisation = register(rows, wanted, now_ms, asker)
            return open_session(house, rows, user, organisation.id, asker)

        return came_in(house, await asyncio.to_thread(house.store.transact, act))


async def sign_in(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`email`, `password` → a new session. Unknown users and wrong passwords are one answer, as slow."""
    reception = house.reception
    await asyncio.to_thread(reception.open, house.store)
    account = email_key(arguments["email"])
    reception.count_try(asker.address, account)
    user = await asyncio.to_thread(
        house.store.look, lambda rows: rows.one(User, email_key=account, status="active")
    )
    is_right = await reception.matches(arguments["password"], user.password if user else "")
    if user is None or not is_right:
        raise KeyFault("wrong_credentials", "This e-mail address and this password do not belong together.")
    reception.forgive(account)
    fresh = ""
    if reception.is_outdated(user.password):
        fresh = await reception.hashed(passwords.checked(arguments["password"]))

    def act(rows: Rows) -> Opened:
        known = rows.one(User, id=user.id, status="active")
        if known is None or known.password != user.password:
            raise KeyFault("wrong_credentials", "The password was changed just now: sign in again.")
        if fresh:
            known = rows.update(known, password=fresh)
        return open_session(house, rows, known, 0, asker)

    return came_in(house, await asyncio.to_thread(house.store.transact, act))


async def switch(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`organisation`, the id of another of the user's own → a session there, in place of this one."""
    guest = await _signed_in(house, asker)
    home = next((one for one in guest.homes if one.public_id == arguments["organisation"]), None)
    if home is None:
        message = "You belong to no active organisation with this id."
        raise CallerFault("unknown_organisation", message, status=404, param="organisation")

    def act(rows: Rows) -> Opened:
        moment_ms = house.reception.clock.now_ms()
        if find_guest(rows, asker.session, moment_ms, house.reception.idle_ms) is None:
            raise no_session()
        return open_session(house, rows, guest.user, home.id, asker, guest.session)

    return came_in(house, await asyncio.to_thread(house.store.transact, act))


async def join(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`invitation`, a code → a session where it leads, in place of this one."""
    guest = await _signed_in(house, asker)
    house.reception.count_try(asker.address)

    def act(rows: Rows) -> Opened:
        now_ms = house.reception.clock.now_ms()
        if find_guest(rows, asker.session, now_ms, house.reception.idle_ms) is None:
            raise no_session()
        there = take_up(rows, guest.user, arguments["invitation"], now_ms, asker)
        return open_session(house, rows, guest.user, there.id, asker, guest.session)

    return came_in(house, await asyncio.to_thread(house.store.transact, act))


async def sign_out(house: House, arguments: Arguments, asker: Asker) -> Any:
    """End the session that asks; nothing happens without one."""
    if asker.session:
        now_ms = house.reception.clock.now_ms()

        def act(rows: Rows) -> list[int]:
            return end_sessions(rows, rows.all(Session, digest=asker.session), now_ms)

        tell_ended(house, await asyncio.to_thread(house.store.transact, act))
    return {"signed_out": True}


async def session(house: House, arguments: Arguments, asker: Asker) -> Any:
    """Who is signed in. Raises `KeyFault` if nobody is."""
    return guest_fields(await _signed_in(house, asker))


async def list_sessions(house: House, arguments: Arguments, asker: Asker) -> Any:
    """The user's own sessions that are in force, newest first."""
    guest = await _signed_in(house, asker)
    now_ms, idle_ms = house.reception.clock.now_ms(), house.reception.idle_ms
    found = await asyncio.to_thread(
        house.store.look,
        lambda rows: rows.all(Session, user_id=guest.user.id, ended_ms=0, newest_first=True),
    )
    return [
        {
            "id": each.public_id,
            "is_current": each.id == guest.session.id,
            "created_at": iso(each.created_ms),
            "seen_at": iso(each.seen_ms),
            "ends_at": iso(min(each.ends_ms, each.seen_ms + idle_ms)),
            "address": each.address,
            "agent": each.agent,
        }
        for each in found
        if now_ms < min(each.ends_ms, each.seen_ms + idle_ms)
    ]


async def end_session(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`id`: one of the user's own sessions, or "others" for all but this one."""
    guest = await _signed_in(house, asker)
    now_ms, wanted = house.reception.clock.now_ms(), arguments["id"]

    def act(rows: Rows) -> tuple[int, list[int]]:
        own = rows.all(Session, user_id=guest.user.id, ended_ms=0)
        if wanted == "others":
            chosen = [each for each in own if each.id != guest.session.id]
        else:
            chosen = [each for each in own if each.public_id == wanted]
            if not chosen:
                raise CallerFault("unknown_session", "You have no session with this id.", status=404)
        return len(chosen), end_sessions(rows, chosen, now_ms)

    num_ended, keys = await asyncio.to_thread(house.store.transact, act)
    tell_ended(house, keys)
    return {"ended": num_ended}


async def change_password(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`old`, `new`: every other session of the user ends."""
    guest = await _signed_in(house, asker)
    reception = house.reception
    new = passwords.checked(arguments["new"], "new")
    reception.count_try(asker.address, guest.user.email_key)
    if not await reception.matches(arguments["old"], guest.user.password):
        raise CallerFault("wrong_password", "'old' is not your password.", param="old", status=403)
    reception.forgive(guest.user.email_key)
    kept = await reception.hashed(new)
    now_ms = reception.clock.now_ms()

    def act(rows: Rows) -> tuple[int, list[int]]:
        known = rows.one(User, id=guest.user.id)
        if known is None or known.password != guest.user.password:
            raise CallerFault("conflict", "The password was changed just now.", status=409)
        rows.update(known, password=kept)
        others = [
            one for one in rows.all(Session, user_id=known.id, ended_ms=0) if one.id != guest.session.id
        ]
        actor = guest.actor(asker)
        rows.insert(entry(actor, now_ms, "auth.password", known.public_id, guest.organisation.id))
        return len(others), end_sessions(rows, others, now_ms)

    num_ended, keys = await asyncio.to_thread(house.store.transact, act)
    tell_ended(house, keys)
    return {"changed": True, "sessions_ended": num_ended}


async def playground_key(house: House, arguments: Arguments, asker: Asker) -> Any:
    """A key of the user's team for the page's own calls: an hour long, hidden, ended with the session."""
    guest = await _signed_in(house, asker)
    if guest.role == "viewer":
        raise KeyFault("not_allowed", "Your role here may look, but make no calls.", status=403)
    house_now_ms = house.reception.clock.now_ms()
    calling = {one.team_id for one in guest.memberships if one.role != "viewer"}
    teams = [one for one in guest.teams if (0 in calling or one.id in calling) and one.status == "active"]
    team = teams[0] if teams else None
    ends_ms = min(house_now_ms + PLAYGROUND_MS, guest.session.ends_ms)
    row, text = create_key(
        "playground", house_now_ms, team=team.name if team is not None else "", expires_ms=ends_ms
    )
    row = msgspec.structs.replace(
        row,
        team_id=team.id if team is not None else 0,
        organisation_id=guest.organisation.id,
        session_id=guest.session.id,
        is_hidden=True,
        made_by=guest.user.public_id,
    )

    def act(rows: Rows) -> tuple[VirtualKey, list[int]]:
        if find_guest(rows, asker.session, house_now_ms, house.reception.idle_ms) is None:
            raise no_session()
        older = rows.all(VirtualKey, session_id=guest.session.id, revoked_ms=0, newest_first=True)
        ended = older[MAX_PLAYGROUND_KEYS - 1 :]
        for each in ended:
            rows.update(each, revoked_ms=house_now_ms)
        return rows.insert(row), [each.id for each in ended]

    kept, ended = await asyncio.to_thread(house.store.transact, act)
    tell_ended(house, ended)
    house.tell(AddCaller(kept.caller()))
    return {"key": text, "expires_at": iso(ends_ms)}


OPEN_VERBS: dict[str, OpenVerb] = {
    "auth.state": state,
    "auth.sign_up": sign_up,
    "auth.sign_in": sign_in,
    "auth.switch": switch,
    "auth.join": join,
    "auth.sign_out": sign_out,
    "auth.session": session,
    "auth.sessions": list_sessions,
    "auth.end_session": end_session,
    "auth.password": change_password,
    "auth.playground_key": playground_key,
}


class Opened(NamedTuple):
    """A new session: the cookie's text, whom it stands for, ids of the keys that an older one took along."""

    text: str
    guest: Guest
    ended: list[int]


def open_session(
    house: House,
    rows: Rows,
    user: User,
    organisation_id: int,
    asker: Asker,
    before: Session | None = None,
) -> Opened:
    """A new session; one that the browser had ends. Raises `KeyFault`.

    `organisation_id` 0 takes the first organisation that the user is an active member of. `before` is the
    session that this one goes on from: it ends when that would have.
    """
    now_ms = house.reception.clock.now_ms()
    ended: list[int] = []
    if asker.session:
        ended = end_sessions(rows, rows.all(Session, digest=asker.session), now_ms)
    verb = "auth.switch" if before is not None else "auth.sign_in"
    text = secrets.token_urlsafe(32)
    found = [organisation_id]
    if not organisation_id:
        found = [one.organisation_id for one in rows.all(Membership, user_id=user.id)]
    for number in dict.fromkeys(found):
        session = Session(
            public_id=new_id("session"),
            digest=hashlib.sha256(text.encode()).digest(),
            user_id=user.id,
            organisation_id=number,
            created_ms=now_ms,
            seen_ms=now_ms,
            ends_ms=before.ends_ms if before is not None else now_ms + house.reception.max_ms,
            address=asker.address,
            agent="".join(char for char in asker.agent if char.isprintable())[:MAX_AGENT_CHARS],
        )
        kept = rows.insert(session)
        guest = find_guest(rows, session.digest, now_ms, house.reception.idle_ms)
        if guest is not None:
            actor: Actor = guest.actor(asker)
            rows.insert(entry(actor, now_ms, verb, user.public_id, number, session=kept.public_id))
            return Opened(text, guest, ended)
        rows.delete(kept)
    message = "You are a member of no active organisation here; ask whoever invited you."
    raise KeyFault("no_organisation", message, status=403)


def came_in(house: House, opened: Opened) -> dict[str, Any]:
    """What a worker needs to answer a sign-in: the cookie's text, how long it may be kept, who it is."""
    tell_ended(house, opened.ended)
    session = opened.guest.session
    return {
        "token": opened.text,
        "max_age_s": (session.ends_ms - session.created_ms) // 1000,
        "session": guest_fields(opened.guest),
    }


def tell_ended(house: House, key_ids: list[int]) -> None:
    """Every worker forgets these keys."""
    for key_id in key_ids:
        house.tell(RemoveCaller(key_id))


def guest_fields(guest: Guest) -> dict[str, Any]:
    """A session as the page sees it."""
    user, organisation = guest.user, guest.organisation
    actor, roles = guest.actor(Asker()), {one.team_id: one.role for one in guest.memberships}
    return {
        "id": guest.session.public_id,
        "user": {
            "id": user.public_id,
            "email": user.email,
            "name": user.name,
            "has_password": bool(user.password),
        },
        "organisation": {
            "id": organisation.public_id,
            "name": organisation.name,
            "role": roles.get(0),
        },
        "organisations": [{"id": one.public_id, "name": one.name} for one in guest.homes],
        "role": guest.role,
        "is_operator": actor.is_of_the_house,
        "may": verbs_of(actor),
        "teams": [
            {
                "id": team.public_id,
                "name": team.name,
                "role": min((roles[id] for id in (team.id, 0) if id in roles), key=ROLES.index),
            }
            for team in guest.teams
        ],
        "ends_at": iso(guest.session.ends_ms),
    }


async def _signed_in(house: House, asker: Asker) -> Guest:
    guest = await guest_of(house, asker)
    if guest is None:
        raise no_session()
    return guest
