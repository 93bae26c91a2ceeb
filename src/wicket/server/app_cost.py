"""`POST /v1/cost/estimate`: what a request would cost, before anybody is asked."""

from __future__ import annotations

import time
from functools import cache
from typing import Annotated, Any

import msgspec
from starlette.responses import Response

from wicket.accounts.bounds import count_parts
from wicket.accounts.callers import Caller
from wicket.config.check import known_dialects
from wicket.dialects.contract import Api
from wicket.dialects.openai_chat import CHAT
from wicket.dialects.translation import heard
from wicket.errors import CallerFault
from wicket.gateway.admit import admit
from wicket.gateway.call import Arrival
from wicket.gateway.estimating import estimate
from wicket.gateway.planning import Situation
from wicket.gateway.request import Rates
from wicket.gateway.resolve import Routes
from wicket.server.admin_query import read_body
from wicket.server.app_house import Call
from wicket.server.app_house import Routes as Paths
from wicket.server.ingress import Ingress
from wicket.wire.json import encode

MAX_BYTES = 4 * 1024 * 1024
TEXT_DOCUMENTS = ("cohere",)  # dialects whose documents are texts in the request
MAX_PER_DAY = 1e12


class NewEstimate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be estimated: the body that `api` would get.

    `api` is the name that records have, or the path that the request would be sent to; `model` stands in for
    the request's own, and is needed where that would be in the path.
    """

    request: msgspec.Raw
    api: Annotated[str, msgspec.Meta(min_length=1, max_length=300)] = CHAT.name
    model: Annotated[str, msgspec.Meta(max_length=300)] = ""
    requests_per_day: Annotated[float, msgspec.Meta(ge=0, le=MAX_PER_DAY)] | None = None


async def estimate_cost(call: Call) -> Response:
    """The estimate; any key may ask, for the models that it may call."""
    asked = await read_body(call.request, NewEstimate, MAX_BYTES)
    document = call.house.estimate(asked, call.caller)
    return Response(encode(document), media_type="application/json")


def estimated(
    asked: NewEstimate, caller: Caller, now: Situation, routes: Routes, rates: Rates
) -> dict[str, Any]:
    """The document. Raises `CallerFault` naming the field, as the request itself would."""
    api, model = find_api(asked.api)
    body = bytes(asked.request)
    if not body.startswith(b"{"):
        raise CallerFault("invalid_type", "'request' must be an object.", param="request")
    unix_ms = time.time_ns() // 1_000_000
    arrival = Arrival(
        api=api,
        headers={},
        body=body,
        id=unix_ms << 21,
        started_us=time.monotonic_ns() // 1_000,
        unix_ms=unix_ms,
        model=asked.model or model,
        is_streamed=False,
    )
    call = admit(arrival, caller, routes)
    parts = count_parts(body, has_text_documents=api.dialect in TEXT_DOCUMENTS)
    return estimate(now, call, rates, parts, asked.requests_per_day)


def find_api(name: str) -> tuple[Api, str]:
    """The API of that name or behind that path, and the model in the path. Raises `CallerFault`."""
    doors = _doors()
    if name.startswith("/"):
        entered = doors.find(name.removeprefix("/openai").encode())
        if entered is not None:
            return entered.door.api, entered.model
    elif name in doors.apis:
        return doors.apis[name], ""
    message = f"There is no API {name[:80]!r} here; there are {', '.join(doors.apis)}, or their paths."
    raise CallerFault("invalid_value", message, param="api")


@cache
def _doors() -> Ingress:
    default = heard(CHAT.dialect)
    assert default is not None
    return Ingress(known_dialects(), default)


ROUTES: Paths = [("/v1/cost/estimate", "key", {"POST": estimate_cost})]
