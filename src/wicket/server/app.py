"""Every route that is not inference, as a plain ASGI app; the inference routes run on callbacks elsewhere.

`build_app(house)` wires it. All answers carry `x-request-id`. Faults have OpenAI's shape; on Google's paths
and with Anthropic's header they have theirs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wicket.accounts.request_ids import RequestIds, format_id
from wicket.dialects.openai_chat import CHAT, fault_body
from wicket.dialects.translation import Heard, heard
from wicket.errors import Fault, PermissionFault
from wicket.gateway.admit import check_network
from wicket.server import (
    admin,
    admin_credits,
    admin_examples,
    admin_limits,
    admin_money,
    admin_providers,
    admin_tenants,
    app_auth,
    app_batches,
    app_console,
    app_cost,
    app_feedback,
    app_files,
    app_health,
    app_models,
    app_responses,
)
from wicket.server.answers import fault_headers
from wicket.server.app_house import (
    ANYBODY,
    SIGNED_IN,
    Call,
    Handler,
    House,
    Snapshot,
    authenticate,
    family_of,
    has_key,
)
from wicket.server.app_paths import ALIAS, allow, inference_paths, unknown_path, wrong_method
from wicket.server.sessions import REQUEST_ID, asker_of, check_csrf, session_token

__all__ = ["REQUEST_ID", "House", "Snapshot", "build_app", "fault_response"]

SESSION_READS = ("/v1/models", "/v1/requests/")
EXPOSED_HEADERS = ("x-request-id", "x-wicket-deployment", "x-wicket-cost-usd", "x-wicket-dropped")
_ID_SPACE = 127  # these ids are never stored, so that all workers may share one space

MODULES = (
    app_health,
    app_auth,
    app_models,
    app_cost,
    app_feedback,
    app_responses,
    app_files,
    app_batches,
    app_console,
    admin,
    admin_credits,
    admin_money,
    admin_examples,
    admin_limits,
    admin_providers,
    admin_tenants,
)
_log = logging.getLogger("wicket.server")


def build_app(house: House, doors: Iterable[str] = ()) -> Starlette:
    """The app for one worker. CORS is there only while `house.cors_origins` is not empty.

    `doors` are the paths of inference, which other methods than POST do not open.
    """
    paths: list[Path] = []
    for module in MODULES:
        for path, access, handlers in module.ROUTES:
            paths += _with_alias(path, Resource(house, handlers, access))
    for path in dict.fromkeys([*inference_paths(), *doors]):
        for name in (path, ALIAS + path) if path.startswith("/v1/") else (path,):
            paths.insert(0, Path(name.replace("{model}", "{model:path}"), closed(house)))
    middleware = [Middleware(NamedRequests), Middleware(ConfiguredCors, house=house)]
    app = Starlette(routes=paths, middleware=middleware)
    app.router.redirect_slashes = False
    app.router.default = _not_found
    return app


def closed(house: House) -> Resource:
    """A path of inference as this app has it."""
    return Resource(house, {"POST": _not_here}, "open")


class Resource:
    """One path: its handlers by method, who may call them, and what a wrong call is answered with."""

    def __init__(self, house: House, handlers: Mapping[str, Handler], access: str) -> None:
        self._house = house
        self._handlers = dict(handlers)
        self._access = access
        if "GET" in self._handlers:
            self._handlers["HEAD"] = self._handlers["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self._answer(request)
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        handler = self._handlers.get(request.method)
        if handler is None:
            response = fault_response(wrong_method(request.method, self._handlers), request)
            response.headers["allow"] = allow(self._handlers)
            return response
        try:
            return await handler(await self._admit(request))
        except Fault as fault:
            return fault_response(fault, request)
        except ClientDisconnect:
            return None
        except Exception:
            request_id = request.scope.get(REQUEST_ID, "")
            _log.exception("%s %s failed (%s)", request.method, request.url.path, request_id)
            ours = Fault("internal_error", f"Something failed inside ({request_id}).")
            return fault_response(ours, request)

    async def _admit(self, request: Request) -> Call:
        """The call of who may come in: by a key, or where a session does, by that."""
        asker = asker_of(self._house, request)
        if self._access == "open":
            return Call(self._house, request, ANYBODY, asker)
        token = session_token(self._house, request)
        if token and not has_key(request) and self._takes_session(request):
            check_csrf(self._house, request, token)
            asker = asker_of(self._house, request, token)
            await self._house.ask("auth.session", {}, SIGNED_IN.key_id, asker)
            return Call(self._house, request, SIGNED_IN, asker)
        caller = authenticate(self._house, request)
        check_network(caller, asker.address)
        if self._access == "admin" and not caller.is_admin:
            raise PermissionFault("admin_key_required", "Only the admin key may use this route.")
        return Call(self._house, request, caller, asker)

    def _takes_session(self, request: Request) -> bool:
        """The administration, and what a page shows of models and requests."""
        return self._access == "admin" or (
            request.method in ("GET", "HEAD") and request.url.path.startswith(SESSION_READS)
        )


class NamedRequests:
    """Gives every request an id, in the scope and in the answer's `x-request-id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ids = RequestIds(_ID_SPACE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope.setdefault(REQUEST_ID, format_id(self._ids.next(int(time.time() * 1000))))

        async def named_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("x-request-id", request_id)
            await send(message)

        await self._app(scope, receive, named_send)


class ConfiguredCors:
    """Starlette's CORS for the origins in force; without any, no trace of CORS."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app = app
        self._house = house
        self._origins: tuple[str, ...] = ()
        self._inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origins = self._house.cors_origins
        if origins != self._origins:
            self._origins = origins
            self._inner = self._guarded(origins) if origins else self._app
        await self._inner(scope, receive, send)

    def _guarded(self, origins: tuple[str, ...]) -> ASGIApp:
        return CORSMiddleware(
            self._app,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=list(EXPOSED_HEADERS),
            max_age=600,
        )


def fault_response(fault: Fault, request: Request | None = None) -> Response:
    """A fault as an HTTP answer, in the shape that the client who sent `request` reads."""
    voice = _voice_of(request) if request is not None else None
    if voice is None or request is None:
        body = fault_body(fault)
    else:
        body = voice.fault_body(fault, request.scope.get(REQUEST_ID, ""))
    response = Response(body, fault.status, media_type="application/json")
    response.raw_headers.extend(fault_headers(fault))
    return response


def _voice_of(request: Request) -> Heard | None:
    """The dialect of a client that is plainly not OpenAI's, if it is spoken here."""
    name = family_of(request)
    if name == CHAT.dialect:
        return None
    try:
        return heard(name)
    except ModuleNotFoundError:
        return None


def _with_alias(path: str, resource: Resource) -> list[Path]:
    names = [path, ALIAS + path] if path.startswith("/v1/") else [path]
    return [Path(name, resource) for name in names]


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
        return
    await fault_response(unknown_path(scope["path"]), Request(scope))(scope, receive, send)


async def _not_here(call: Call) -> Response:
    """Inference is answered before requests come to this app; without that part, say so."""
    raise Fault("not_served_here", "This process answers administration only.", status=501)
