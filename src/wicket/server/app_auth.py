"""Signing up, in and out over HTTP. A session's text leaves in a cookie and nowhere else.

Verbs: `auth.sign_up`, `auth.sign_in`, `auth.switch`, `auth.join` → `{"token", "max_age_s", "session"}` ·
`auth.sign_out` · `auth.session` · `auth.sessions` → a list · `auth.end_session` id ·
`auth.password` old, new · `auth.playground_key`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from starlette.responses import RedirectResponse, Response

from wicket.errors import CallerFault, Fault, KeyFault
from wicket.server.admin_query import read_body
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Routes, authenticate, has_key
from wicket.server.sessions import (
    asker_of,
    check_csrf,
    check_origin,
    check_transport,
    csrf_token,
    own_origin,
    session_token,
    set_cookie,
    set_trip_cookie,
    trip_cookie,
)

_JSON, _HTML = "application/json", "text/html"
_MAX_PASSWORD_CHARS = 1_024
_PRIVATE = {"cache-control": "no-store"}
_ANSWER = ("state", "code", "error", "iss")
Text = Annotated[str, msgspec.Meta(max_length=300)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_PASSWORD_CHARS)]


class SignUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to become a user."""

    email: Text
    password: Password
    name: Text = ""
    organisation: Text = ""
    setup_code: Text = ""
    invitation: Text = ""


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to come in."""

    email: Text
    password: Password


class Switch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In which of one's organisations to go on."""

    organisation: Text


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An invitation that somebody takes up who is a user already."""

    invitation: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password now and the one from now on."""

    old: Password
    new: Password


async def state(call: Call) -> Response:
    """`GET /auth/v1/state`: what the page must know before anybody signs in."""
    token = session_token(call.house, call.request)
    found = await _ask(call, "auth.state", token)
    if found["session"] is not None:
        found["session"]["csrf"] = csrf_token(token)
    return _json(found)


async def sign_up(call: Call) -> Response:
    """`POST /auth/v1/sign-up`."""
    body = await _entering(call, SignUp)
    arguments = msgspec.to_builtins(body)
    if has_key(call.request):
        arguments["is_operator"] = authenticate(call.house, call.request).is_admin
    return _come_in(
        call, await _ask(call, "auth.sign_up", session_token(call.house, call.request), arguments), 201
    )


async def sign_in(call: Call) -> Response:
    """`POST /auth/v1/sign-in`."""
    body = await _entering(call, SignIn)
    token = session_token(call.house, call.request)
    return _come_in(call, await _ask(call, "auth.sign_in", token, msgspec.to_builtins(body)), 200)


async def switch(call: Call) -> Response:
    """`POST /auth/v1/organisation`: a new session takes the place of the one that asks."""
    token = _token(call)
    _check_type(call)
    body = await read_body(call.request, Switch)
    return _come_in(call, await _ask(call, "auth.switch", token, msgspec.to_builtins(body)), 200)


async def join(call: Call) -> Response:
    """`POST /auth/v1/join`: a member of one organisation more, and a session there."""
    token = _token(call)
    _check_type(call)
    body = await read_body(call.request, Join)
    return _come_in(call, await _ask(call, "auth.join", token, msgspec.to_builtins(body)), 201)


async def sign_out(call: Call) -> Response:
    """`POST /auth/v1/sign-out`."""
    token = session_token(call.house, call.request)
    if token:
        check_csrf(call.house, call.request, token)
    response = _json(await _ask(call, "auth.sign_out", token))
    set_cookie(call.house, call.request, response, "", 0)
    return response


async def session(call: Call) -> Response:
    """`GET /auth/v1/session`."""
    token = _token(call)
    return _json({**await _ask(call, "auth.session", token), "csrf": csrf_token(token)})


async def list_sessions(call: Call) -> Response:
    """`GET /auth/v1/sessions`."""
    return _json({"object": "list", "data": await _ask(call, "auth.sessions", _token(call))})


async def end_session(call: Call) -> Response:
    """`DELETE /auth/v1/sessions/ID`; `others` ends all but this one."""
    return _json(await _ask(call, "auth.end_session", _token(call), {"id": call.request.path_params["id"]}))


async def password(call: Call) -> Response:
    """`POST /auth/v1/password`."""
    token = _token(call)
    _check_type(call)
    body = await read_body(call.request, NewPassword)
    return _json(await _ask(call, "auth.password", token, msgspec.to_builtins(body)))


async def playground_key(call: Call) -> Response:
    """`POST /auth/v1/playground-key`."""
    return _json(await _ask(call, "auth.playground_key", _token(call)), 201)


async def oidc_begin(call: Call) -> Response:
    """`GET /auth/v1/oidc/NAME/start`: off to the provider. A browser is told on the page what went wrong."""
    try:
        return await _begin(call)
    except Fault as fault:
        if _HTML not in call.request.headers.get("accept", ""):
            raise
        return RedirectResponse(f"/#sign_in_error={fault.code}", 303, headers=_PRIVATE)


async def _begin(call: Call) -> Response:
    check_transport(call.house, call.request)
    name = call.request.path_params["name"]
    arguments = {
        "name": name,
        "redirect_uri": f"{own_origin(call.house, call.request)}/auth/v1/oidc/{name}/callback",
    }
    found = await _ask(call, "auth.oidc_begin", "", arguments)
    response = RedirectResponse(found["url"], 303, headers=_PRIVATE)
    set_trip_cookie(call.house, call.request, response, found["binder"])
    return response


async def oidc_end(call: Call) -> Response:
    """`GET /auth/v1/oidc/NAME/callback`: back from the provider. What went wrong is told behind the `#`."""
    query = {key: value for key, value in call.request.query_params.items() if key in _ANSWER}
    arguments = {
        "name": call.request.path_params["name"],
        "answer": query,
        "binder": trip_cookie(call.request),
    }
    try:
        found = await _ask(call, "auth.oidc_end", session_token(call.house, call.request), arguments)
    except Fault as fault:
        response = RedirectResponse(f"/#sign_in_error={fault.code}", 303, headers=_PRIVATE)
        set_trip_cookie(call.house, call.request, response, "")
        return response
    response = RedirectResponse("/", 303, headers=_PRIVATE)
    set_trip_cookie(call.house, call.request, response, "")
    set_cookie(call.house, call.request, response, str(found["token"]), int(found["max_age_s"]))
    return response


async def _entering(call: Call, kind: type[Any]) -> Any:
    """The body of who has no session yet, once no other site's page can have sent it."""
    check_origin(call.house, call.request, is_required=False)
    check_transport(call.house, call.request)
    _check_type(call)
    return await read_body(call.request, kind)


def _check_type(call: Call) -> None:
    """Raises `CallerFault` for what a form of another site could send as well."""
    media = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != _JSON:
        raise CallerFault("unsupported_media_type", "Send the body as application/json.", status=415)


def _token(call: Call) -> str:
    """The session's text, once the request may use it. Raises `KeyFault`, `PermissionFault`."""
    token = session_token(call.house, call.request)
    if not token:
        raise KeyFault("no_session", "You are not signed in.")
    check_csrf(call.house, call.request, token)
    return token


async def _ask(call: Call, verb: str, token: str, arguments: dict[str, Any] | None = None) -> Any:
    asker = asker_of(call.house, call.request, token)
    return await call.house.ask(verb, arguments or {}, call.caller.key_id, asker)


def _come_in(call: Call, found: dict[str, Any], status: int) -> Response:
    token = str(found["token"])
    response = _json({**found["session"], "csrf": csrf_token(token)}, status)
    set_cookie(call.house, call.request, response, token, int(found["max_age_s"]))
    return response


ROUTES: Routes = [
    ("/auth/v1/state", "open", {"GET": state}),
    ("/auth/v1/sign-up", "open", {"POST": sign_up}),
    ("/auth/v1/sign-in", "open", {"POST": sign_in}),
    ("/auth/v1/organisation", "open", {"POST": switch}),
    ("/auth/v1/join", "open", {"POST": join}),
    ("/auth/v1/sign-out", "open", {"POST": sign_out}),
    ("/auth/v1/session", "open", {"GET": session}),
    ("/auth/v1/sessions", "open", {"GET": list_sessions}),
    ("/auth/v1/sessions/{id}", "open", {"DELETE": end_session}),
    ("/auth/v1/password", "open", {"POST": password}),
    ("/auth/v1/oidc/{name}/start", "open", {"GET": oidc_begin}),
    ("/auth/v1/oidc/{name}/callback", "open", {"GET": oidc_end}),
    ("/auth/v1/playground-key", "open", {"POST": playground_key}),
]
