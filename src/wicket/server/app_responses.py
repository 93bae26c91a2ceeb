"""Answers of OpenAI's Responses API by their id: here, at the provider that keeps them, or nowhere."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from wicket.errors import CallerFault, Fault, OperatorFault
from wicket.server.app_house import Call, Routes
from wicket.server.kept_query import answer, asked_there, home_of, page_of, tenant
from wicket.state.kept import KeptResponse
from wicket.state.responses import (
    DEFAULT_PAGE,
    MAX_PAGE,
    PREFIX,
    PREVIOUS,
    edited,
    input_items,
    item_page,
    unknown_response,
)
from wicket.state.seal import Pin, Seal
from wicket.wire import json

_NOT_KEPT = (
    "Responses are not kept here: an answer comes once, whole or as a stream. Send the conversation's items "
    "with each request instead, or have the operator set [storage] responses."
)
_NOT_BACKGROUND = "Only answers made in the background can be called off, and this one was not."


class _Links(msgspec.Struct):
    id: Any = None
    previous_response_id: Any = None


async def get(call: Call) -> Response:
    """The answer as it was given."""
    _check_mode(call)
    if call.request.query_params.get("stream", "false") not in ("false", "0"):
        message = "A kept answer comes whole: leave 'stream' out."
        raise CallerFault("unsupported", message, param="stream")
    if call.house.storage.responses == "local":
        return answer(await _asked(call, "responses.get"))
    pin, seal = _pin(call)
    found = await _there(call, pin, seal, "GET")
    return answer(_sealed(found, pin, seal, tenant(call)))


async def delete(call: Call) -> Response:
    """It is gone."""
    _check_mode(call)
    if call.house.storage.responses == "local":
        if not await _asked(call, "responses.delete"):
            raise unknown_response()
    else:
        pin, seal = _pin(call)
        await _there(call, pin, seal, "DELETE")
    return answer({"id": _id(call), "object": "response", "deleted": True})


async def input_items_of(call: Call) -> Response:
    """What the answer was given for, a page of it."""
    _check_mode(call)
    query = call.request.query_params
    page = page_of(query, DEFAULT_PAGE, MAX_PAGE)
    if call.house.storage.responses == "provider":
        pin, seal = _pin(call)
        asked = {name: query[name] for name in ("limit", "after", "order") if name in query}
        return answer(await _there(call, pin, seal, "GET", "input_items", query=asked))
    told = await _asked(call, "responses.chain")
    if told is None:
        raise unknown_response()
    items = input_items(msgspec.convert(told, list[KeptResponse]))
    return answer(item_page(items, page["limit"], page["after"], page["is_oldest_first"]))


async def cancel(call: Call) -> Response:
    """Only a provider makes answers in the background."""
    _check_mode(call)
    if call.house.storage.responses == "local":
        await _asked(call, "responses.get")
        raise CallerFault("not_in_background", _NOT_BACKGROUND, param="response_id")
    pin, seal = _pin(call)
    return answer(_sealed(await _there(call, pin, seal, "POST", "cancel"), pin, seal, tenant(call)))


def _id(call: Call) -> str:
    found: str = call.request.path_params["id"]
    return found


def _check_mode(call: Call) -> None:
    if call.house.storage.responses == "off":
        raise CallerFault("not_kept", _NOT_KEPT, status=404, param="response_id")


async def _asked(call: Call, verb: str) -> Any:
    try:
        return await call.ask(verb, {"tenant": tenant(call), "id": _id(call)})
    except Fault as fault:
        if fault.status == 404:
            raise unknown_response() from None  # with its field, which does not cross the channel
        raise


def _pin(call: Call) -> tuple[Pin, Seal]:
    """Where the answer lives. Raises the fault for an unknown id if it is no id of ours for this tenant."""
    seal = call.house.seal
    if seal is None:
        raise OperatorFault("seal_key", "The key of kept ids can't be read; the operator must act.")
    pin = seal.open(PREFIX, tenant(call), _id(call))
    if pin is None:
        raise unknown_response()
    return pin, seal


async def _there(
    call: Call, pin: Pin, seal: Seal, method: str, *more: str, query: dict[str, str] | None = None
) -> bytes:
    path = ("responses", pin.id, *more)
    try:
        return await asked_there(call, home_of(call, pin, seal), method, path, query or {})
    except Fault as fault:
        if fault.status == 404:  # it has let go of it
            raise unknown_response() from None
        raise


def _sealed(response: bytes, pin: Pin, seal: Seal, owner: str) -> bytes:
    """A provider's response with both of its ids as they are known here."""
    links = json.decode(response, type=_Links)
    edits: dict[str, object] = {}
    for name, value in (("id", links.id), (PREVIOUS, links.previous_response_id)):
        if isinstance(value, str) and value:
            edits[name] = seal.seal(PREFIX, owner, msgspec.structs.replace(pin, id=value))
    return edited(response, edits)


ROUTES: Routes = [
    ("/v1/responses/{id}", "key", {"GET": get, "DELETE": delete}),
    ("/v1/responses/{id}/cancel", "key", {"POST": cancel}),
    ("/v1/responses/{id}/input_items", "key", {"GET": input_items_of}),
]
