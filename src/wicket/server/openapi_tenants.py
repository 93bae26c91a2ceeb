"""The description of signing in and of tenants: a row per operation, bodies from their structs."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.server import tenant_bodies as bodies
from wicket.server.app_auth import Join, NewPassword, SignIn, SignUp, Switch
from wicket.server.openapi_schemas import FLAG, MOMENT, TEXT, Schema, array, one_of, record, ref

_KINDS: tuple[type[Any], ...] = (
    *(SignUp, SignIn, Switch, Join, NewPassword),
    *(bodies.NewOrganisation, bodies.NewNamed, bodies.Changed, bodies.NewMember),
    *(bodies.NewUser, bodies.ChangedUser, bodies.ResetPassword, bodies.NewInvitation),
    *(bodies.ChangedKey, bodies.Rotation),
)
_LEFT_OUT = ("title", "default", "description", "properties")
_NAMED = {"id": TEXT, "name": TEXT}
_STATUS = one_of("string", enum=["active", "suspended", "deleted"])
_ROLE = one_of("string", enum=["owner", "admin", "member", "viewer"])
_SECRET = one_of("string", description="Shown this once.")

SESSION = record(
    {
        "id": TEXT,
        "user": record({**_NAMED, "email": TEXT, "has_password": FLAG}, "id email"),
        "organisation": record(
            {**_NAMED, "role": one_of("string null", description="Null: only in teams of it.")}, "id name"
        ),
        "organisations": array(record(_NAMED, "id name"), description="Where the user belongs."),
        "role": {**_ROLE, "description": "The highest, of the organisation and of teams."},
        "is_operator": one_of("boolean", description="Whether everything is theirs to do."),
        "may": array(one_of("string", description="What the role may ask, somewhere in its reach.")),
        "teams": array(record({**_NAMED, "role": _ROLE}, "id name role")),
        "ends_at": MOMENT,
        "csrf": one_of("string", description="What `x-wicket-csrf` repeats with every change."),
    },
    "id user organisation role teams csrf",
)
_LISTED: dict[str, Schema] = {
    "Organisation": record({**_NAMED, "status": _STATUS, "created_at": MOMENT}, "id name status"),
    "Team": record(
        {
            **_NAMED,
            "organisation": TEXT,
            "organisation_name": TEXT,
            "status": _STATUS,
            "created_at": MOMENT,
        },
        "id name organisation status",
    ),
    "Member": record({"user": TEXT, "email": TEXT, "name": TEXT, "role": _ROLE}, "user email role"),
    "User": record(
        {
            **_NAMED,
            "email": TEXT,
            "status": _STATUS,
            "created_at": MOMENT,
            "has_password": FLAG,
            "issuer": TEXT,
            "role": one_of("string null", description="The highest of its memberships."),
            "memberships": array(
                record(
                    {
                        "organisation": TEXT,
                        "organisation_name": TEXT,
                        "team": one_of("string null"),
                        "team_name": one_of("string null"),
                        "role": _ROLE,
                    },
                    "organisation role",
                )
            ),
            "password": _SECRET,
        },
        "id email status memberships",
    ),
    "Invitation": record(
        {
            "id": TEXT,
            "organisation": TEXT,
            "team": one_of("string null"),
            "role": _ROLE,
            "email": TEXT,
            "made_by": TEXT,
            "created_at": MOMENT,
            "expires_at": MOMENT,
            "used_at": MOMENT,
            "revoked_at": MOMENT,
            "code": _SECRET,
            "link": _SECRET,
        },
        "id role",
    ),
    "AuditEntry": record(
        {
            "id": one_of("integer"),
            "at": MOMENT,
            "actor_kind": TEXT,
            "actor": TEXT,
            "actor_name": TEXT,
            "verb": TEXT,
            "target": TEXT,
            "changes": one_of("object"),
            "request_id": TEXT,
            "address": TEXT,
        },
        "id at verb target changes",
    ),
}


def body_schemas() -> dict[str, Schema]:
    """Each body's schema by its struct's name."""
    _, components = msgspec.json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
    return {name: _bare(schema) for name, schema in components.items()}


def _bare(schema: Any) -> Any:
    """Without the words that only say what the description says elsewhere."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _bare(value) for name, value in schema.items() if name not in _LEFT_OUT}
    if "properties" in schema:  # whose names are not words of the description
        found["properties"] = {name: _bare(value) for name, value in schema["properties"].items()}
    return found


TENANT_SCHEMAS: dict[str, Schema] = {
    **body_schemas(),
    **_LISTED,
    **{
        f"{name}List": record({"object": {"const": "list"}, "data": array(ref(name))}, "object data")
        for name in ("Organisation", "Team", "Member", "User", "Invitation")
    },
    "AuditPage": record(
        {"object": {"const": "list"}, "data": array(ref("AuditEntry")), "next": one_of("integer null")},
        "object data",
    ),
    "Session": SESSION,
}
_A = "/admin/v1"
# path, method, operation id, what it does, answer, body, status of success
OPERATIONS: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    (
        "/auth/v1/state",
        "get",
        "authState",
        "What a page must know first",
        "Document",
        "",
        "200",
    ),
    ("/auth/v1/sign-up", "post", "signUp", "Become a user", "Session", "SignUp", "201"),
    ("/auth/v1/sign-in", "post", "signIn", "Begin a session", "Session", "SignIn", "200"),
    ("/auth/v1/organisation", "post", "switchOrganisation", "Go on elsewhere", "Session", "Switch", "200"),
    ("/auth/v1/join", "post", "takeUpInvitation", "Into one organisation more", "Session", "Join", "201"),
    ("/auth/v1/sign-out", "post", "signOut", "End the session and its keys", "Document", "", "200"),
    ("/auth/v1/session", "get", "session", "Who is signed in", "Session", "", "200"),
    ("/auth/v1/sessions", "get", "sessions", "One's own sessions", "Document", "", "200"),
    ("/auth/v1/sessions/{id}", "delete", "endSession", "End one, or `others`", "Document", "", "200"),
    ("/auth/v1/password", "post", "changePassword", "A new password", "Document", "NewPassword", "200"),
    ("/auth/v1/playground-key", "post", "playgroundKey", "An hour's key for the page", "Document", "", "201"),
    ("/auth/v1/oidc/{name}/start", "get", "oidcBegin", "Off to an OpenID provider", "", "", "303"),
    ("/auth/v1/oidc/{name}/callback", "get", "oidcEnd", "Back from it", "", "", "303"),
    (f"{_A}/organisations", "get", "organisations", "Organisations", "OrganisationList", "", "200"),
    (
        f"{_A}/organisations",
        "post",
        "createOrganisation",
        "Make one",
        "Organisation",
        "NewOrganisation",
        "201",
    ),
    (
        f"{_A}/organisations/{{id}}",
        "patch",
        "updateOrganisation",
        "Change one",
        "Organisation",
        "Changed",
        "200",
    ),
    (f"{_A}/organisations/{{id}}", "delete", "deleteOrganisation", "End one", "Organisation", "", "200"),
    (f"{_A}/teams", "get", "teams", "Teams", "TeamList", "", "200"),
    (f"{_A}/teams", "post", "createTeam", "Make a team", "Team", "NewNamed", "201"),
    (f"{_A}/teams/{{id}}", "patch", "updateTeam", "Change, suspend, resume a team", "Team", "Changed", "200"),
    (f"{_A}/teams/{{id}}", "delete", "deleteTeam", "End a team and its keys", "Team", "", "200"),
    (f"{_A}/teams/{{team}}/members", "get", "members", "A team's members", "MemberList", "", "200"),
    (f"{_A}/teams/{{team}}/members", "post", "setMember", "Give a role", "Member", "NewMember", "201"),
    (f"{_A}/teams/{{team}}/members/{{user}}", "delete", "removeMember", "Take it back", "Member", "", "200"),
    (f"{_A}/users", "get", "users", "Users", "UserList", "", "200"),
    (f"{_A}/users", "post", "createUser", "Add a user", "User", "NewUser", "201"),
    (f"{_A}/users/{{id}}", "patch", "updateUser", "Change a user", "User", "ChangedUser", "200"),
    (f"{_A}/users/{{id}}", "delete", "deleteUser", "End a user", "User", "", "200"),
    (
        f"{_A}/users/{{id}}/password",
        "post",
        "resetPassword",
        "A new password",
        "Document",
        "ResetPassword",
        "200",
    ),
    (f"{_A}/invitations", "get", "invitations", "Invitations", "InvitationList", "", "200"),
    (f"{_A}/invitations", "post", "invite", "Invite somebody", "Invitation", "NewInvitation", "201"),
    (f"{_A}/invitations/{{id}}", "delete", "revokeInvitation", "End one", "Invitation", "", "200"),
    (f"{_A}/audit", "get", "audit", "Who changed what, newest first", "AuditPage", "", "200"),
    (f"{_A}/keys/{{id}}", "patch", "updateKey", "Change, suspend, resume a key", "Key", "ChangedKey", "200"),
    (f"{_A}/keys/{{id}}/rotate", "post", "rotateKey", "A new text for a key", "MadeKey", "Rotation", "200"),
)
