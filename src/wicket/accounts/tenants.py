"""Organisations, teams, users and what ties them, as they are kept; one struct per table of the store.

Times are Unix ms, 0 for never. `id` is the row's, 0 until the store has given one, and stays inside the
house; `public_id` is what people and programs outside see.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import Literal

import msgspec

from wicket.errors import CallerFault

ACTIVE, SUSPENDED, DELETED = "active", "suspended", "deleted"
DEFAULT_TEAM = "default"
MAX_NAME_CHARS = 100
MAX_EMAIL_CHARS = 254  # RFC 3696, erratum 1690
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

Role = Literal["owner", "admin", "member", "viewer"]
ROLES: tuple[Role, ...] = ("owner", "admin", "member", "viewer")


class Organisation(msgspec.Struct, frozen=True):
    """The widest tenant: it has teams and members."""

    public_id: str
    name: str
    created_ms: int
    status: str = ACTIVE
    id: int = 0


class Team(msgspec.Struct, frozen=True):
    """A part of an organisation: it has keys and members."""

    public_id: str
    organisation_id: int
    name: str
    created_ms: int
    status: str = ACTIVE
    id: int = 0


class User(msgspec.Struct, frozen=True):
    """A person. `password` is a hash of `accounts.passwords`, "" for who signs in elsewhere (`issuer`)."""

    public_id: str
    email: str
    email_key: str
    created_ms: int
    name: str = ""
    password: str = ""
    issuer: str = ""
    subject: str = ""
    status: str = ACTIVE
    id: int = 0

    def __repr__(self) -> str:
        return f"User({self.public_id!r})"


class Membership(msgspec.Struct, frozen=True):
    """A user's role in an organisation, or with `team_id` in that team alone."""

    user_id: int
    organisation_id: int
    role: Role
    created_ms: int
    team_id: int = 0
    id: int = 0


class Session(msgspec.Struct, frozen=True):
    """A signed-in browser. `digest` is the cookie's SHA-256; `ends_ms` is final, whatever is done with it."""

    public_id: str
    digest: bytes
    user_id: int
    organisation_id: int
    created_ms: int
    seen_ms: int
    ends_ms: int
    ended_ms: int = 0
    address: str = ""
    agent: str = ""
    id: int = 0

    def __repr__(self) -> str:
        return f"Session({self.public_id!r})"


class Invitation(msgspec.Struct, frozen=True):
    """A code that makes one user a member, once. `email` "" is for whoever has the code."""

    public_id: str
    digest: bytes
    organisation_id: int
    role: Role
    created_ms: int
    expires_ms: int
    team_id: int = 0
    email: str = ""
    used_ms: int = 0
    revoked_ms: int = 0
    made_by: str = ""
    id: int = 0

    def __repr__(self) -> str:
        return f"Invitation({self.public_id!r})"


class AuditEntry(msgspec.Struct, frozen=True):
    """One administrative act. `changes` is a JSON object without secrets. `organisation_id` 0: the house."""

    at_ms: int
    actor_kind: str  # "admin key", "command", "user", "nobody"
    actor: str
    actor_name: str
    verb: str
    target: str
    organisation_id: int = 0
    changes: str = "{}"
    request_id: str = ""
    address: str = ""
    id: int = 0


def new_id(prefix: str) -> str:
    """A public id: `prefix` and 64 random bits."""
    return f"{prefix}_{secrets.token_hex(8)}"


def checked_name(text: str, field: str) -> str:
    """A name as given. Raises `CallerFault` unless it is printable, of 1 to `MAX_NAME_CHARS` characters."""
    if not text.strip() or len(text) > MAX_NAME_CHARS or not text.isprintable():
        message = f"'{field}' is printable text of 1 to {MAX_NAME_CHARS} characters."
        raise CallerFault("invalid_value", message, param=field)
    return text


def email_key(email: str) -> str:
    """What an address is compared by: compatibility forms and case do not make another person.

    Raises `CallerFault` for what is no address.
    """
    key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())
    if len(email) > MAX_EMAIL_CHARS or not email.isprintable() or not _EMAIL.fullmatch(key):
        raise CallerFault("invalid_value", "'email' is no e-mail address.", param="email")
    return key
