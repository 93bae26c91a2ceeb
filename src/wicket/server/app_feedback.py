"""What a caller says of an answer: `POST /v1/feedback`, of their own requests only."""

from __future__ import annotations

from starlette.responses import Response

from wicket.errors import CallerFault
from wicket.server.admin_query import read_body
from wicket.server.app_house import Call, Routes
from wicket.server.example_query import NewFeedback
from wicket.wire.json import encode

_PARAMS = {
    "unknown_request": "request_id",
    "not_collected": "corrected",
    "ambiguous_correction": "corrected",
}


async def give(call: Call) -> Response:
    """A score, a corrected answer, or both; the last word of each kind counts."""
    said = await read_body(call.request, NewFeedback)
    try:
        known = await call.ask("feedback.add", said.arguments())
    except CallerFault as fault:
        fault.param = fault.param or _PARAMS.get(fault.code)
        raise
    return Response(encode(known), media_type="application/json")


ROUTES: Routes = [("/v1/feedback", "key", {"POST": give})]
