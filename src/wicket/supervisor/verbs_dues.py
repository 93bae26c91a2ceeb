"""What a worker may say of what providers work on: that it has begun, that it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from wicket.accounts.late import Outcome
from wicket.errors import StoreFault
from wicket.state.kept import KeptDue
from wicket.supervisor.verb import Arguments, House, Verb

if TYPE_CHECKING:
    from wicket.supervisor.dues import Dues


def _dues(house: House) -> Dues:
    if house.dues is None:
        raise StoreFault("store_opening", "The database is being opened. Try again in a moment.")
    return house.dues


async def dues_add(house: House, arguments: Arguments, key_id: int) -> Any:
    """`due`, a packed `KeptDue`; committed when this answers. Raises `StoreFault`."""
    await _dues(house).add(msgspec.msgpack.decode(arguments["due"], type=KeptDue))


async def dues_settle(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id`, `outcome` (packed), `waits` → the charge in nano-USD; None if nothing is due of it."""
    outcome = msgspec.msgpack.decode(arguments["outcome"], type=Outcome)
    tenant, id = arguments["tenant"], arguments["id"]
    return await _dues(house).settle(tenant, id, outcome, waits=arguments["waits"])


async def dues_get(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → what is due of it, packed; None if nothing is."""
    found = await _dues(house).find(arguments["tenant"], arguments["id"])
    return None if found is None else msgspec.msgpack.encode(found)


async def dues_has(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → whether something is due of it."""
    return await _dues(house).has(arguments["tenant"], arguments["id"])


DUE_VERBS: dict[str, Verb] = {
    "dues.add": dues_add,
    "dues.settle": dues_settle,
    "dues.has": dues_has,
    "dues.get": dues_get,
}
