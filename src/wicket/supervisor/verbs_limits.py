"""What a worker may ask about limits and budgets: list, set, remove, and how a caller stands by its own.

A scope is named by kind and by name or public id: `{"kind": "team", "name": "research"}`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from wicket.accounts.callers import Caller
from wicket.accounts.meters import FIXED, MINUTE, NANOS, Meter
from wicket.accounts.scopes import KINDS, scopes_of
from wicket.accounts.windows import FOR_EVER, window_at
from wicket.errors import CallerFault
from wicket.store.limits_contract import ScopeName
from wicket.supervisor.allowances import Allowances, spent_now
from wicket.supervisor.verb import Arguments, House, Verb, iso, now_ms

_NOUNS = {"limits": "limit", "budgets": "budget"}


async def meters_list(house: House, arguments: Arguments, key_id: int) -> Any:
    """`what` ("limits" or "budgets"), a scope or none → each with how it stands."""
    return await list_meters(house, arguments, await asyncio.to_thread(house.store.scope_names))


async def meters_set(house: House, arguments: Arguments, key_id: int) -> Any:
    """A scope and `unit`, `amount`, `window`, `model`, `zone`, `is_soft` → the limit or budget as it stands.

    One of the same scope, model, unit, window and softness gets another amount.
    """
    return await set_meter(house, arguments, await asyncio.to_thread(house.store.scope_names))


async def meters_remove(house: House, arguments: Arguments, key_id: int) -> Any:
    """`what` and `id` → the fields of what is no more."""
    what, id = arguments["what"], meter_id(arguments)
    gone = await asyncio.to_thread(house.store.remove_meter, id) if id else None
    if gone is None:
        raise unknown_meter(what, arguments["id"])
    names = await asyncio.to_thread(house.store.scope_names)
    fields = await _fields(house, gone, names)
    if house.allowances is not None:
        house.allowances.remove(gone.id)
    return fields


async def key_show(house: House, arguments: Arguments, key_id: int) -> Any:
    """How the calling key stands: its limits, its budgets, its credit; of nobody else's anything."""
    if not key_id:
        return {"name": "admin", "models": [], "expires_ms": 0, "limits": [], "budgets": [], "credit": None}
    keys = await asyncio.to_thread(house.store.list_keys)
    key = next((one for one in keys if one.id == key_id), None)
    if key is None:
        raise CallerFault("unknown_key", "This key is not known any more.", status=404)
    scopes = scopes_of(key.caller())
    names = [ScopeName(scope, "", "") for scope in scopes]
    found = [meter for meter in await asyncio.to_thread(house.store.meters) if meter.scope in scopes]
    shown = [await _fields(house, meter, names) for meter in found]
    for one in shown:
        del one["scope_id"], one["name"]
    return {
        "id": key.public_id,
        "name": key.name,
        "team": key.team,
        "models": list(key.models),
        "expires_ms": key.expires_ms,
        "limits": [one for one, meter in zip(shown, found, strict=True) if _is(meter, "limits")],
        "budgets": [one for one, meter in zip(shown, found, strict=True) if _is(meter, "budgets")],
        "credit": _credit(house, key.caller()),
    }


LIMIT_VERBS: dict[str, Verb] = {
    "limits.list": meters_list,
    "limits.set": meters_set,
    "limits.remove": meters_remove,
    "budgets.list": meters_list,
    "budgets.set": meters_set,
    "budgets.remove": meters_remove,
    "key.show": key_show,
}


async def list_meters(
    house: House, arguments: Arguments, names: list[ScopeName], *, is_all: bool = True
) -> list[dict[str, Any]]:
    """What `meters_list` answers with; scopes go by these names. Not `is_all`: of these scopes alone."""
    scopes = {find_scope(arguments, names)} if arguments.get("kind") else set()
    if not is_all and not scopes:
        scopes = {one.scope for one in names}
    found = [meter for meter in await asyncio.to_thread(house.store.meters) if _is(meter, arguments["what"])]
    return [
        await _fields(house, meter, names)
        for meter in found
        if meter.scope in scopes or (is_all and not scopes)
    ]


async def set_meter(house: House, arguments: Arguments, names: list[ScopeName]) -> dict[str, Any]:
    """What `meters_set` answers with; the scope goes by one of these names."""
    meter = Meter(
        id="",
        scope=find_scope(arguments, names),
        unit=arguments["unit"],
        amount=arguments["amount"],
        window=arguments.get("window", ""),
        model=arguments.get("model", ""),
        zone=arguments.get("zone", "UTC"),
        is_soft=arguments.get("is_soft", False),
    )
    window_at(meter.window, meter.zone, now_ms())  # a zone that there is
    before = {one.id for one in await asyncio.to_thread(house.store.meters)}
    kept = await asyncio.to_thread(house.store.put_meter, meter, now_ms())
    allowances = house.allowances
    if allowances is not None:
        spent = 0
        if kept.id not in before and kept.window in FIXED:
            since_ms = window_at(kept.window, kept.zone, now_ms())[0]
            spent = allowances.sum_of(kept, await asyncio.to_thread(house.store.spent, since_ms))
        allowances.put(kept, spent)
        await _forget_replaced(house, allowances)
    return await _fields(house, kept, names)


def find_scope(arguments: Arguments, names: list[ScopeName]) -> str:
    """The scope that `kind` and `name` mean; of several with one name the newest. Raises `CallerFault`."""
    kind, name = arguments["kind"], arguments["name"]
    if kind not in KINDS:
        raise CallerFault("invalid_value", f"A scope is one of {', '.join(KINDS)}.", param="scope")
    for one in reversed(names):
        if one.scope.startswith(f"{kind}:") and name in (one.public_id, one.name):
            return one.scope
    raise CallerFault(f"unknown_{kind}", f"There is no {kind} {name[:80]!r}.", status=404, param=kind)


def meter_id(arguments: Arguments) -> str:
    """A meter's id as the store has it; "" for what is not an id of `what`."""
    id: str = arguments["id"].replace("_", ":", 1)
    return id if id.startswith(f"{_NOUNS[arguments['what']]}:") else ""


def unknown_meter(what: str, id: str) -> CallerFault:
    """There is none, or it is somebody else's: the same answer."""
    noun = _NOUNS[what]
    message = f"There is no {noun} {id[:80]!r}; `wicket {what} list` shows them."
    return CallerFault(f"unknown_{noun}", message, status=404)


def _credit(house: House, caller: Caller) -> dict[str, Any] | None:
    """The nearest prepaid credit: its balance, and what of it no request under way holds."""
    allowances = house.allowances
    if allowances is None:
        return None
    for id in allowances.meters_of(caller):
        found = allowances.stock(id)
        if found is not None and found[0].meter.is_credit:
            stock, now = found
            balance, free = stock.balance, stock.free(now)
            return {"scope": _kind(stock.meter), "balance_nanos": balance, "available_nanos": free}
    return None


async def _forget_replaced(house: House, allowances: Allowances) -> None:
    """One whose zone was changed is another now."""
    kept = {one.id for one in await asyncio.to_thread(house.store.meters)}
    for id in [id for id, meter in allowances.meters.items() if id not in kept and not meter.is_credit]:
        allowances.remove(id)


async def _fields(house: House, meter: Meter, names: list[ScopeName]) -> dict[str, Any]:
    """A limit or budget as people and programs see it, with how much is used and left."""
    named = {one.scope: one for one in names}.get(meter.scope, ScopeName(meter.scope, "", ""))
    used, resets_ms = await _standing(house, meter)
    return {
        "id": meter.id.replace(":", "_", 1),
        "scope": _kind(meter),
        "scope_id": named.public_id,
        "name": named.name,
        "model": meter.model,
        "unit": meter.unit,
        "amount": meter.amount,
        "window": meter.window,
        "zone": meter.zone,
        "is_soft": meter.is_soft,
        "used": used,
        "remaining": None if used is None else max(0, meter.amount - used),
        "resets_at": iso(resets_ms),
    }


async def _standing(house: House, meter: Meter) -> tuple[int | None, int]:
    """What is used, None where only a running server knows, and when it is full again (Unix ms, 0: never)."""
    found = None if house.allowances is None else house.allowances.stock(meter.id)
    if found is not None:
        stock, now = found
        if meter.window in FIXED:
            stock.free(now)
            return stock.spent, stock.resets_ms(now)
        if meter.window == MINUTE:
            return meter.amount - stock.level(now), stock.resets_ms(now)
        return stock.num_out, 0
    if meter.window not in FIXED:
        return None, 0
    keys = await asyncio.to_thread(house.store.list_keys)
    scopes = {key.id: scopes_of(key.caller()) for key in keys}
    end_ms = window_at(meter.window, meter.zone, now_ms())[1]
    used = await asyncio.to_thread(spent_now, house.store, meter, scopes)
    return used, end_ms if end_ms < FOR_EVER else 0


def _is(meter: Meter, what: str) -> bool:
    return (meter.unit == NANOS) == (what == "budgets")


def _kind(meter: Meter) -> str:
    return meter.scope.partition(":")[0]
