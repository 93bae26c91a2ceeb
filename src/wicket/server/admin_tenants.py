"""Organisations, teams, users, invitations and the audit log over HTTP.

Each route asks the verb of its name; who may is decided by the supervisor, which knows the session.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from wicket.server.admin_query import optional_body, read_body, refuse_unknown
from wicket.server.admin_shapes import now_ms
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Handler, Routes
from wicket.server.sessions import own_origin
from wicket.server.tenant_bodies import (
    Changed,
    ChangedUser,
    NewInvitation,
    NewMember,
    NewNamed,
    NewOrganisation,
    NewUser,
    ResetPassword,
    audit_query,
)


def listing(verb: str, *parameters: str) -> Handler:
    """A route that lists; `parameters` of its query go to the verb."""

    async def handle(call: Call) -> Response:
        query = dict(call.request.query_params)
        refuse_unknown(query, parameters)
        found = await call.ask(verb, {**query, **_named(call)})
        return _json({"object": "list", "data": found})

    return handle


def making(verb: str, kind: type[Any]) -> Handler:
    """A route that makes something of its body."""

    async def handle(call: Call) -> Response:
        body = await read_body(call.request, kind)
        return _json(await call.ask(verb, {**body.arguments(), **_named(call)}), 201)

    return handle


def changing(verb: str, kind: type[Any]) -> Handler:
    """A route that changes what its path names."""

    async def handle(call: Call) -> Response:
        body = await read_body(call.request, kind)
        return _json(await call.ask(verb, {**body.arguments(), **_named(call)}))

    return handle


def ending(verb: str) -> Handler:
    """A route that ends what its path names."""

    async def handle(call: Call) -> Response:
        return _json(await call.ask(verb, _named(call)))

    return handle


async def invite(call: Call) -> Response:
    """`POST /admin/v1/invitations`: the answer holds the code and the link with it, this once."""
    body = await read_body(call.request, NewInvitation)
    made = await call.ask("invitations.create", body.arguments())
    # behind the number sign, so that the code reaches no server's log and no Referer
    link = f"{own_origin(call.house, call.request)}/#/join?invitation={quote(made['code'])}"
    return _json({**made, "link": link}, 201)


async def reset_password(call: Call) -> Response:
    """`POST /admin/v1/users/ID/password`."""
    body = await optional_body(call.request, ResetPassword)
    return _json(await call.ask("users.password", {**body.arguments(), **_named(call)}))


async def audit(call: Call) -> Response:
    """`GET /admin/v1/audit`: newest first; `next` is what `before` takes for the page after this one."""
    found = await call.ask("audit.list", audit_query(call.request.query_params, now_ms()))
    return _json({"object": "list", **found})


def _named(call: Call) -> dict[str, Any]:
    return dict(call.request.path_params)


_A = "/admin/v1"
ROUTES: Routes = [
    (
        f"{_A}/organisations",
        "admin",
        {
            "GET": listing("organisations.list"),
            "POST": making("organisations.create", NewOrganisation),
        },
    ),
    (
        f"{_A}/organisations/{{id}}",
        "admin",
        {
            "PATCH": changing("organisations.update", Changed),
            "DELETE": ending("organisations.delete"),
        },
    ),
    (
        f"{_A}/teams",
        "admin",
        {"GET": listing("teams.list", "organisation"), "POST": making("teams.create", NewNamed)},
    ),
    (
        f"{_A}/teams/{{id}}",
        "admin",
        {"PATCH": changing("teams.update", Changed), "DELETE": ending("teams.delete")},
    ),
    (
        f"{_A}/teams/{{team}}/members",
        "admin",
        {"GET": listing("members.list"), "POST": making("members.set", NewMember)},
    ),
    (f"{_A}/teams/{{team}}/members/{{user}}", "admin", {"DELETE": ending("members.remove")}),
    (
        f"{_A}/users",
        "admin",
        {"GET": listing("users.list"), "POST": making("users.create", NewUser)},
    ),
    (
        f"{_A}/users/{{id}}",
        "admin",
        {"PATCH": changing("users.update", ChangedUser), "DELETE": ending("users.delete")},
    ),
    (f"{_A}/users/{{id}}/password", "admin", {"POST": reset_password}),
    (
        f"{_A}/invitations",
        "admin",
        {"GET": listing("invitations.list"), "POST": invite},
    ),
    (f"{_A}/invitations/{{id}}", "admin", {"DELETE": ending("invitations.revoke")}),
    (f"{_A}/audit", "admin", {"GET": audit}),
]
