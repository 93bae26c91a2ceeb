"""The administration of examples: export as JSON lines, erasure, what there is by task.

Verbs: `examples.page` → `{"rows": [[example, feedback or None, key]…], "last": id or 0}` ·
`examples.erase` key, task, request → `{"erased"}` · `tasks.list` → a list of documents.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response, StreamingResponse

from wicket.dialects.openai_chat import fault_body
from wicket.errors import Fault
from wicket.server.admin_shapes import now_ms
from wicket.server.answers import private_json as _json
from wicket.server.app_house import Call, Routes
from wicket.server.example_query import erase_query, examples_query
from wicket.server.example_shapes import example_json
from wicket.wire.json import encode

_JSON = "application/json"
LINES = "application/x-ndjson"
_PRIVATE = {"cache-control": "no-store"}


async def export(call: Call) -> Response:
    """`GET /admin/v1/examples?task=T`: oldest first, a JSON document per line."""
    wanted = examples_query(call.request.query_params, now_ms())
    first = await call.ask("examples.page", wanted)
    return StreamingResponse(_lines(call, wanted, first), media_type=LINES, headers=_PRIVATE)


async def erase(call: Call) -> Response:
    """`DELETE /admin/v1/examples?key=K`, `?task=T`, `?request=R`."""
    return _json(await call.ask("examples.erase", erase_query(call.request.query_params)))


async def list_tasks(call: Call) -> Response:
    """`GET /admin/v1/tasks`."""
    return _json({"object": "list", "data": await call.ask("tasks.list")})


async def _lines(call: Call, wanted: dict[str, Any], found: dict[str, Any]) -> AsyncIterator[bytes]:
    """Page by page; a fault in the middle is a last line of OpenAI's error shape."""
    while True:
        yield b"".join([encode(example_json(row)) + b"\n" for row in found["rows"]])
        if not found["last"]:
            return
        try:
            found = await call.ask("examples.page", {**wanted, "after_id": found["last"]})
        except Fault as fault:
            yield fault_body(fault) + b"\n"
            return


ROUTES: Routes = [
    ("/admin/v1/examples", "admin", {"GET": export, "DELETE": erase}),
    ("/admin/v1/tasks", "admin", {"GET": list_tasks}),
]
