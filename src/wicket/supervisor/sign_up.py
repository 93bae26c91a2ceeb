"""Who may become a user, and of what: decided and written within one transaction."""

from __future__ import annotations

import hashlib

import msgspec

from wicket.accounts.roles import Actor
from wicket.accounts.scopes import DEFAULT_ORGANISATION
from wicket.accounts.tenants import (
    ACTIVE,
    DEFAULT_TEAM,
    DELETED,
    Invitation,
    Membership,
    Organisation,
    Role,
    Team,
    User,
    checked_name,
    new_id,
)
from wicket.errors import CallerFault, PermissionFault
from wicket.store.contract import Rows
from wicket.store.key_rows import ensure_team
from wicket.supervisor.identity import entry
from wicket.supervisor.messages import Asker


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-up as it was asked for. `may_be_first`: whoever asks may become the house's owner."""

    email: str
    email_key: str
    name: str = ""
    organisation: str = ""
    invitation: str = ""
    may_be_first: bool = False
    mode: str = "invite"
    password: str = ""  # hashed

    def __repr__(self) -> str:
        return "Wanted()"


class Place(msgspec.Struct, frozen=True):
    """Where a new user belongs. `organisation` None: one of their own is made."""

    role: Role
    organisation: Organisation | None = None
    team_id: int = 0
    invitation: Invitation | None = None
    is_first: bool = False


def has_owner(rows: Rows) -> bool:
    """Whether the first organisation has an owner who is active."""
    held = rows.all(Membership, organisation_id=DEFAULT_ORGANISATION, role="owner", team_id=0)
    return any(rows.one(User, id=one.user_id, status=ACTIVE) is not None for one in held)


def place_of(rows: Rows, wanted: Wanted, now_ms: int) -> Place:
    """Where the user will belong. Raises `PermissionFault` or `CallerFault` with what is missing."""
    if not has_owner(rows):
        if not wanted.may_be_first:
            message = (
                "The first sign-up from another machine takes the setup code that the server printed at its "
                "start."
            )
            raise PermissionFault("setup_code_required", message, param="setup_code")
        first = rows.one(Organisation, id=DEFAULT_ORGANISATION)
        return Place("owner", first, is_first=True)
    if wanted.mode == "closed":
        raise PermissionFault("sign_up_closed", "This server takes no sign-ups; its owner adds users.")
    if wanted.invitation:
        invitation = find_invitation(rows, wanted.invitation, wanted.email_key, now_ms)
        organisation = rows.one(Organisation, id=invitation.organisation_id, status=ACTIVE)
        if organisation is None:
            raise bad_invitation()
        return Place(invitation.role, organisation, invitation.team_id, invitation)
    if wanted.mode == "open":
        return Place("owner")
    message = "Signing up takes an invitation; ask an owner or admin for one."
    raise PermissionFault("invitation_required", message, param="invitation")


def check_sign_up(rows: Rows, wanted: Wanted, now_ms: int) -> Place:
    """Where the user will belong. Raises `CallerFault` and `PermissionFault`."""
    place = place_of(rows, wanted, now_ms)
    for field in ("name", "organisation"):
        if getattr(wanted, field):
            checked_name(getattr(wanted, field), field)
    check_free(rows, wanted.email_key)
    return place


def check_free(rows: Rows, email_key: str) -> None:
    """Raises `CallerFault` if somebody has this address."""
    if any(other.status != DELETED for other in rows.all(User, email_key=email_key)):
        message = "There is a user with this e-mail address: sign in instead."
        raise CallerFault("email_taken", message, status=409, param="email")


def register(rows: Rows, wanted: Wanted, now_ms: int, asker: Asker) -> tuple[User, Organisation]:
    """Make the user and all that belongs to it. Raises as `check_sign_up` does."""
    place = check_sign_up(rows, wanted, now_ms)
    user = User(
        public_id=new_id("user"),
        email=wanted.email,
        email_key=wanted.email_key,
        created_ms=now_ms,
        name=wanted.name,
        password=wanted.password,
    )
    user = rows.insert(user)
    return user, settle(rows, user, place, wanted.organisation, now_ms, asker)


def settle(
    rows: Rows, user: User, place: Place, organisation_name: str, now_ms: int, asker: Asker
) -> Organisation:
    """Give a new user its place: organisation, team, membership, and the audit row."""
    organisation = place.organisation
    if organisation is None:
        name = organisation_name or user.email
        organisation = rows.insert(Organisation(new_id("org"), name, now_ms))
    elif place.is_first and organisation_name:
        organisation = rows.update(organisation, name=organisation_name)
    if not place.invitation and not any(
        team.status != DELETED for team in rows.all(Team, organisation_id=organisation.id)
    ):
        ensure_team(rows, DEFAULT_TEAM, now_ms, organisation.id)
    rows.insert(Membership(user.id, organisation.id, place.role, now_ms, place.team_id))
    if place.invitation is not None:
        rows.update(place.invitation, used_ms=now_ms)
    actor = Actor(
        kind="user", id=user.public_id, name=user.email, request_id=asker.request_id, address=asker.address
    )
    by = place.invitation.public_id if place.invitation is not None else ""
    rows.insert(
        entry(actor, now_ms, "auth.sign_up", user.public_id, organisation.id, role=place.role, invitation=by)
    )
    return organisation


def join(rows: Rows, user: User, code: str, now_ms: int, asker: Asker) -> Organisation:
    """Make somebody who is a user already a member of where an invitation leads, and use it up.

    Raises `PermissionFault` for an invitation that does not do, `CallerFault` for who is a member there.
    """
    invitation = find_invitation(rows, code, user.email_key, now_ms)
    organisation = rows.one(Organisation, id=invitation.organisation_id, status=ACTIVE)
    if organisation is None:
        raise bad_invitation()
    held = rows.all(Membership, user_id=user.id, organisation_id=organisation.id)
    if any(one.team_id in (0, invitation.team_id) for one in held):
        message = "You belong there already; an owner or admin can give you another role."
        raise CallerFault("already_member", message, status=409, param="invitation")
    rows.insert(Membership(user.id, organisation.id, invitation.role, now_ms, invitation.team_id))
    rows.update(invitation, used_ms=now_ms)
    actor = Actor(
        kind="user", id=user.public_id, name=user.email, request_id=asker.request_id, address=asker.address
    )
    told = {"role": invitation.role, "invitation": invitation.public_id}
    rows.insert(entry(actor, now_ms, "auth.join", user.public_id, organisation.id, **told))
    return organisation


def find_invitation(rows: Rows, code: str, email_key: str, now_ms: int) -> Invitation:
    """The invitation behind a code, for this address. Raises `PermissionFault`, which tells no reason."""
    found = rows.one(Invitation, digest=hashlib.sha256(code.strip().encode("utf-8", "replace")).digest())
    is_good = (
        found is not None
        and not found.used_ms
        and not found.revoked_ms
        and now_ms < found.expires_ms
        and found.email in ("", email_key)
    )
    if found is None or not is_good:
        raise bad_invitation()
    if found.team_id and rows.one(Team, id=found.team_id, status=ACTIVE) is None:
        raise bad_invitation()
    return found


def bad_invitation() -> PermissionFault:
    """The one answer to every invitation that does not do."""
    message = "This invitation is unknown, used, over, or for another address; ask for a new one."
    return PermissionFault("invalid_invitation", message, param="invitation")
