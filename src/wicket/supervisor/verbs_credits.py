"""What may be asked of the ledger: credits, refunds, transfers, whether it adds up.

Amounts in the answers are exact decimal texts of USD. A scope comes as its kind ("team", "key" or
"organisation") and the name or public id that people use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from wicket.accounts.cost import format_usd
from wicket.accounts.movements import Movement, Order, format_movement_id, parse_movement_id, same_as_before
from wicket.accounts.request_ids import format_id
from wicket.accounts.transfers import Transfer
from wicket.errors import CallerFault
from wicket.store.ledger_contract import MAX_TRANSFERS, Credit, TransferFilter
from wicket.supervisor.verb import Arguments, House, Verb, iso, now_ms

MAX_MOVEMENTS = 1_000


async def credits_add(house: House, arguments: Arguments, key_id: int) -> Any:
    """`kind` of scope, `name`, `order` without its scope → the movement; a team is made if need be."""
    ledger = house.store.ledger
    kind, name = arguments["kind"], arguments["name"]
    given: Mapping[str, Any] = arguments["order"]
    scope = await asyncio.to_thread(ledger.scope_named, kind, name)
    makes_team = not scope and kind == "team"
    if not scope and not makes_team:
        raise _unknown_scope(kind, name)
    if makes_team:
        known = await asyncio.to_thread(ledger.known, given["idempotency_key"])
        if known is not None:
            same_as_before(known, Order(**given))  # always raises: the order before was for another team
        team_id, _ = await asyncio.to_thread(house.store.ensure_team, name, now_ms())
        scope = f"team:{team_id}"
    order = Order(**{**given, "scope": scope, "asked": f"{scope} {given['asked']}"})
    moved = await asyncio.to_thread(ledger.move, order, now_ms())
    await house.credits_changed([scope])
    return await _told(house, moved.movement, is_repeated=not moved.is_new) | {"made_team": makes_team}


async def credits_refund(house: House, arguments: Arguments, key_id: int) -> Any:
    """`order` → the movement; of a top-up (`of`, its id) or of a request's charge (`record_id`)."""
    given = dict(arguments["order"])
    if arguments.get("of"):
        given["of_id"] = parse_movement_id(arguments["of"])
    moved = await asyncio.to_thread(house.store.ledger.move, Order(**given), now_ms())
    if moved.movement.scope:
        await house.credits_changed([moved.movement.scope])
    return await _told(house, moved.movement, is_repeated=not moved.is_new)


async def credits_list(house: House, arguments: Arguments, key_id: int) -> Any:
    """Every credit; with `kind` and `name` the one of that scope, with its movements, newest first."""
    scope = await _scope(house, arguments)
    return await list_credits(house, arguments, (scope,) if scope else None)


async def credits_threshold(house: House, arguments: Arguments, key_id: int) -> Any:
    """`kind`, `name`, `below_nanos` (None: as configured) → the credit."""
    scope = await _scope(house, arguments)
    below = arguments["below_nanos"]
    if not await asyncio.to_thread(house.store.ledger.set_below, scope, below):
        raise _no_credit(arguments)
    await house.credits_changed([scope])
    [row] = await credits_list(house, arguments, key_id)
    return {name: value for name, value in row.items() if name != "movements"}


async def transfers(house: House, arguments: Arguments, key_id: int) -> Any:
    """A page of transfers, newest first, and the mark to go on from (None at the end)."""
    scope = await _scope(house, arguments)
    return await list_transfers(house, arguments, (scope,) if scope else None)


async def ledger_verify(house: House, arguments: Arguments, key_id: int) -> Any:
    """Whether everything adds up, and what does not, a line each."""
    findings = await asyncio.to_thread(house.store.ledger.verify)
    balances = await asyncio.to_thread(house.store.ledger.accounts)
    return {"is_right": not findings, "findings": findings, "accounts": len(balances)}


async def ledger_accounts(house: House, arguments: Arguments, key_id: int) -> Any:
    """Every account with what went out and what came in."""
    return await list_accounts(house, None)


CREDIT_VERBS: dict[str, Verb] = {
    "credits.add": credits_add,
    "credits.list": credits_list,
    "credits.refund": credits_refund,
    "credits.threshold": credits_threshold,
    "transfers": transfers,
    "ledger.verify": ledger_verify,
    "ledger.accounts": ledger_accounts,
}


async def list_credits(
    house: House, arguments: Arguments, scopes: tuple[str, ...] | None
) -> list[dict[str, Any]]:
    """The credits of these scopes (None: all); where `kind` names one, with its movements."""
    ledger = house.store.ledger
    names = await asyncio.to_thread(ledger.scope_names)
    rows = [_credit_fields(credit, names) for credit in await asyncio.to_thread(ledger.credits, scopes)]
    if arguments.get("kind") and scopes:
        if not rows:
            raise _no_credit(arguments)
        movements = await asyncio.to_thread(ledger.movements, scopes[0], MAX_MOVEMENTS)
        rows[0]["movements"] = [_movement_fields(movement, names) for movement in movements]
    return rows


async def list_transfers(
    house: House, arguments: Arguments, scopes: tuple[str, ...] | None
) -> dict[str, Any]:
    """What `transfers` answers with, of these scopes' accounts (None: of all)."""
    limit = min(MAX_TRANSFERS, max(1, arguments.get("limit", 100)))
    before = arguments.get("before")
    wanted = TransferFilter(
        scopes=scopes,
        account=arguments.get("account", ""),
        kind=arguments.get("transfer_kind", ""),
        since_ms=arguments.get("since_ms", 0),
        until_ms=arguments.get("until_ms", 0),
        record_id=arguments.get("record_id", 0),
        before=(before[0], before[1]) if before else None,
        limit=limit,
    )
    found = await asyncio.to_thread(house.store.ledger.transfers, wanted)
    names = await asyncio.to_thread(house.store.ledger.scope_names)
    last = [found[-1].entry_id, found[-1].place] if len(found) == limit else None
    return {"transfers": [_transfer_fields(transfer, names) for transfer in found], "before": last}


async def list_accounts(house: House, scopes: tuple[str, ...] | None) -> list[dict[str, Any]]:
    """The accounts of these scopes (None: all there are) with what went out and what came in."""
    names = await asyncio.to_thread(house.store.ledger.scope_names)
    balances = await asyncio.to_thread(house.store.ledger.accounts, scopes)
    return [
        {
            "account": account,
            "name": account_name(account, names),
            "debits_usd": format_usd(balance.debits_nanos),
            "credits_usd": format_usd(balance.credits_nanos),
            "balance_usd": format_usd(balance.nanos),
        }
        for account, balance in sorted(balances.items())
    ]


def account_name(account: str, names: Mapping[str, str]) -> str:
    """An account as people call it: "credit of team red"."""
    kind, _, scope = account.partition(":")
    if kind not in ("credit", "receivable") or not scope:
        return account.replace(":", " ")
    return f"{kind} of {scope.partition(':')[0]} {names.get(scope, '')}".rstrip()


async def _scope(house: House, arguments: Arguments) -> str:
    """The scope that the arguments name; "" if they name none. Raises `CallerFault` 404."""
    kind, name = arguments.get("kind", ""), arguments.get("name", "")
    if not kind:
        return ""
    scope = await asyncio.to_thread(house.store.ledger.scope_named, kind, name)
    if not scope:
        raise _unknown_scope(kind, name)
    return scope


def _no_credit(arguments: Arguments) -> CallerFault:
    message = f"{arguments['kind']} {arguments['name']!r} has no credit; `wicket credits add` gives it some."
    return CallerFault("no_credit", message, status=404, param=arguments["kind"])


def _unknown_scope(kind: str, name: str) -> CallerFault:
    return CallerFault(f"unknown_{kind}", f"There is no {kind} {name[:80]!r}.", status=404, param=kind)


async def _told(house: House, movement: Movement, *, is_repeated: bool) -> dict[str, Any]:
    names = await asyncio.to_thread(house.store.ledger.scope_names)
    balances = await asyncio.to_thread(house.store.ledger.balances, [movement.scope])
    balance = balances.of.get(movement.scope)
    return _movement_fields(movement, names) | {
        "balance_usd": None if balance is None else format_usd(balance),
        "is_repeated": is_repeated,
    }


def _scope_fields(scope: str, names: Mapping[str, str]) -> dict[str, Any]:
    return {"scope": scope.partition(":")[0], "name": names.get(scope, "")}


def _movement_fields(movement: Movement, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": format_movement_id(movement.id),
        "object": "movement",
        "kind": movement.kind,
        **_scope_fields(movement.scope, names),
        "at": iso(movement.id >> 21),
        "usd": format_usd(movement.amount_nanos),
        "grant": movement.grant_number or None,
        "expires_at": iso(movement.expires_ms),
        "of": format_movement_id(movement.of_id) if movement.of_id else None,
        "request_id": format_id(movement.record_id) if movement.record_id else None,
        "idempotency_key": movement.idempotency_key,
        "memo": movement.memo,
    }


def _credit_fields(credit: Credit, names: Mapping[str, str]) -> dict[str, Any]:
    grants = [
        {
            "grant": grant.number,
            "left_usd": format_usd(grant.left_nanos),
            "expires_at": iso(grant.expires_ms),
        }
        for grant in credit.grants
    ]
    return {
        "object": "credit",
        **_scope_fields(credit.scope, names),
        "balance_usd": format_usd(credit.balance_nanos),
        "prepaid_usd": format_usd(credit.prepaid_nanos),
        "granted_usd": format_usd(credit.balance_nanos - credit.prepaid_nanos),
        "grants": grants,
        "below_usd": None if credit.below_nanos is None else format_usd(credit.below_nanos),
        "is_low": credit.is_low,
        "created_at": iso(credit.created_ms),
    }


def _transfer_fields(transfer: Transfer, names: Mapping[str, str]) -> dict[str, Any]:
    is_request = transfer.kind in ("cost", "charge")
    return {
        "at": iso(transfer.at_ms),
        "kind": transfer.kind,
        "debit": transfer.debit,
        "debit_name": account_name(transfer.debit, names),
        "credit": transfer.credit,
        "credit_name": account_name(transfer.credit, names),
        "usd": format_usd(transfer.amount_nanos),
        "request_id": format_id(transfer.entry_id) if is_request else None,
        "movement_id": None if is_request else format_movement_id(transfer.entry_id),
        "price_row": transfer.price_row,
    }
