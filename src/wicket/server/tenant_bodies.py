"""Bodies of the routes for tenants, users and keys; every refusal names its field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wicket.errors import CallerFault
from wicket.server.admin_query import (
    MAX_LIFETIME_S,
    MAX_UNIX_S,
    Name,
    expiry_ms,
    moment_ms,
    refuse_unknown,
)
from wicket.server.app_paths import inference_doors

Text = Annotated[str, Meta(max_length=300)]
Role = Literal["owner", "admin", "member", "viewer"]
Status = Literal["active", "suspended"]
Names = Annotated[list[Name], Meta(max_length=1000)]
Networks = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=200)]
Routes = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(max_length=100)]
Password = Annotated[str, Meta(min_length=1, max_length=1_024)]


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is not given is not sent on."""

    def arguments(self) -> dict[str, Any]:
        """What the supervisor's verb takes."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


class NewNamed(_Body, frozen=True):
    """An organisation or, with `organisation`, a team of it."""

    name: Name
    organisation: Text = ""


class NewOrganisation(_Body, frozen=True):
    """An organisation."""

    name: Name


class Changed(_Body, frozen=True):
    """What of an organisation or a team is otherwise."""

    name: Name | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class NewMember(_Body, frozen=True):
    """Who gets which role in a team; `user` is an id or an address."""

    user: Text
    role: Role = "member"

    def arguments(self) -> dict[str, Any]:
        """See `_Body`."""
        return {"user": self.user, "role": self.role}


class NewUser(_Body, frozen=True):
    """A user whom an administrator adds. Without `password` one is made and told once.

    `external`: without any; the user signs in by an OpenID provider that has verified the address.
    """

    email: Text
    name: Text = ""
    role: Role = "member"
    team: Text = ""
    organisation: Text = ""
    external: bool = False
    password: Password | UnsetType = UNSET


class ChangedUser(_Body, frozen=True):
    """What of a user is otherwise; `role` is the one in the whole organisation."""

    name: Name | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    organisation: Text = ""


class ResetPassword(_Body, frozen=True):
    """The new password, or none: one is made and told once."""

    password: Password | UnsetType = UNSET


class NewInvitation(_Body, frozen=True):
    """Who is invited to what."""

    role: Role = "member"
    team: Text = ""
    email: Text = ""
    organisation: Text = ""
    expires_in_s: Annotated[int, Meta(ge=1, le=90 * 86_400)] | UnsetType = UNSET


class ChangedKey(_Body, frozen=True):
    """What of a key is otherwise; of two ends the earlier counts, None is no end."""

    name: Name | UnsetType = UNSET
    models: Names | UnsetType = UNSET
    networks: Networks | UnsetType = UNSET
    routes: Routes | UnsetType = UNSET
    suspended: bool | UnsetType = UNSET
    expires_at: Annotated[float, Meta(ge=0, le=MAX_UNIX_S)] | str | UnsetType | None = UNSET
    expires_in_s: Annotated[float, Meta(ge=1, le=MAX_LIFETIME_S)] | UnsetType = UNSET

    def changes(self, now_ms: int) -> dict[str, Any]:
        """What the verb `keys.update` takes, but the id. Raises `CallerFault`."""
        found = self.arguments()
        at, lasts = found.pop("expires_at", UNSET), found.pop("expires_in_s", None)
        if at is not UNSET or lasts is not None:
            found["expires_ms"] = expiry_ms(None if at is UNSET else at, lasts, now_ms)
        if "routes" in found:
            found["routes"] = checked_routes(found["routes"])
        if not found:
            raise CallerFault("missing_field", "Say what is to change.")
        return found


class Rotation(_Body, frozen=True):
    """How long the old text goes on working."""

    overlap_s: Annotated[float, Meta(ge=0, le=90 * 86_400)] = 0.0


def checked_routes(names: Sequence[str]) -> list[str]:
    """APIs by their names ("chat.completions") or paths. Raises `CallerFault` naming the field."""
    by_path = {path: api.name for path, (api, _) in inference_doors().items()}
    known = set(by_path.values())
    found = []
    for name in names:
        api = by_path.get(name, name)
        if api not in known:
            message = f"'routes' has no {name[:60]!r}; there are {', '.join(sorted(known))}."
            raise CallerFault("invalid_value", message, param="routes")
        found.append(api)
    return list(dict.fromkeys(found))


def audit_query(query: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    """`verb`, `actor`, `target`, `since`, `until`, `limit`, `before`. Raises `CallerFault`."""
    refuse_unknown(query, ("verb", "actor", "target", "since", "until", "limit", "before"))
    found: dict[str, Any] = {name: query[name] for name in ("verb", "actor", "target") if name in query}
    for name in ("since", "until"):
        if name in query:
            found[f"{name}_ms"] = moment_ms(query[name], name, now_ms)
    for name, largest in (("limit", 1_000), ("before", (1 << 62))):
        if name in query:
            text = query[name]
            number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
            if not 1 <= number <= largest:
                message = f"'{name}' must be a whole number from 1 to {largest}."
                raise CallerFault("invalid_value", message, param=name)
            found[name] = number
    return found
