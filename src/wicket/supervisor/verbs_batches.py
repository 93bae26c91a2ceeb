"""What a worker may ask about batches: make one, look, list, call one off."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.errors import CallerFault, StoreFault
from wicket.state.batches import PREFIX, unknown_batch
from wicket.state.files import unknown_file
from wicket.state.kept import KeptBatch, KeptDue
from wicket.state.tenant import new_id
from wicket.store.kept_contract import UNFINISHED, KeptStore, Page
from wicket.supervisor.verb import Arguments, House, Verb, now_ms

MAX_UNFINISHED = 100  # batches of one tenant at a time


async def batches_create(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `endpoint`, `input_file`, `metadata` → the batch. Raises `CallerFault`."""
    batch = KeptBatch(id=new_id(PREFIX), created_ms=now_ms(), caller=key_id, **arguments)

    def create(store: KeptStore) -> KeptBatch:
        file = store.file(batch.tenant, batch.input_file)
        if file is None:
            fault = unknown_file()
            fault.param = "input_file_id"
            raise fault
        if file.purpose != "batch":
            message = 'The file was not uploaded with the purpose "batch".'
            raise CallerFault("invalid_value", message, param="input_file_id")
        if sum(each.tenant == batch.tenant for each in store.unfinished()) >= MAX_UNFINISHED:
            raise _too_many()
        store.put_batch(batch)
        return batch

    made = await house.keeper.do(create)
    house.keeper.wake()
    return made


async def batches_begin(house: House, arguments: Arguments, key_id: int) -> Any:
    """`batch` and `due`, packed, of a batch that a provider is about to run.

    The due is committed first: what is seen of a batch is settled in the end. Raises `CallerFault`, and
    `StoreFault` where that can't be.
    """
    batch = msgspec.msgpack.decode(arguments["batch"], type=KeptBatch)

    def check(store: KeptStore) -> None:
        if sum(each.tenant == batch.tenant for each in store.unfinished()) >= MAX_UNFINISHED:
            raise _too_many()

    await house.keeper.do(check)
    if house.dues is None:
        raise StoreFault("store_opening", "The database is being opened. Try again in a moment.")
    await house.dues.add(msgspec.msgpack.decode(arguments["due"], type=KeptDue))
    await house.keeper.do(lambda store: store.put_batch(batch))


async def batches_seen(house: House, arguments: Arguments, key_id: int) -> Any:
    """`batch`, packed, as its provider shows it → as it is kept now: what is over stays as it is."""
    batch = msgspec.msgpack.decode(arguments["batch"], type=KeptBatch)

    def put(store: KeptStore) -> KeptBatch:
        there = store.batch(batch.tenant, batch.id)
        if there is None or there.status not in UNFINISHED:
            return there or batch
        store.put_batch(batch)
        return batch

    return await house.keeper.do(put)


async def batches_get(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → the batch. Raises `CallerFault` (404)."""
    found = await house.keeper.do(lambda store: store.batch(arguments["tenant"], arguments["id"]))
    if found is None:
        raise unknown_batch()
    return found


async def batches_list(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant` and the fields of `Page` → the batches, and whether there are more."""
    tenant, page = arguments.pop("tenant"), Page(**arguments)
    more = msgspec.structs.replace(page, limit=page.limit + 1)
    found = await house.keeper.do(lambda store: store.batches(tenant, more))
    return {"rows": found[: page.limit], "has_more": len(found) > page.limit}


async def batches_cancel(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → the batch, on its way to its end. Raises `CallerFault` for one that is over."""

    def cancel(store: KeptStore) -> KeptBatch:
        found = store.batch(arguments["tenant"], arguments["id"])
        if found is None:
            raise unknown_batch()
        if found.status not in UNFINISHED:
            message = f"The batch is over: {found.status}."
            raise CallerFault("batch_over", message, status=409, param="batch_id")
        if found.status in ("validating", "in_progress"):
            moments = found.moments | {"cancelling_at": now_ms() // 1_000}
            found = msgspec.structs.replace(found, status="cancelling", moments=moments)
            store.put_batch(found)
        return found

    found = await house.keeper.do(cancel)
    house.keeper.wake()
    return found


def _too_many() -> CallerFault:
    message = f"No more than {MAX_UNFINISHED} batches are worked on at a time."
    return CallerFault("too_many_batches", message, status=429)


BATCH_VERBS: dict[str, Verb] = {
    "batches.begin": batches_begin,
    "batches.seen": batches_seen,
    "batches.create": batches_create,
    "batches.get": batches_get,
    "batches.list": batches_list,
    "batches.cancel": batches_cancel,
}
