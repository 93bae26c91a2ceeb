"""The cookie of a signed-in browser, and what a request must show before its cookie counts.

A cookie comes along by itself, also with requests that another site's page makes. So a request that changes
something must come from our own page by its `Origin` or `Sec-Fetch-Site` and repeat a token that only our own
page can have read (OWASP, Cross-Site Request Forgery Prevention Cheat Sheet).
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from wicket.accounts.networks import client_address, is_inside, is_loopback
from wicket.errors import PermissionFault
from wicket.server.app_house import House
from wicket.supervisor.messages import Asker

SECURE_COOKIE = "__Host-wicket"
PLAIN_COOKIE = "wicket_session"
CSRF_HEADER = "x-wicket-csrf"
REQUEST_ID = "wicket.request_id"
_SAFE = ("GET", "HEAD", "OPTIONS")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_CSRF_LABEL = b"wicket csrf"


def client_of(house: House, request: Request) -> str:
    """The client's address: the socket's peer, or what trusted proxies say; "" if it is not known."""
    peer = request.client.host if request.client is not None else ""
    return client_address(peer, request.headers.getlist("x-forwarded-for"), house.trusted_proxies)


def is_secure(house: House, request: Request) -> bool:
    """Whether the browser speaks TLS: to us, or to a proxy that we trust."""
    if request.url.scheme == "https":
        return True
    peer = request.client.host if request.client is not None else ""
    if not house.trusted_proxies or not is_inside(peer, house.trusted_proxies):
        return False
    return request.headers.get("x-forwarded-proto", "").partition(",")[0].strip() == "https"


def has_local_name(request: Request) -> bool:
    """Whether the browser calls us by a name that only this machine has, so no stranger's DNS led it here."""
    return _host_of(f"//{request.headers.get('host', '')}") in _LOCAL_NAMES


def asker_of(house: House, request: Request, token: str = "") -> Asker:
    """Who asks, as the supervisor is told. `token` is the session's text."""
    address = client_of(house, request)
    return Asker(
        session=hashlib.sha256(token.encode()).digest() if token else b"",
        address=address,
        agent=request.headers.get("user-agent", "")[:200],
        request_id=request.scope.get(REQUEST_ID, ""),
        is_local=is_loopback(address) and has_local_name(request),
    )


def session_token(request: Request) -> str:
    """The text in the session's cookie, "" if there is none."""
    cookies = request.cookies
    return cookies.get(SECURE_COOKIE) or cookies.get(PLAIN_COOKIE) or ""


def csrf_token(token: str) -> str:
    """What a page must repeat with each change; made of the session's text, so nothing is kept of it."""
    return hmac.new(token.encode(), _CSRF_LABEL, hashlib.sha256).hexdigest()


def check_origin(house: House, request: Request, *, is_required: bool) -> None:
    """Raises `PermissionFault` for a change that another site's page asks for.

    `is_required`: one of the two headers must be there, as every browser sends them with a POST.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_foreign = site is not None and site not in ("same-origin", "none")
    if origin is not None and not _is_ours(house, request, origin):
        is_foreign = True
    if is_foreign or (is_required and site is None and origin is None):
        raise PermissionFault("cross_site", "A change with a session must come from this server's own page.")


def check_csrf(house: House, request: Request, token: str) -> None:
    """Raises `PermissionFault` for a change whose cookie may have come along by itself."""
    if request.method in _SAFE:
        return
    check_origin(house, request, is_required=True)
    given = request.headers.get(CSRF_HEADER, "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, csrf_token(token).encode()):
        message = f"A change with a session needs the header {CSRF_HEADER}: 'csrf' of GET /auth/v1/session."
        raise PermissionFault("csrf_token", message, param=CSRF_HEADER)


def check_transport(house: House, request: Request) -> None:
    """Raises `PermissionFault` before a password crosses a network in clear a second time."""
    if is_secure(house, request) or has_local_name(request) or house.allows_plain_http:
        return
    message = (
        "Signing in takes HTTPS, or a browser on the server's own machine. Behind a proxy with TLS, name it "
        "in server.trusted_proxies; accounts.allow_plain_http = true does without."
    )
    raise PermissionFault("insecure_transport", message)


def set_cookie(house: House, request: Request, response: Response, token: str, max_age_s: int) -> None:
    """Give the browser its session; `token` "" takes it back. Neither scripts nor other sites see it."""
    is_tls = is_secure(house, request)
    for name, secure in ((SECURE_COOKIE, True), (PLAIN_COOKIE, False)):
        if token and secure == is_tls:
            response.set_cookie(
                name, token, max_age=max_age_s, path="/", secure=secure, httponly=True, samesite="strict"
            )
        elif name in request.cookies:
            response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="strict")


def _is_ours(house: House, request: Request, origin: str) -> bool:
    """Whether a page of that origin came from us: the same scheme, host and port as this request's."""
    scheme = "https" if is_secure(house, request) else "http"
    return origin.lower() == f"{scheme}://{request.headers.get('host', '')}".lower()


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
