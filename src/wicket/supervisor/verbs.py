"""What a worker may ask: a table from verb to function. Whoever may call a verb was decided before.

Each function gets the supervisor's parts and the verb's arguments and returns what msgpack can carry.
The store blocks, so its calls go to a thread.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from wicket.accounts.roles import check_may
from wicket.errors import CallerFault, Fault, StoreFault
from wicket.store.contract import RecordFilter, matches
from wicket.supervisor.identity import actor_of, entry
from wicket.supervisor.messages import Answer, Ask
from wicket.supervisor.verb import ActorVerb, Arguments, House, OpenVerb, Verb, key_number, now_ms
from wicket.supervisor.verbs_auth import OPEN_VERBS
from wicket.supervisor.verbs_batches import BATCH_VERBS
from wicket.supervisor.verbs_credits import CREDIT_VERBS
from wicket.supervisor.verbs_dues import DUE_VERBS
from wicket.supervisor.verbs_examples import EXAMPLE_VERBS
from wicket.supervisor.verbs_kept import KEPT_VERBS
from wicket.supervisor.verbs_keys import KEY_VERBS
from wicket.supervisor.verbs_limits import LIMIT_VERBS
from wicket.supervisor.verbs_money import MONEY_VERBS
from wicket.supervisor.verbs_oidc import OIDC_VERBS
from wicket.supervisor.verbs_providers import PROVIDER_VERBS
from wicket.supervisor.verbs_seen import SEEN_VERBS
from wicket.supervisor.verbs_seen_limits import SEEN_LIMIT_VERBS
from wicket.supervisor.verbs_seen_money import SEEN_MONEY_VERBS
from wicket.supervisor.verbs_tenants import TENANT_VERBS
from wicket.supervisor.verbs_users import USER_VERBS

MAX_LISTED = 10_000
MAX_TARGET = 200
OPERATOR = 0  # the admin key's id
CHANGING = frozenset(
    {
        *("add", "backup", "create", "delete", "erase", "grant", "put", "refund", "reload"),
        *("remove", "restart", "revoke", "set", "threshold", "update"),
    }
)
CALLERS_OWN = frozenset({"batches", "dues", "feedback", "files", "responses"})  # callers' own things
TARGETS = ("id", "scope", "provider", "team", "task", "path", "name")  # never "key": that may be a secret
TOLD = ("kind", "unit", "amount", "window", "model", "zone", "is_soft")  # of what was asked, if it was


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
    if ask.verb in ANYBODYS:
        return await ANYBODYS[ask.verb](house, ask.arguments, ask.asker)
    actor = await actor_of(house, ask)
    if ask.verb in ACTOR_VERBS:
        check_may(actor, ask.verb)
        return await ACTOR_VERBS[ask.verb](house, ask.arguments, actor)
    if ask.verb not in VERBS:
        raise CallerFault("unknown_verb", f"The supervisor knows no {ask.verb!r}.")
    told = dict(ask.arguments)
    is_user, home = actor.kind == "user", 0
    if is_user:
        check_may(actor, ask.verb)
    if is_user and not actor.is_of_the_house:
        value, home = await TENANTS_VERBS[ask.verb](house, ask.arguments, actor), actor.organisation_id
    else:
        value = await VERBS[ask.verb](house, ask.arguments, OPERATOR if is_user else ask.key_id)
    if is_audited(ask.verb) and (actor.is_operator or is_user):
        kept = entry(actor, now_ms(), ask.verb, target_of(told), home, **changes_of(told))
        await asyncio.to_thread(house.store.transact, lambda rows: rows.insert(kept))
    return value


def is_audited(verb: str) -> bool:
    """Whether a verb that keeps no audit row itself changes something that an administrator answers for."""
    family, _, act = verb.rpartition(".")
    return act in CHANGING and family not in CALLERS_OWN


def target_of(arguments: Arguments) -> str:
    """What a verb was about, as far as its arguments name it."""
    found = next((arguments[name] for name in TARGETS if isinstance(arguments.get(name), str)), "")
    return found[:MAX_TARGET]


def changes_of(arguments: Arguments) -> dict[str, Any]:
    """What of a verb's arguments its audit row tells."""
    return {name: arguments[name] for name in TOLD if name in arguments}


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
    if record is None and house.dues is not None:
        record = await house.dues.pending(arguments["id"])
    if record is None or (key_id != 0 and record.key_id != key_id):
        return None
    return record


async def backup(house: House, arguments: Arguments, key_id: int) -> Any:
    """`path`, a file, and `kept_path`, a folder, that do not exist yet → where the copies are and how large.

    What is kept is copied first: whom it belongs to is in the other copy then.
    """
    target, folder = _new_path(arguments, "path"), arguments.get("kept_path", "")
    kept = await house.keeper.backup(_new_path(arguments, "kept_path")) if folder else None

    def copy() -> int:
        house.store.backup(target)
        return target.stat().st_size

    made = {"path": str(target), "bytes": await asyncio.to_thread(copy)}
    return {**made, "has_kept": house.keeper.has_store, "kept": kept}


def _new_path(arguments: Arguments, field: str) -> Path:
    target = Path(arguments[field])
    if not target.is_absolute():
        message = "Give an absolute path: the server has its own current folder."
        raise CallerFault("relative_path", message, param=field)
    if target.exists():
        raise StoreFault("backup_exists", f"{target} exists already: choose another name.")
    return target


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
    "logs": logs,
    "requests.get": requests_get,
    "backup": backup,
    "status": status,
    "metrics": metrics,
    "config.show": config_show,
    "config.reload": config_reload,
    "restart": restart,
    **CREDIT_VERBS,
    **MONEY_VERBS,
    **EXAMPLE_VERBS,
    **LIMIT_VERBS,
    **KEPT_VERBS,
    **BATCH_VERBS,
    **DUE_VERBS,
    **PROVIDER_VERBS,
}

# For users who are not of the house: the same, of what is theirs.
TENANTS_VERBS: dict[str, ActorVerb] = {**SEEN_VERBS, **SEEN_LIMIT_VERBS, **SEEN_MONEY_VERBS}

ANYBODYS: dict[str, OpenVerb] = {**OPEN_VERBS, **OIDC_VERBS}

# These ask who asks, and keep their audit rows in the transaction of the act.
ACTOR_VERBS: dict[str, ActorVerb] = {**KEY_VERBS, **TENANT_VERBS, **USER_VERBS}
