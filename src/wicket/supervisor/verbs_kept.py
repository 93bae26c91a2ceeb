"""What a worker may ask about what is kept: answers and files. Who the tenant is, the worker knows."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.state.files import unknown_file
from wicket.state.kept import KeptFile, KeptResponse
from wicket.state.responses import MAX_CHAIN_BYTES, unknown_response
from wicket.store.kept_contract import KeptStore, Page
from wicket.supervisor.verb import Arguments, House, Verb, now_ms

_MORE = 1  # one row beyond a page says whether there are more


async def responses_keep(house: House, arguments: Arguments, key_id: int) -> Any:
    """The fields of `KeptResponse` but `key_id` → whether it is kept now; committed when this answers."""
    kept = KeptResponse(key_id=key_id, **arguments)
    return await house.keeper.do(lambda store: store.keep_response(kept))


async def responses_chain(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → the answer behind all that it went on from, oldest first; None if one is missing."""

    def look(store: KeptStore) -> list[KeptResponse] | None:
        found = store.chain(arguments["tenant"], arguments["id"])
        if sum(len(kept.items) + len(kept.answer) for kept in found or ()) > 2 * MAX_CHAIN_BYTES:
            message = "The conversation is too long to go on from: begin a new one."
            raise CallerFault("conversation_too_long", message, param="previous_response_id")
        return found

    return await house.keeper.do(look)


async def responses_get(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → the response object as JSON. Raises `CallerFault` (404)."""
    found = await house.keeper.do(lambda store: store.response(arguments["tenant"], arguments["id"]))
    if found is None:
        raise unknown_response()
    return found.answer


async def responses_delete(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → whether there was one."""
    return await house.keeper.do(lambda store: store.delete_response(arguments["tenant"], arguments["id"]))


async def files_room(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant` → how many bytes it may still put into files."""
    used = await house.keeper.do(lambda store: store.used_bytes(arguments["tenant"]))
    return max(0, house.keeper.storage.team_bytes - used)


async def files_add(house: House, arguments: Arguments, key_id: int) -> Any:
    """The fields of `KeptFile` and `incoming`, the name of its content → the file. Raises `CallerFault`.

    Row and content are there together or not at all.
    """
    incoming = arguments.pop("incoming")
    file, keeper = KeptFile(**arguments), house.keeper

    def add(store: KeptStore) -> KeptFile:
        is_added = False
        try:
            keeper.contents.adopt(incoming, file.digest)
            is_added = store.add_file(file, keeper.storage.team_bytes)
        finally:
            if not is_added:
                keeper.contents.refuse(incoming)
                keeper.release(store, file)
        if not is_added:
            message = (
                f"Your files would take more than the {keeper.storage.team_bytes:,} bytes that they may."
            )
            raise CallerFault("quota_exceeded", message + " Delete some.", status=413, param="file")
        return file

    return await keeper.do(add)


async def files_get(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → the file. Raises `CallerFault` (404)."""
    found = await house.keeper.do(lambda store: store.file(arguments["tenant"], arguments["id"]))
    if found is None or 0 < found.expires_ms <= now_ms():
        raise unknown_file()
    return found


async def files_list(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant` and the fields of `Page` → the files, and whether there are more."""
    tenant, page = arguments.pop("tenant"), Page(**arguments)
    more = msgspec.structs.replace(page, limit=page.limit + _MORE)
    found = await house.keeper.do(lambda store: store.files(tenant, more))
    return {"rows": found[: page.limit], "has_more": len(found) > page.limit}


async def files_delete(house: House, arguments: Arguments, key_id: int) -> Any:
    """`tenant`, `id` → whether there was one; its content goes with it."""

    def delete(store: KeptStore) -> bool:
        gone = store.delete_file(arguments["tenant"], arguments["id"])
        if gone is not None:
            house.keeper.release(store, gone)
        return gone is not None

    return await house.keeper.do(delete)


KEPT_VERBS: dict[str, Verb] = {
    "responses.keep": responses_keep,
    "responses.chain": responses_chain,
    "responses.get": responses_get,
    "responses.delete": responses_delete,
    "files.room": files_room,
    "files.add": files_add,
    "files.get": files_get,
    "files.list": files_list,
    "files.delete": files_delete,
}
