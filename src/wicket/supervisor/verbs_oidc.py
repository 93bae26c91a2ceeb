"""Signing in by an OpenID provider: who may, and as whom."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from wicket.accounts.scopes import DEFAULT_ORGANISATION
from wicket.accounts.tenants import ACTIVE, DELETED, Organisation, User, email_key, new_id
from wicket.config.schema import OidcTable
from wicket.errors import CallerFault, PermissionFault
from wicket.store.contract import Rows
from wicket.supervisor.id_token import Identity
from wicket.supervisor.messages import Asker
from wicket.supervisor.sign_up import Place, has_owner, settle
from wicket.supervisor.verb import Arguments, House, OpenVerb
from wicket.supervisor.verbs_auth import Opened, came_in, open_session


async def oidc_begin(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`name`, `redirect_uri` → `{"url", "binder"}`."""
    house.reception.count_try(asker.address)
    table = _table(house, arguments["name"])
    return await house.reception.openid.begin(arguments["name"], table, arguments["redirect_uri"])


async def oidc_end(house: House, arguments: Arguments, asker: Asker) -> Any:
    """`name`, `answer` (the query), `binder` → a new session, as `auth.sign_in`."""
    reception = house.reception
    await asyncio.to_thread(reception.open, house.store)
    reception.count_try(asker.address)
    name = arguments["name"]
    table = _table(house, name)
    identity = await reception.openid.end(table, arguments["answer"], name, arguments["binder"])

    def act(rows: Rows) -> Opened:
        user = user_of(rows, table, identity, reception.clock.now_ms(), asker)
        return open_session(house, rows, user, 0, asker)

    return came_in(house, await asyncio.to_thread(house.store.transact, act))


OIDC_VERBS: dict[str, OpenVerb] = {"auth.oidc_begin": oidc_begin, "auth.oidc_end": oidc_end}


def user_of(rows: Rows, table: OidcTable, identity: Identity, now_ms: int, asker: Asker) -> User:
    """The user whom the provider means: known, added without a password, or of an allowed domain.

    A user with a password is never taken over, whatever address the provider has verified: who made that
    user may not have been who owns the address. Raises `PermissionFault`.
    """
    known = [
        user
        for user in rows.all(User, issuer=table.issuer, subject=identity.subject)
        if user.status != DELETED
    ]
    if known:
        if known[0].status != ACTIVE:
            raise PermissionFault("suspended_user", "You are suspended here; ask an owner or admin.")
        return known[0]
    if not identity.email:
        raise PermissionFault("unverified_email", "The provider has not verified your e-mail address.")
    key = email_key(identity.email)
    named = next((one for one in rows.all(User, email_key=key) if one.status != DELETED), None)
    if named is not None:
        if named.password or named.subject or named.status != ACTIVE:
            message = "There is a user with this address who signs in otherwise: use the password."
            raise PermissionFault("signs_in_otherwise", message)
        return rows.update(named, issuer=table.issuer, subject=identity.subject)
    domains = {domain.casefold() for domain in table.allowed_domains}
    if key.rpartition("@")[2] not in domains:
        raise PermissionFault(
            "not_invited", "Nobody with your address is a user here; ask for an invitation."
        )
    if not has_owner(rows):
        raise PermissionFault("no_owner", "Nobody owns this server yet: its owner signs up first.")
    home = rows.one(Organisation, id=DEFAULT_ORGANISATION)
    fresh = User(new_id("user"), identity.email, key, now_ms, identity.name)
    user = rows.insert(msgspec.structs.replace(fresh, issuer=table.issuer, subject=identity.subject))
    settle(rows, user, Place(table.default_role, home), "", now_ms, asker)
    return user


def _table(house: House, name: str) -> OidcTable:
    table = house.reception.table.oidc.get(name)
    if table is None:
        raise CallerFault("unknown_provider", "There is no such OpenID provider here.", status=404)
    return table
