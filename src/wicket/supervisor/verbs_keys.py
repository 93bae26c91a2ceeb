"""Virtual keys: made, changed, rotated, ended. Every worker is told at once, every act is kept."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.accounts.keys import VirtualKey, create_key, key_text
from wicket.accounts.networks import checked_networks
from wicket.accounts.roles import Actor, check_may, reach
from wicket.accounts.tenants import ACTIVE, Team, checked_name
from wicket.errors import CallerFault
from wicket.store.contract import Rows
from wicket.store.key_rows import ensure_team
from wicket.supervisor.identity import entry
from wicket.supervisor.tenancy import find_key, find_team, look, own_organisation, seen_keys, tell_keys, write
from wicket.supervisor.verb import ActorVerb, Arguments, House, iso, now_ms

MAX_OVERLAP_S = 90 * 86_400


async def keys_create(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`name`, `team`, `organisation`, `models`, `networks`, `routes`, `expires_ms` → fields and `key`."""
    row, text = create_key(
        arguments["name"],
        now_ms(),
        team=arguments.get("team", ""),
        models=tuple(arguments.get("models") or ()),
        expires_ms=arguments.get("expires_ms", 0),
    )
    row = msgspec.structs.replace(
        row,
        networks=checked_networks(arguments.get("networks") or ()),
        routes=tuple(arguments.get("routes") or ()),
        made_by=actor.id,
    )

    def act(rows: Rows) -> VirtualKey:
        organisation = own_organisation(rows, actor, arguments.get("organisation", ""))
        team = _team_for(rows, actor, row, arguments.get("organisation", ""))
        name, number = (team.name, team.id) if team is not None else ("", 0)
        kept = rows.insert(
            msgspec.structs.replace(
                row,
                team=name,
                team_id=number,
                organisation_id=team.organisation_id if team is not None else organisation.id,
            )
        )
        given = {"name": kept.name, "team": name, "models": kept.models, "networks": kept.networks}
        rows.insert(
            entry(
                actor,
                now_ms(),
                "keys.create",
                kept.public_id,
                kept.organisation_id,
                **given,
                routes=kept.routes,
                expires_at=iso(kept.expires_ms),
            )
        )
        return kept

    kept = await write(house, act)
    await tell_keys(house, id=kept.id)
    return {**key_fields(kept), "key": text}


async def keys_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`hidden`: sessions' own as well → every key that the actor may see, oldest first."""
    found = await look(house, lambda rows: seen_keys(rows, actor, "keys.list"))
    return [key_fields(key) for key in found if arguments.get("hidden") or not key.is_hidden]


async def keys_update(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id`, and any of `name`, `models`, `networks`, `routes`, `expires_ms`, `suspended` → the fields."""
    moment_ms = now_ms()
    changes: dict[str, Any] = {}
    if "name" in arguments:
        changes["name"] = checked_name(arguments["name"], "name")
    if "networks" in arguments:
        changes["networks"] = checked_networks(arguments["networks"])
    for field in ("models", "routes"):
        if field in arguments:
            changes[field] = tuple(arguments[field])
            if not all(text.isprintable() for text in changes[field]):
                raise CallerFault("invalid_value", f"'{field}' holds what can't be printed.", param=field)
    if "expires_ms" in arguments:
        changes["expires_ms"] = arguments["expires_ms"]

    def act(rows: Rows) -> VirtualKey:
        key = _living(find_key(rows, actor, "keys.update", arguments["id"]))
        wanted = dict(changes)
        if "suspended" in arguments:
            wanted["suspended_ms"] = (key.suspended_ms or moment_ms) if arguments["suspended"] else 0
        fresh = rows.update(key, **wanted) if wanted else key
        shown = {name: value for name, value in key_fields(fresh).items() if value != key_fields(key)[name]}
        rows.insert(entry(actor, moment_ms, "keys.update", key.public_id, key.organisation_id, **shown))
        return fresh

    kept = await write(house, act)
    await tell_keys(house, id=kept.id)
    return key_fields(kept)


async def keys_rotate(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id`, `overlap_s` → the fields and `key`, the new text; the old one ends after the overlap."""
    moment_ms, overlap_s = now_ms(), arguments.get("overlap_s", 0)
    if not 0 <= overlap_s <= MAX_OVERLAP_S:
        message = f"'overlap_s' is from 0 to {MAX_OVERLAP_S} seconds."
        raise CallerFault("invalid_value", message, param="overlap_s")
    text, digest, shown = key_text()

    def act(rows: Rows) -> VirtualKey:
        key = _living(find_key(rows, actor, "keys.rotate", arguments["id"]))
        ends_ms = moment_ms + int(overlap_s * 1000)
        fresh = rows.update(
            key,
            digest=digest,
            shown=shown,
            rotated_ms=moment_ms,
            previous_digest=key.digest if overlap_s else b"",
            previous_until_ms=ends_ms if overlap_s else 0,
        )
        rows.insert(
            entry(actor, moment_ms, "keys.rotate", key.public_id, key.organisation_id, overlap_s=overlap_s)
        )
        return fresh

    kept = await write(house, act)
    await tell_keys(house, id=kept.id)
    return {**key_fields(kept), "key": text}


async def keys_revoke(house: House, arguments: Arguments, actor: Actor) -> Any:
    """`id`, the public one → the key's fields. A second time changes nothing."""
    moment_ms = now_ms()

    def act(rows: Rows) -> VirtualKey:
        key = find_key(rows, actor, "keys.revoke", arguments["id"])
        if key.revoked_ms:
            return key
        rows.insert(entry(actor, moment_ms, "keys.revoke", key.public_id, key.organisation_id, name=key.name))
        return rows.update(key, revoked_ms=moment_ms)

    kept = await write(house, act)
    await tell_keys(house, id=kept.id)
    return key_fields(kept)


KEY_VERBS: dict[str, ActorVerb] = {
    "keys.create": keys_create,
    "keys.list": keys_list,
    "keys.update": keys_update,
    "keys.rotate": keys_rotate,
    "keys.revoke": keys_revoke,
}


def key_fields(key: VirtualKey) -> dict[str, Any]:
    """A key as people and programs see it; never its text or its hash."""
    return {
        "id": key.public_id,
        "name": key.name,
        "team": key.team,
        "models": list(key.models),
        "networks": list(key.networks),
        "routes": list(key.routes),
        "shown": key.shown,
        "made_by": key.made_by,
        "created_at": iso(key.created_ms),
        "expires_at": iso(key.expires_ms),
        "rotated_at": iso(key.rotated_ms),
        "previous_ends_at": iso(key.previous_until_ms),
        "suspended_at": iso(key.suspended_ms),
        "revoked_at": iso(key.revoked_ms),
    }


def _team_for(rows: Rows, actor: Actor, row: VirtualKey, organisation: str) -> Team | None:
    """The team of a new key. The operator's word makes a team that is not there yet, as it always did.

    Raises `CallerFault` for one that is not the actor's, or if one of several must be named.
    """
    within = reach(actor, "keys.create")
    if row.team:
        if actor.is_operator and rows.one(Team, public_id=row.team) is None:
            home = own_organisation(rows, actor, organisation)
            team = ensure_team(rows, row.team, row.created_ms, home.id)
        else:
            team = find_team(rows, actor, "keys.create", row.team, organisation)
        if team.status != ACTIVE:
            raise CallerFault(
                "suspended_team", f"The team {team.name!r} is suspended.", status=409, param="team"
            )
        return team
    check_may(actor, "keys.create")
    if within.team_ids is None:
        return None
    own = [team for team in rows.all(Team, id=sorted(within.team_ids)) if team.status == ACTIVE]
    if len(own) != 1:
        raise CallerFault("missing_field", "'team' says which of your teams the key is for.", param="team")
    return own[0]


def _living(key: VirtualKey) -> VirtualKey:
    if key.revoked_ms:
        raise CallerFault("key_revoked", "This key is revoked; make a new one.", status=409)
    return key
