"""Batches at a provider: made of a file that is kept here, looked at, called off, their results fetched.

noted here with its mark → the file uploaded → the batch made there → its id noted

Whatever dies in between, nothing is made twice: what was asked for and not seen to be made is found in the
provider's list by its mark (`batch_looks`). Source: OpenAI API reference, "files" (upload), "batch" (create).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from wicket.accounts.cost import format_usd
from wicket.accounts.late import Outcome, begun
from wicket.accounts.record import NO_USAGE, Attempt, Record
from wicket.accounts.request_ids import format_id, parse_id
from wicket.dialects.contract import module
from wicket.errors import CallerFault, Fault, OperatorFault
from wicket.gateway.batching import SPEAKERS, Draft, Holding
from wicket.gateway.gate import overloaded
from wicket.gateway.pinned import pin_of
from wicket.server.app_cost import find_api
from wicket.server.app_house import Call
from wicket.server.batch_looks import file_id, is_over, kept, lines_there, look
from wicket.server.kept_query import answer, asked_there, home_of, request_there, tenant
from wicket.server.relay import Stream, answer_text
from wicket.server.sessions import REQUEST_ID
from wicket.server.settling import settling
from wicket.state.batches import PREFIX, NewBatch, batch_json, unknown_batch
from wicket.state.batches_there import (
    MARK,
    MAX_INPUT,
    MAX_METADATA,
    as_seen,
    file_there,
    form,
    named,
    shown_there,
)
from wicket.state.files import PREFIX as FILE
from wicket.state.files import unknown_file
from wicket.state.kept import BATCH, KeptBatch, KeptDue, KeptFile
from wicket.state.seal import Pin, Seal
from wicket.supervisor.verb import now_ms

WAIT_S = 300.0  # for an upload of `MAX_INPUT` bytes to be answered
COPIES = 3  # of an input file that are in memory while a batch is made
SLICE = 100  # lines that are read before others have their turn
_JSON = "application/json"


async def create(call: Call, wanted: NewBatch) -> Response:
    """It is begun there when this answers. Raises the fault of the first wrong line, or the provider's."""
    seal = _seal(call)
    metadata = wanted.metadata or {}
    if len(metadata) > MAX_METADATA or MARK in metadata:
        message = f"'metadata' has at most {MAX_METADATA} pairs here, and none named {MARK}."
        raise CallerFault("invalid_value", message, param="metadata")
    gate, file = call.house.gate, await _file(call, wanted.input_file_id)
    weight = COPIES * file.num_bytes
    if not gate.reserve(weight):
        raise overloaded()
    try:
        draft = await _drafted(call, wanted.endpoint, file)
        batch, due = await _noted(call, wanted, draft, seal)
        return answer(batch_json(await _made(call, draft, batch, due, seal)))
    finally:
        gate.release(weight)


async def _noted(call: Call, wanted: NewBatch, draft: Draft, seal: Seal) -> tuple[KeptBatch, KeptDue]:
    """Held within the limits of its key, and noted. Raises the fault of a limit."""
    gate = call.house.gate
    hold = await Holding(gate, draft).take()
    number = parse_id(call.request.scope[REQUEST_ID])
    batch, due = _begun(call, wanted, draft, seal, number)
    if hold is not None:
        gate.pledges.take(number, hold, gate.now_us())
    try:
        packed = {"batch": msgspec.msgpack.encode(batch), "due": msgspec.msgpack.encode(due)}
        await call.ask("batches.begin", packed)
    except BaseException:
        gate.pledges.release([number])
        raise
    return batch, due


async def _made(call: Call, draft: Draft, batch: KeptBatch, due: KeptDue, seal: Seal) -> KeptBatch:
    """Upload, then make it. What was surely not made is settled as failed; the rest is for later looks."""
    is_asked = False
    try:
        remote = await _uploaded(call, draft)
        is_asked = True
        body = {
            "input_file_id": remote,
            "endpoint": batch.endpoint,
            "completion_window": "24h",
            "metadata": batch.metadata | {MARK: due.remote},
        }
        shown = shown_there(await _posted(call, draft, "batches", _JSON, msgspec.json.encode(body)))
        pin = Pin(due.provider, due.credential, shown["id"])
        return await kept(call.house, as_seen(batch, shown, partial(file_id, seal, pin, batch)))
    except NotMade as refused:
        await _failed(call, batch, due, refused.fault)
        raise refused.fault from None
    except Fault as fault:
        if not is_asked:
            await _failed(call, batch, due, fault)
        raise


class NotMade(Exception):
    """The provider has answered that it makes no such thing, with the fault that this is."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault = fault


async def _failed(call: Call, batch: KeptBatch, due: KeptDue, fault: Fault) -> None:
    await call.ask("dues.settle", settling(due.tenant, due.id, Outcome(fault.code)))
    await kept(call.house, msgspec.structs.replace(batch, status="failed"))


async def _file(call: Call, id: str) -> KeptFile:
    """The input file's row. Raises `CallerFault`."""
    told = await call.ask("files.get", {"tenant": tenant(call), "id": id})
    file = msgspec.convert(told, KeptFile)
    if file.purpose != "batch":
        message = 'The file was not uploaded with the purpose "batch".'
        raise CallerFault("invalid_value", message, param="input_file_id")
    if file.num_bytes > MAX_INPUT:
        message = f"A batch at a provider has at most {MAX_INPUT >> 20} MiB of input: make several."
        raise CallerFault("file_too_large", message, status=413, param="input_file_id")
    return file


async def _drafted(call: Call, endpoint: str, file: KeptFile) -> Draft:
    def read() -> bytes:
        with call.house.contents.open(file.digest) as source:
            return source.read()

    data = await asyncio.to_thread(read)
    api = find_api(endpoint)[0]
    draft = Draft(call.house.gate, api, call.caller, endpoint)
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    most = call.house.storage.batch_lines
    if not lines or len(lines) > most:
        message = f"A batch has 1 to {most:,} lines; this one has {len(lines):,}."
        raise CallerFault("invalid_value", message, param="input_file_id")
    for number, line in enumerate(lines, 1):
        draft.add(number, line)
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return draft


def _begun(call: Call, wanted: NewBatch, draft: Draft, seal: Seal, number: int) -> tuple[KeptBatch, KeptDue]:
    """What is noted before anything is sent: the batch, and what its settlement needs."""
    assert draft.call is not None and draft.home is not None
    owner, made, mark = tenant(call), now_ms(), format_id(number)
    pin = pin_of(draft.home, mark, seal)
    batch = KeptBatch(
        tenant=owner,
        id=seal.seal(PREFIX, owner, pin),
        created_ms=made,
        caller=call.caller.key_id,
        endpoint=wanted.endpoint,
        input_file=wanted.input_file_id,
        metadata=wanted.metadata or {},
        total=len(draft.lines),
        model=draft.call.model,
    )
    due = KeptDue(
        tenant=owner,
        id=batch.id,
        record_id=number,
        created_ms=made,
        kind=BATCH,
        provider=pin.provider,
        credential=pin.credential,
        remote=mark,
        record=msgspec.msgpack.encode(_record(call, draft, number, made)),
        price=b"" if draft.price is None else msgspec.msgpack.encode(draft.price),
        markup_ppm=draft.markup_ppm,
    )
    return batch, due


def _record(call: Call, draft: Draft, number: int, made: int) -> Record:
    assert draft.call is not None and draft.home is not None
    record = Record(
        id=number,
        started_ms=made,
        key_id=call.caller.key_id,
        api="batches",
        model=draft.call.model,
        deployment=draft.home.id,
        served_model="",
        status=200,
        outcome="",
        is_stream=False,
        usage=NO_USAGE,
        cost_nanos=0,
        charge_nanos=0,
        first_token_us=-1,
        total_us=0,
        attempts=[Attempt(draft.home.id, 200)],
        price_row=draft.home.price_id,
        payer=call.caller.payer,
    )
    return begun(record)


async def _uploaded(call: Call, draft: Draft) -> str:
    boundary = f"wicket-{secrets.token_hex(16)}"
    body = form(boundary, "batch.jsonl", draft.lines)
    kind = f"multipart/form-data; boundary={boundary}"
    found: str = shown_there(await _posted(call, draft, "files", kind, body))["id"]
    return found


async def _posted(call: Call, draft: Draft, path: str, kind: str, body: bytes) -> bytes:
    """The answer to one request that is sent once: a second sending could make a second thing.

    Raises `NotMade` where the provider refuses, and its fault where nobody knows what it has done.
    """
    home = draft.home
    assert home is not None
    stream = Stream()
    request = request_there(home, "POST", (path,), body=(kind, body))
    stream.exchange = call.house.send(home.origin, request, stream)
    try:
        await stream.begun(WAIT_S)
        found = await answer_text(stream)
        if not 200 <= stream.status < 300:
            fault = module(home.dialect).judge(stream.status, stream.headers, found)
            raise NotMade(fault) if stream.status // 100 == 4 else fault
        return found
    finally:
        stream.exchange.cancel()


# what is asked later


async def get(call: Call) -> Response:
    """How far it is; what it cost, if this is the first look at its end."""
    batch = await _batch(call)
    if is_over(batch):
        return answer(batch_json(batch))
    return await _looked_at(call, batch)


async def cancel(call: Call) -> Response:
    """The provider begins no more of its lines; what it has done by then is billed."""
    batch = await _batch(call)
    if is_over(batch):
        message = f"The batch is over: {batch.status}."
        raise CallerFault("batch_over", message, status=409, param="batch_id")
    return await _looked_at(call, batch, "cancel")


async def _looked_at(call: Call, batch: KeptBatch, *act: str) -> Response:
    try:
        seen, charge = await look(call.house, batch, *act)
    except Fault as fault:
        raise (unknown_batch() if fault.status == 404 else fault) from None
    shown = answer(batch_json(seen))
    if charge is not None:
        shown.headers["x-wicket-cost-usd"] = format_usd(charge)
    return shown


def is_there(call: Call) -> bool:
    """Whether the path's id is a sealed one of this caller's."""
    id: str = call.request.path_params["id"]
    seal = call.house.seal
    return seal is not None and seal.open(PREFIX, tenant(call), id) is not None


async def _batch(call: Call) -> KeptBatch:
    try:
        told = await call.ask("batches.get", {"tenant": tenant(call), "id": call.request.path_params["id"]})
    except CallerFault:
        raise unknown_batch() from None
    return msgspec.convert(told, KeptBatch)


def _seal(call: Call) -> Seal:
    seal = call.house.seal
    if seal is None:
        raise OperatorFault("seal_key", "The key of kept ids can't be read; the operator must act.")
    return seal


# files that a batch made there


def file_pin(call: Call) -> Pin | None:
    """Where the file of the path's id lives; None if that is no sealed id of this caller's."""
    seal = call.house.seal
    return None if seal is None else seal.open(FILE, tenant(call), call.request.path_params["id"])


async def file_object(call: Call, pin: Pin) -> dict[str, Any]:
    """The file's object, under our id."""
    found = await _file_asked(call, pin, "GET")
    return file_there(shown_there(found), call.request.path_params["id"])


async def delete_file(call: Call, pin: Pin) -> None:
    """It is gone at the provider."""
    await _file_asked(call, pin, "DELETE")


async def _file_asked(call: Call, pin: Pin, method: str) -> bytes:
    home = home_of(call.house, pin, _seal(call), SPEAKERS)
    try:
        return await asked_there(call.house, home, method, ("files", pin.id.partition(" ")[0]))
    except Fault as fault:
        raise (unknown_file() if fault.status == 404 else fault) from None


async def file_content(call: Call, pin: Pin) -> Response:
    """Its lines as they come, each with its model as the caller named it."""
    remote, _, model = pin.id.partition(" ")
    home = home_of(call.house, pin, _seal(call), SPEAKERS)
    lines = lines_there(call.house, home, remote)
    try:
        first = await anext(lines, b"")
    except Fault as fault:
        raise (unknown_file() if fault.status == 404 else fault) from None

    async def shown() -> AsyncIterator[bytes]:
        if first:
            yield named(first, model) + b"\n"
        async for line in lines:
            yield named(line, model) + b"\n"

    headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
    return StreamingResponse(shown(), media_type="application/octet-stream", headers=headers)
