"""What OpenAI's Responses API keeps and Wicket does not: answers by their id."""

from __future__ import annotations

from starlette.responses import Response

from wicket.errors import CallerFault
from wicket.server.app_house import Call, Routes

_MESSAGE = (
    "Responses are not kept here: an answer comes once, whole or as a stream. Send the conversation's items "
    "with each request instead."
)


async def not_kept(call: Call) -> Response:
    """A 404 in OpenAI's shape."""
    raise CallerFault("not_kept", _MESSAGE, status=404, param="response_id")


ROUTES: Routes = [
    ("/v1/responses/{id}", "key", {"GET": not_kept, "DELETE": not_kept}),
    ("/v1/responses/{id}/cancel", "key", {"POST": not_kept}),
    ("/v1/responses/{id}/input_items", "key", {"GET": not_kept}),
]
