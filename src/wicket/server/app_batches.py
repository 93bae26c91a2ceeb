"""Batches: made of a file, looked at, listed, called off. Source: OpenAI API reference, "batch"."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from wicket.errors import CallerFault
from wicket.server import app_batches_there
from wicket.server.admin_query import read_body
from wicket.server.app_house import Call, Routes
from wicket.server.app_paths import inference_paths
from wicket.server.kept_query import answer, page_of, tenant
from wicket.state.batches import ENDPOINTS, PREFIX, THERE, NewBatch, batch_json, unknown_batch
from wicket.state.files import list_json, unknown_file
from wicket.state.kept import KeptBatch
from wicket.state.tenant import is_ours

_NOT_RUN = (
    "Batches are not run here: send the requests one by one, as many at a time as your key may, or have the "
    'operator set [storage] files to "local" and batches to "local" or "provider".'
)


async def create(call: Call) -> Response:
    """It begins at once; whether its lines are well-formed is said in its `status` and `errors`."""
    _check_mode(call)
    wanted = await read_body(call.request, NewBatch)
    if call.house.storage.batches == "provider":
        wanted.check(THERE)
        try:
            return await app_batches_there.create(call, wanted)
        except CallerFault as fault:
            if fault.code == "file_not_found":
                fault.param = "input_file_id"
            raise
    wanted.check([each for each in ENDPOINTS if each in inference_paths()])
    arguments = {
        "tenant": tenant(call),
        "endpoint": wanted.endpoint,
        "input_file": wanted.input_file_id,
        "metadata": wanted.metadata or {},
    }
    try:
        return _shown(await call.ask("batches.create", arguments))
    except CallerFault as fault:
        if fault.status == 404:
            fault = unknown_file()
        fault.param = "input_file_id"
        raise fault from None


async def get(call: Call) -> Response:
    """How far it is."""
    _check_mode(call)
    if app_batches_there.is_there(call):
        return await app_batches_there.get(call)
    return _shown(await _asked(call, "batches.get"))


async def cancel(call: Call) -> Response:
    """No more of its lines are begun; those under way are finished."""
    _check_mode(call)
    if app_batches_there.is_there(call):
        return await app_batches_there.cancel(call)
    return _shown(await _asked(call, "batches.cancel"))


async def listed(call: Call) -> Response:
    """A page of batches, the newest first."""
    _check_mode(call)
    page = page_of(call.request.query_params, 20, 100) | {"tenant": tenant(call)}
    told = await call.ask("batches.list", page)
    rows = msgspec.convert(told["rows"], list[KeptBatch])
    return answer(list_json([batch_json(row) for row in rows], told["has_more"]))


async def _asked(call: Call, verb: str) -> Any:
    _check_mode(call)
    id: str = call.request.path_params["id"]
    if not is_ours(PREFIX, id):
        raise unknown_batch()
    try:
        return await call.ask(verb, {"tenant": tenant(call), "id": id})
    except CallerFault as fault:
        if fault.status == 404:
            raise unknown_batch() from None  # with its field, which does not cross the channel
        fault.param = "batch_id"
        raise


def _shown(told: Any) -> Response:
    return answer(batch_json(msgspec.convert(told, KeptBatch)))


def _check_mode(call: Call) -> None:
    if call.house.storage.batches == "off":
        raise CallerFault("not_run", _NOT_RUN, status=404)


ROUTES: Routes = [
    ("/v1/batches", "key", {"GET": listed, "POST": create}),
    ("/v1/batches/{id}", "key", {"GET": get}),
    ("/v1/batches/{id}/cancel", "key", {"POST": cancel}),
]
