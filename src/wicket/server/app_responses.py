"""Answers of OpenAI's Responses API by their id: here, at the provider that keeps them, or nowhere.

Source: OpenAI's guide "Background mode"; its API reference, "responses" (retrieve, cancel, delete, items).
What a provider made in the background is settled by whoever sees first that it is over (`supervisor.dues`).
"""

from __future__ import annotations

from typing import Any, cast

import msgspec
from starlette.responses import Response

from wicket.accounts.cost import format_usd
from wicket.dialects.contract import LaterDialect, Progress, module
from wicket.errors import CallerFault, Fault, OperatorFault, UpstreamBroken
from wicket.gateway.pinned import KEEPER
from wicket.server.app_house import Call, Routes
from wicket.server.kept_query import Query, answer, asked_there, home_of, page_of, request_there, tenant
from wicket.server.kept_reply import ENDS, event_of, with_response
from wicket.server.later import outcome_of
from wicket.server.relay import EVENTS, relayed
from wicket.server.settling import settling
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
    """The answer as it is now; with `stream`, the events of one that was streamed in the background."""
    _check_mode(call)
    is_streamed = call.request.query_params.get("stream", "false") not in ("false", "0")
    if call.house.storage.responses == "local":
        if is_streamed:
            message = "A kept answer comes whole: leave 'stream' out."
            raise CallerFault("unsupported", message, param="stream")
        return answer(await _asked(call, "responses.get"))
    if is_streamed:
        return await _streamed(call)
    pin, seal = _pin(call)
    return await _shown(call, await _there(call, pin, seal, "GET", query=_query(call, "include")), pin, seal)


async def delete(call: Call) -> Response:
    """It is gone. What is still being made is called off first, or nobody would learn what it used."""
    _check_mode(call)
    if call.house.storage.responses == "local":
        if not await _asked(call, "responses.delete"):
            raise unknown_response()
        return answer({"id": _id(call), "object": "response", "deleted": True})
    pin, seal = _pin(call)
    if await call.ask("dues.has", {"tenant": tenant(call), "id": _id(call)}):
        found = _progress(await _there(call, pin, seal, "GET"))
        if not found.outcome:
            found = _progress(await _there(call, pin, seal, "POST", "cancel"))
        if not found.outcome:
            message = "The answer is still being made, and its provider has not called it off yet: try again."
            raise CallerFault("still_under_way", message, status=409, param="response_id")
        await _settle(call, found, waits=True)
    await _there(call, pin, seal, "DELETE")
    return answer({"id": _id(call), "object": "response", "deleted": True})


async def input_items_of(call: Call) -> Response:
    """What the answer was given for, a page of it."""
    _check_mode(call)
    query = call.request.query_params
    page = page_of(query, DEFAULT_PAGE, MAX_PAGE)
    if call.house.storage.responses == "provider":
        pin, seal = _pin(call)
        asked = _query(call, "limit", "after", "order", "include")
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
    return await _shown(call, await _there(call, pin, seal, "POST", "cancel"), pin, seal)


async def _shown(call: Call, response: bytes, pin: Pin, seal: Seal) -> Response:
    """A provider's response with its ids sealed, and what it cost if this is the first look at its end."""
    shown = answer(_sealed(response, pin, seal, tenant(call)))
    charge = await _settle(call, _progress(response))
    if charge is not None:
        shown.headers["x-wicket-cost-usd"] = format_usd(charge)
    return shown


async def _settle(call: Call, found: Progress, *, waits: bool = False) -> int | None:
    """The charge in nano-USD, if it is over and was not settled."""
    if not found.outcome:
        return None
    told = settling(tenant(call), _id(call), outcome_of(found), waits=waits)
    charge: int | None = await call.ask("dues.settle", told)
    return charge


async def _streamed(call: Call) -> Response:
    """The events behind `starting_after`, each with its ids sealed."""
    pin, seal = _pin(call)
    owner = tenant(call)
    query = [*_query(call, "starting_after", "include_obfuscation", "include"), ("stream", "true")]
    start = call.request.query_params.get("starting_after", "0")
    if not (start.isascii() and start.isdigit() and len(start) < 16):
        raise CallerFault(
            "invalid_value", "'starting_after' is the number of an event.", param="starting_after"
        )
    home = home_of(call.house, pin, seal)
    request = request_there(home, "GET", ("responses", pin.id), query, EVENTS)

    def shown(frame: bytes) -> bytes:
        found = event_of(frame)
        if found is None:
            return frame
        return with_response(frame, found[0], _sealed(found[1], pin, seal, owner))

    async def seen(frame: bytes) -> None:
        found = event_of(frame)
        if found is not None and found[0] in ENDS:
            await _settle(call, _progress(found[1]))

    try:
        return await relayed(call.house, home, request, shown, seen)
    except Fault as fault:
        raise (unknown_response() if fault.status == 404 else fault) from None


def _query(call: Call, *names: str) -> list[tuple[str, str]]:
    """Those of the caller's parameters that the provider is to have; some may come several times."""
    return [pair for pair in call.request.query_params.multi_items() if pair[0].removesuffix("[]") in names]


def _progress(response: bytes) -> Progress:
    """How far it is; what can't be read is not over."""
    try:
        return cast(LaterDialect, module(KEEPER)).progress(response)
    except UpstreamBroken:
        return Progress()


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


async def _there(call: Call, pin: Pin, seal: Seal, method: str, *more: str, query: Query = ()) -> bytes:
    path = ("responses", pin.id, *more)
    try:
        return await asked_there(call.house, home_of(call.house, pin, seal), method, path, query)
    except Fault as fault:
        if fault.status == 404:  # it has let go of it
            raise unknown_response() from None
        raise


def _sealed(response: bytes, pin: Pin, seal: Seal, owner: str) -> bytes:
    """A provider's response with both of its ids as they are known here. Raises `UpstreamBroken`."""
    try:
        links = json.decode(response, type=_Links)
    except msgspec.DecodeError:
        raise UpstreamBroken("malformed", "The provider's answer is no JSON object.") from None
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
