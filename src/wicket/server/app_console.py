"""The page at `/` and its files below `/console/`, under a policy that loads nothing from elsewhere."""

from __future__ import annotations

from starlette.responses import Response

from wicket.console import INDEX, Asset, assets
from wicket.errors import CallerFault
from wicket.server.app_house import Call, Routes

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cache-control": "no-cache",
    "vary": "accept-encoding",
}


async def page(call: Call) -> Response:
    """`GET /`."""
    return _answer(call, assets()[INDEX])


async def file(call: Call) -> Response:
    """`GET /console/…`; names are looked up, never opened."""
    asset = assets().get(call.request.path_params["name"])
    if asset is None:
        raise CallerFault("not_found", "The page has no such file.", status=404)
    return _answer(call, asset)


def _answer(call: Call, asset: Asset) -> Response:
    headers = call.request.headers
    told = {**HEADERS, "etag": asset.etag}
    if headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=told)
    if "gzip" in headers.get("accept-encoding", ""):
        return Response(
            asset.packed, media_type=asset.media_type, headers={**told, "content-encoding": "gzip"}
        )
    return Response(asset.body, media_type=asset.media_type, headers=told)


ROUTES: Routes = [("/", "open", {"GET": page}), ("/console/{name:path}", "open", {"GET": file})]
