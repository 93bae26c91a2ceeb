"""What a worker may ask: a table from verb to function. Whoever may call a verb was decided before.

Each function gets the supervisor's parts and the verb's arguments and returns what msgpack can carry.
The store blocks, so its calls go to a thread.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from wicket.accounts.keys import VirtualKey, create_key
from wicket.accounts.roles import check_may
from wicket.accounts.savings import savings_report
from wicket.accounts.usage_rows import GROUPS, usage_report
from wicket.errors import CallerFault, Fault
from wicket.store.contract import RecordFilter, matches
from wicket.supervisor.identity import actor_of
from wicket.supervisor.messages import AddCaller, Answer, Ask, RemoveCaller
from wicket.supervisor.verb import Arguments, House, Verb, iso, key_number, now_ms
from wicket.supervisor.verbs_auth import OPEN_VERBS
from wicket.supervisor.verbs_batches import BATCH_VERBS
from wicket.supervisor.verbs_examples import EXAMPLE_VERBS
from wicket.supervisor.verbs_kept import KEPT_VERBS
from wicket.supervisor.verbs_providers import PROVIDER_VERBS

MAX_LISTED = 10_000


async def answer(house: House, ask: Ask) -> Answer:
    """The answer to one question; never raises a `Fault`, it carries it."""
    try:
        return Answer(id=ask.id, value=await perform(house, ask))
    except Fault as fault:
        after = fault.retry_after_ms
        return Answer(
            id=ask.id, fault=(fault.code, fault.message, fault.status), param=fault.param, after_ms=after
        )
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        message = f"The supervisor can't do {ask.verb!r} with these arguments: {error}."
        return Answer(id=ask.id, fault=("invalid_arguments", message, 400))


async def perform(house: House, ask: Ask) -> Any:
    """What the verb answers with, asked by whoever asks. Raises `Fault`.

    Whether a key may ask was decided by its route; what a user may is decided here, by their role.
    """
    if ask.verb in OPEN_VERBS:
        return await OPEN_VERBS[ask.verb](house, ask.arguments, ask.asker)
    verb = VERBS.get(ask.verb)
    if verb is None:
        raise CallerFault("unknown_verb", f"The supervisor knows no {ask.verb!r}.")
    actor = await actor_of(house, ask)
    key_id = ask.key_id
    if actor.kind == "user":
        check_may(actor, ask.verb)
        key_id = 0
    return await verb(house, ask.arguments, key_id)


async def keys_create(house: House, arguments: Arguments, key_id: int) -> Any:
    """`name`, `team`, `models`, `expires_ms` → the key's fields and `key`, its text, this once."""
    row, text = create_key(
        arguments["name"],
        now_ms(),
        team=arguments.get("team", ""),
        models=tuple(arguments.get("models") or ()),
        expires_ms=arguments.get("expires_ms", 0),
    )
    if row.team:
        team_id, organisation_id = await asyncio.to_thread(house.store.ensure_team, row.team, row.created_ms)
        row = msgspec.structs.replace(row, team_id=team_id, organisation_id=organisation_id)
    kept = await asyncio.to_thread(house.store.add_key, row)
    house.tell(AddCaller(kept.caller()))
    return {**key_fields(kept), "key": text}


async def keys_list(house: House, arguments: Arguments, key_id: int) -> Any:
    """Every key ever made, oldest first."""
    return [key_fields(key) for key in await asyncio.to_thread(house.store.list_keys)]


async def keys_revoke(house: House, arguments: Arguments, key_id: int) -> Any:
    """`id`, the public one → the key's fields. Every worker is told at once."""
    public_id = arguments["id"]
    key = await asyncio.to_thread(house.store.revoke_key, public_id, now_ms())
    if key is None:
        raise CallerFault(
            "unknown_key", f"There is no key {public_id[:80]!r}; `wicket keys list` shows them.", status=404
        )
    house.tell(RemoveCaller(key.id))
    return key_fields(key)


async def usage(house: House, arguments: Arguments, key_id: int) -> Any:
    """`by`, `since_ms`, `until_ms` → a usage report."""
    by = tuple(arguments.get("by") or ())
    for group in by:
        if group not in GROUPS:
            raise CallerFault("invalid_value", f"There is no group {group!r}; there are {', '.join(GROUPS)}.")
    since_ms, until_ms = arguments.get("since_ms", 0), arguments.get("until_ms", 0)
    return usage_report(await asyncio.to_thread(house.store.usage, by, since_ms, until_ms), by)


async def savings(house: House, arguments: Arguments, key_id: int) -> Any:
    """`since_ms`, `until_ms` → what cascades saved, money in nano-USD."""
    since_ms, until_ms = arguments.get("since_ms", 0), arguments.get("until_ms", 0)
    return savings_report(await asyncio.to_thread(house.store.savings, since_ms, until_ms))


async def logs(house: House, arguments: Arguments, key_id: int) -> Any:
    """Records by filter, newest first, and the mark to ask on from.

    With `after`, a mark, only what has come in since; without it, what is in the database.
    """
    after = arguments.get("after")
    wanted_key = await key_number(house, arguments.get("key", ""))
    limit = min(MAX_LISTED, max(1, arguments.get("limit", 100)))
    wanted = RecordFilter(
        since_ms=arguments.get("since_ms", 0),
        until_ms=arguments.get("until_ms", 0),
        key_id=wanted_key,
        model=arguments.get("model", ""),
        outcome=arguments.get("outcome", ""),
        limit=limit,
    )
    if after is not None:
        last, new = house.recent.last, house.recent.after(after)
        return {"records": [r for r in reversed(new) if matches(r, wanted)][:limit], "last": last}
    mark = house.recent.last
    found = await asyncio.to_thread(house.store.records, wanted)
    return {"records": found, "last": mark + len(house.recent.after(mark))}


async def requests_get(house: House, arguments: Arguments, key_id: int) -> Any:
    """`id` → the caller's own record, or anybody's for the operator (key 0); None when there is none."""
    record = await asyncio.to_thread(house.store.record, arguments["id"])
    if record is None or (key_id != 0 and record.key_id != key_id):
        return None
    return record


async def backup(house: House, arguments: Arguments, key_id: int) -> Any:
    """`path`, a file that does not exist yet → where the copy is and how large."""
    target = Path(arguments["path"])
    if not target.is_absolute():
        raise CallerFault("relative_path", "Give an absolute path: the server has its own current folder.")

    def copy() -> int:
        house.store.backup(target)
        return target.stat().st_size

    return {"path": str(target), "bytes": await asyncio.to_thread(copy)}


async def status(house: House, arguments: Arguments, key_id: int) -> Any:
    """Processes, engines, configuration, ledger."""
    return house.status()


async def metrics(house: House, arguments: Arguments, key_id: int) -> Any:
    """Prometheus' text."""
    return house.metrics()


async def config_show(house: House, arguments: Arguments, key_id: int) -> Any:
    """The configuration in force, secrets masked."""
    return house.shown_config()


async def config_reload(house: House, arguments: Arguments, key_id: int) -> Any:
    """Load the file again; a bad one changes nothing."""
    return await house.reload()


async def restart(house: House, arguments: Arguments, key_id: int) -> Any:
    """New workers, one after the other; answers as soon as it has begun."""
    return house.restart_workers()


VERBS: dict[str, Verb] = {
    "keys.create": keys_create,
    "keys.list": keys_list,
    "keys.revoke": keys_revoke,
    "usage": usage,
    "savings": savings,
    "logs": logs,
    "requests.get": requests_get,
    "backup": backup,
    "status": status,
    "metrics": metrics,
    "config.show": config_show,
    "config.reload": config_reload,
    "restart": restart,
    **EXAMPLE_VERBS,
    **KEPT_VERBS,
    **BATCH_VERBS,
    **PROVIDER_VERBS,
}


def key_fields(key: VirtualKey) -> dict[str, Any]:
    """A key as people and programs see it; never its text or its hash."""
    return {
        "id": key.public_id,
        "name": key.name,
        "team": key.team,
        "models": list(key.models),
        "shown": key.shown,
        "created_at": iso(key.created_ms),
        "expires_at": iso(key.expires_ms),
        "revoked_at": iso(key.revoked_ms),
    }
