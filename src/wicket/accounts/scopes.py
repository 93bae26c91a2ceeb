"""What money, limits and roles are attached to: a key, its team, the team's organisation. As text everywhere.

`"key:17"`, `"team:3"`, `"organisation:1"`: in the database, in messages, as the end of a ledger account's
name. The numbers are row ids; people and programs outside see public ids and names instead.
"""

from __future__ import annotations

from wicket.accounts.callers import Caller

KINDS = ("key", "team", "organisation")
DEFAULT_ORGANISATION = 1


def scopes_of(caller: Caller) -> tuple[str, ...]:
    """The caller's scopes, nearest first; none for the admin key."""
    if not caller.key_id:
        return ()
    found = [f"key:{caller.key_id}"]
    if caller.team_id:
        found.append(f"team:{caller.team_id}")
    if caller.organisation_id:
        found.append(f"organisation:{caller.organisation_id}")
    return tuple(found)


def receivable(caller: Caller) -> str:
    """The ledger account of a caller without prepaid credit: what is to be paid later, by team or key."""
    if not caller.key_id:
        return "receivable:operator"
    return f"receivable:team:{caller.team_id}" if caller.team_id else f"receivable:key:{caller.key_id}"
