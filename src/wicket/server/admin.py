"""The administration's routes: each checks what came, asks the supervisor one verb, and shapes the answer.

Verbs, their arguments and what they answer with:
- `keys.create` name, team, organisation, models, networks, routes, expires_ms → a key's fields and `key`, its
  text, this once · `keys.rotate` id, overlap_s → the same with a new text
- `keys.list` hidden → a list of keys' fields · `keys.update` id, … · `keys.revoke` id → the fields
- `logs` key, model, outcome, since_ms, until_ms, limit, after → `{"records": newest first, "last": mark}`
- `requests.get` id → a record or None
- `status`, `config.show`, `config.reload`, `restart` → a document · `backup` path, kept_path → a document
- `metrics` → Prometheus' text
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response, StreamingResponse

from wicket.server.admin_follow import follow
from wicket.server.admin_query import (
    BackupTarget,
    NewKey,
    log_filter,
    optional_body,
    read_body,
    refuse_unknown,
)
from wicket.server.admin_shapes import now_ms, records_json
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Routes
from wicket.server.tenant_bodies import ChangedKey, Rotation, checked_routes

_JSON = "application/json"
_SSE = "text/event-stream"


async def list_keys(call: Call) -> Response:
    """`GET /admin/v1/keys`: every key, revoked ones too; never a key's text; `hidden=1`: sessions' own."""
    query = dict(call.request.query_params)
    refuse_unknown(query, ("hidden",))
    found = await call.ask("keys.list", {"hidden": query.get("hidden") == "1"})
    return _json({"object": "list", "data": found})


async def create_key(call: Call) -> Response:
    """`POST /admin/v1/keys`: the answer holds the key's text, this once."""
    new = await read_body(call.request, NewKey)
    arguments = {**new.arguments(now_ms()), "routes": checked_routes(new.routes)}
    return _json(await call.ask("keys.create", arguments), 201)


async def update_key(call: Call) -> Response:
    """`PATCH /admin/v1/keys/ID`: name, models, networks, routes, end, suspended."""
    changed = await read_body(call.request, ChangedKey)
    changes = changed.changes(now_ms())
    return _json(await call.ask("keys.update", {**changes, "id": call.request.path_params["id"]}))


async def rotate_key(call: Call) -> Response:
    """`POST /admin/v1/keys/ID/rotate`: the answer holds the new text, this once."""
    rotation = await optional_body(call.request, Rotation)
    arguments = {"id": call.request.path_params["id"], "overlap_s": rotation.overlap_s}
    return _json(await call.ask("keys.rotate", arguments))


async def revoke_key(call: Call) -> Response:
    """`DELETE /admin/v1/keys/ID`: refused everywhere within a second."""
    return _json(await call.ask("keys.revoke", {"id": call.request.path_params["id"]}))


async def logs(call: Call) -> Response:
    """`GET /admin/v1/logs`: records, newest first; with `follow=1` as server-sent events, oldest first."""
    wanted = log_filter(call.request.query_params, now_ms())
    found = await call.ask("logs", msgspec.to_builtins(wanted))
    if wanted.is_following:
        frames = follow(call, wanted, found)
        return StreamingResponse(frames, media_type=_SSE, headers={"cache-control": "no-store"})
    return _json({"object": "list", "data": records_json(found["records"])})


async def status(call: Call) -> Response:
    """`GET /admin/v1/status`: processes, engines, gauges."""
    return _json(await call.ask("status"))


async def show_config(call: Call) -> Response:
    """`GET /admin/v1/config`: what is in force, secrets masked."""
    return _json(await call.ask("config.show"))


async def reload_config(call: Call) -> Response:
    """`POST /admin/v1/config/reload`: a bad file leaves the old configuration in force."""
    return _json(await call.ask("config.reload"))


async def backup(call: Call) -> Response:
    """`POST /admin/v1/backup`: a consistent copy of the database while it is in use."""
    target = await read_body(call.request, BackupTarget)
    return _json(await call.ask("backup", {"path": target.path, "kept_path": target.kept_path}))


async def restart(call: Call) -> Response:
    """`POST /admin/v1/restart`: new workers one after the other, no request dropped."""
    return _json(await call.ask("restart"), 202)


ROUTES: Routes = [
    ("/admin/v1/keys", "admin", {"GET": list_keys, "POST": create_key}),
    ("/admin/v1/keys/{id}", "admin", {"PATCH": update_key, "DELETE": revoke_key}),
    ("/admin/v1/keys/{id}/rotate", "admin", {"POST": rotate_key}),
    ("/admin/v1/logs", "admin", {"GET": logs}),
    ("/admin/v1/status", "admin", {"GET": status}),
    ("/admin/v1/config", "admin", {"GET": show_config}),
    ("/admin/v1/config/reload", "admin", {"POST": reload_config}),
    ("/admin/v1/backup", "admin", {"POST": backup}),
    ("/admin/v1/restart", "admin", {"POST": restart}),
]
