"""Credit, the ledger, savings and statements for users who may not see all of them: of their own scopes.

What a scope paid with is told by its own accounts; what providers bill is the house's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from wicket.accounts.roles import Actor, reach
from wicket.accounts.savings import SAVINGS_GROUPS, savings_report
from wicket.accounts.statement import Month, Movement, parse_month, statement
from wicket.errors import CallerFault
from wicket.supervisor.tenancy import Placed, look, placed_scopes, seen_keys
from wicket.supervisor.verb import ActorVerb, Arguments, House, now_ms
from wicket.supervisor.verbs_credits import list_accounts, list_credits, list_transfers
from wicket.supervisor.verbs_limits import find_scope
from wicket.supervisor.verbs_money import MAX_MOVEMENTS, checked_groups, listed_movements
from wicket.supervisor.verbs_seen import merged, seen_rows


async def credits_list(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As the verb `credits.list`."""
    return await list_credits(
        house, arguments, _scopes(await _chosen(house, arguments, actor, "credits.list"))
    )


async def transfers(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As the verb `transfers`: those that touch an account of the actor's scopes."""
    return await list_transfers(
        house, arguments, _scopes(await _chosen(house, arguments, actor, "transfers"))
    )


async def ledger_accounts(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As the verb `ledger.accounts`: credit, grants and receivables of the actor's scopes."""
    return await list_accounts(house, _scopes(await _chosen(house, {}, actor, "ledger.accounts")))


async def savings(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As the verb `savings`, over the keys that the actor may see."""
    by = checked_groups(arguments, SAVINGS_GROUPS)
    span = arguments.get("since_ms", 0), arguments.get("until_ms", 0)
    keys = await look(house, lambda rows: seen_keys(rows, actor, "savings"))
    tasks = await asyncio.to_thread(house.store.savings, *span, [key.id for key in keys])
    return savings_report(tasks, merged(await seen_rows(house, keys, by, *span), by), by)


async def statements_get(house: House, arguments: Arguments, actor: Actor) -> Any:
    """As the verb `statements.get`; without a team or key of all that the actor may see."""
    month, team, key = parse_month(arguments["month"]), arguments.get("team", ""), arguments.get("key", "")
    if team and key:
        raise CallerFault("invalid_value", "A statement is of a team or of a key, not of both.", param="key")
    named = {"kind": "team" if team else "key", "name": team or key} if team or key else {}
    chosen = await _chosen(house, named, actor, "statements.get")
    keys = await look(house, lambda rows: seen_keys(rows, actor, "statements.get"))
    whose = {"team": "", "key": "", "key_name": ""}
    if team:
        keys = [one for one in keys if one.team_id == chosen[0].team_id]
        whose["team"] = chosen[0].named.name
    elif key:
        keys = [one for one in keys if one.public_id == chosen[0].named.public_id]
        whose |= {"key": keys[0].public_id, "key_name": keys[0].name}
    by = ("day", "team", "model")
    rows = await seen_rows(house, keys, by, month.since_ms, month.until_ms)
    moved = await asyncio.to_thread(_movements, house, month, _scopes(chosen))
    return statement(month, whose, merged(rows, by), moved, now_ms())


def _movements(house: House, month: Month, scopes: Sequence[str]) -> list[Movement]:
    """What moved these scopes' credits other than requests, oldest first. Blocks."""
    ledger = house.store.ledger
    found = [
        each for credit in ledger.credits(scopes) for each in ledger.movements(credit.scope, MAX_MOVEMENTS)
    ]
    return listed_movements(month, sorted(found, key=lambda one: one.id))


async def _chosen(house: House, arguments: Arguments, actor: Actor, verb: str) -> list[Placed]:
    """The scope that is named, else every one that the actor may see. Raises `CallerFault` (404)."""
    within = reach(actor, verb)
    seen: list[Placed] = await look(house, lambda rows: placed_scopes(rows, within))
    if not arguments.get("kind"):
        return seen
    scope = find_scope(arguments, [one.named for one in seen])
    return [one for one in seen if one.named.scope == scope]


def _scopes(chosen: list[Placed]) -> tuple[str, ...]:
    return tuple(one.named.scope for one in chosen)


SEEN_MONEY_VERBS: dict[str, ActorVerb] = {
    "credits.list": credits_list,
    "transfers": transfers,
    "ledger.accounts": ledger_accounts,
    "savings": savings,
    "statements.get": statements_get,
}
