"""Who asks a verb: the operator, a key, or the user behind a session in force; and what they did, as kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.accounts.keys import VirtualKey
from wicket.accounts.roles import Actor, Grant
from wicket.accounts.tenants import (
    ACTIVE,
    DELETED,
    ROLES,
    AuditEntry,
    Membership,
    Organisation,
    Role,
    Session,
    Team,
    User,
)
from wicket.errors import KeyFault
from wicket.store.contract import Rows
from wicket.supervisor.messages import Ask, Asker
from wicket.wire.json import encode

if TYPE_CHECKING:
    from wicket.supervisor.reception import Reception
    from wicket.supervisor.verb import House

TOUCH_MS = 60_000  # how exactly it is kept when a session was last used
COMMAND_AGENT = "wicket-cli"


class Guest(msgspec.Struct, frozen=True):
    """A session with all that it stands for; teams that the user may see, `homes` where they belong."""

    session: Session
    user: User
    organisation: Organisation
    memberships: tuple[Membership, ...]
    teams: tuple[Team, ...]
    homes: tuple[Organisation, ...] = ()

    @property
    def role(self) -> Role:
        """The highest that the user has here."""
        return min((one.role for one in self.memberships), key=ROLES.index)

    @property
    def is_bound_to_teams(self) -> bool:
        """Whether no membership is of the whole organisation."""
        return all(one.team_id for one in self.memberships)

    def actor(self, asker: Asker) -> Actor:
        """As the table of roles sees them."""
        return Actor(
            kind="user",
            id=self.user.public_id,
            name=self.user.email,
            user_id=self.user.id,
            session_id=self.session.id,
            organisation_id=self.organisation.id,
            grants=tuple(Grant(one.role, one.team_id) for one in self.memberships),
            request_id=asker.request_id,
            address=asker.address,
        )


def find_guest(rows: Rows, digest: bytes, now_ms: int, idle_ms: int) -> Guest | None:
    """The guest behind a cookie's digest; None unless session, user and organisation are all in force."""
    session = rows.one(Session, digest=digest, ended_ms=0)
    if session is None or now_ms >= min(session.ends_ms, session.seen_ms + idle_ms):
        return None
    user = rows.one(User, id=session.user_id, status=ACTIVE)
    organisation = rows.one(Organisation, id=session.organisation_id, status=ACTIVE)
    if user is None or organisation is None:
        return None
    teams = [team for team in rows.all(Team, organisation_id=organisation.id) if team.status != DELETED]
    there = {team.id for team in teams} | {0}
    held = rows.all(Membership, user_id=user.id)
    memberships = tuple(
        one for one in held if one.organisation_id == organisation.id and one.team_id in there
    )
    if not memberships:
        return None
    own = {one.team_id for one in memberships}
    seen = tuple(team for team in teams if 0 in own or team.id in own)
    homes = rows.all(Organisation, id=sorted({one.organisation_id for one in held}), status=ACTIVE)
    return Guest(session, user, organisation, memberships, seen, tuple(homes))


async def guest_of(house: House, asker: Asker) -> Guest | None:
    """The guest behind a request; that they were here is kept."""
    if not asker.session:
        return None
    reception: Reception = house.reception
    await asyncio.to_thread(reception.open, house.store)
    now_ms = reception.clock.now_ms()

    def find(rows: Rows) -> Guest | None:
        return find_guest(rows, asker.session, now_ms, reception.idle_ms)

    guest = await asyncio.to_thread(house.store.look, find)
    if guest is not None and now_ms - guest.session.seen_ms >= TOUCH_MS:
        session = guest.session
        await asyncio.to_thread(
            lambda: house.store.transact(lambda rows: rows.update(session, seen_ms=now_ms), is_durable=False)
        )
    return guest


def no_session() -> KeyFault:
    """Nobody is signed in, or not any more."""
    return KeyFault("no_session", "You are not signed in, or not any more: sign in again.")


async def actor_of(house: House, ask: Ask) -> Actor:
    """Who asks. Raises `KeyFault` for a session that is over."""
    asker = ask.asker
    if asker.session:
        guest = await guest_of(house, asker)
        if guest is None:
            raise no_session()
        return guest.actor(asker)
    if ask.key_id != 0:
        return Actor(kind="key" if ask.key_id > 0 else "nobody", request_id=asker.request_id)
    kind = "command" if asker.agent.startswith(COMMAND_AGENT) else "admin key"
    return Actor(kind=kind, name=kind, request_id=asker.request_id, address=asker.address)


def entry(
    actor: Actor, at_ms: int, verb: str, target: str, organisation_id: int = 0, **changes: Any
) -> AuditEntry:
    """The audit row of an act; `changes` says what is otherwise now, and never holds a secret."""
    return AuditEntry(
        at_ms=at_ms,
        actor_kind=actor.kind,
        actor=actor.id,
        actor_name=actor.name,
        verb=verb,
        target=target,
        organisation_id=organisation_id,
        changes=encode(changes).decode(),
        request_id=actor.request_id,
        address=actor.address,
    )


def end_sessions(rows: Rows, sessions: Iterable[Session], now_ms: int) -> list[int]:
    """End each that has not ended yet, and the keys that are its own; the ids of those."""
    keys: list[int] = []
    for session in sessions:
        if not session.ended_ms:
            rows.update(session, ended_ms=now_ms)
        for key in rows.all(VirtualKey, session_id=session.id, revoked_ms=0):
            rows.update(key, revoked_ms=now_ms)
            keys.append(key.id)
    return keys
