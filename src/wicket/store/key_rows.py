"""What a store answers about keys and their tenants, over the rows of any store."""

from __future__ import annotations

from typing import Any

from wicket.accounts.callers import Caller
from wicket.accounts.keys import VirtualKey
from wicket.accounts.scopes import DEFAULT_ORGANISATION
from wicket.accounts.tenants import ACTIVE, DELETED, Organisation, Team, new_id
from wicket.store.contract import Rows


def ensure_team(rows: Rows, name: str, now_ms: int, organisation_id: int = DEFAULT_ORGANISATION) -> Team:
    """The team of that name, made if need be."""
    for team in rows.all(Team, organisation_id=organisation_id, name=name):
        if team.status != DELETED:
            return team
    return rows.insert(Team(new_id("team"), organisation_id, name, now_ms))


def revoke(rows: Rows, public_id: str, now_ms: int) -> VirtualKey | None:
    """End a key; None if there is none. A second time changes nothing."""
    key = rows.one(VirtualKey, public_id=public_id)
    return key if key is None or key.revoked_ms else rows.update(key, revoked_ms=now_ms)


def live_callers(rows: Rows, now_ms: int, **wanted: Any) -> list[Caller]:
    """Every key that is neither revoked nor expired (those `wanted`), with what of it is not active."""
    organisations = {row.id: row.status for row in rows.all(Organisation)}
    teams = {row.id: row.status for row in rows.all(Team)}
    found = []
    for key in rows.all(VirtualKey, revoked_ms=0, **wanted):
        if not key.expires_ms or key.expires_ms > now_ms:
            blocked = "organisation" if organisations.get(key.organisation_id, ACTIVE) != ACTIVE else ""
            if teams.get(key.team_id, ACTIVE) != ACTIVE:
                blocked = "team"
            found.append(key.caller(blocked))
    return found
