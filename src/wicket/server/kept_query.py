"""What the routes of kept things share: whose they are, pages, and a provider that keeps something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from wicket.dialects.contract import REMOTE_ID, module
from wicket.errors import CallerFault, OperatorFault, UnknownModelFault, UpstreamBroken
from wicket.gateway.pinned import KEEPER, is_home_of
from wicket.routing.deployment import Deployment
from wicket.server.app_house import Call, House
from wicket.state.seal import Pin, Seal
from wicket.state.tenant import tenant_of
from wicket.upstream.request_head import complete, head, without_body
from wicket.wire.json import encode

MAX_LIMIT = 10_000
_JSON = "application/json"
Query = Sequence[tuple[str, str]]


def tenant(call: Call) -> str:
    """Whose things the caller sees."""
    return tenant_of(call.caller.key_id, call.caller.team_id, call.caller.team)


def answer(document: Any) -> Response:
    """A JSON answer; bytes are JSON already."""
    return Response(document if isinstance(document, bytes) else encode(document), media_type=_JSON)


def page_of(query: Mapping[str, str], limit: int, most: int = MAX_LIMIT) -> dict[str, Any]:
    """`limit`, `after`, `order` as a page's fields. Raises `CallerFault`."""
    text = query.get("limit", "")
    if text:
        limit = int(text) if text.isdecimal() and text.isascii() and len(text) < 9 else 0
        if not 1 <= limit <= most:
            raise CallerFault("invalid_value", f"'limit' must be from 1 to {most}.", param="limit")
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise CallerFault("invalid_value", "'order' must be asc or desc.", param="order")
    return {"limit": limit, "after": query.get("after", "")[:200], "is_oldest_first": order == "asc"}


def home_of(house: House, pin: Pin, seal: Seal, dialects: Sequence[str] = (KEEPER,)) -> Deployment:
    """The provider and credential of a pin. Raises `OperatorFault` where they are not configured any more."""
    try:
        found = house.snapshot.resolve(f"{pin.provider}/any").deployments
    except UnknownModelFault:
        found = ()
    for deployment in found:
        if deployment.dialect in dialects and is_home_of(deployment, pin, seal):
            return deployment
    message = f"This is kept at {pin.provider}, which is configured no more, or with another credential."
    raise OperatorFault("keeper_gone", message)


async def asked_there(
    house: House, deployment: Deployment, method: str, path: tuple[str, ...], query: Query = ()
) -> bytes:
    """What a provider says of a thing that it keeps. Raises the fault that it answers with."""
    request = request_there(deployment, method, path, query)
    found = await house.fetch(deployment.origin, request)
    if not 200 <= found.status < 300:
        raise module(deployment.dialect).judge(found.status, dict(found.headers), found.body)
    return found.body


def request_there(
    deployment: Deployment,
    method: str,
    path: tuple[str, ...],
    query: Query = (),
    accept: str = _JSON,
    body: tuple[str, bytes] = ("", b""),
) -> bytes:
    """The request itself; `body` is its type and bytes.

    Raises `UpstreamBroken` for a part that could be more than one step of a path."""
    if not all(REMOTE_ID.fullmatch(part) for part in path):
        raise UpstreamBroken("malformed", "The provider gave this an id that can't be asked for.")
    target = f"{deployment.base_path}/" + "/".join([quote(part, safe="") for part in path])
    words = "&".join([part for part in (deployment.query, urlencode(tuple(query))) if part])
    kind = (("content-type", body[0]),) if body[0] else ()
    headers = (*deployment.headers, ("accept", accept), ("user-agent", "wicket"), *kind)
    lines = head(method, f"{target}?{words}" if words else target, deployment.origin, headers)
    return complete(lines, body[1]) if method == "POST" else without_body(lines)
