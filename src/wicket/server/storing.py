"""What a worker does before and after a request of the Responses API, as far as something is kept.

Where nothing is kept this costs two look-ups, on requests of that API alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

import msgspec

from wicket.accounts.request_ids import format_id
from wicket.config.schema import StorageTable
from wicket.errors import CallerFault, Fault, OperatorFault
from wicket.gateway.call import Call
from wicket.gateway.drive import Reply
from wicket.gateway.gate import overloaded
from wicket.gateway.pinned import PinnedRoutes
from wicket.server.kept_reply import KeepingReply, SealingReply
from wicket.server.later import Later
from wicket.server.later_reply import LaterReply
from wicket.state.inlined import MAX_BYTES, Inline, files_named, may_name_files, with_files
from wicket.state.kept import KeptFile, KeptResponse
from wicket.state.responses import (
    MAX_CHAIN_BYTES,
    PREFIX,
    PREVIOUS,
    continued,
    items_of,
    unknown_previous,
    went_before,
)
from wicket.state.seal import Seal
from wicket.state.tenant import tenant_of
from wicket.store.contents import Contents
from wicket.wire import fields as top

DIALECT = "openai_responses"  # whose requests may go on from an earlier answer
API = "responses"  # whose answers are kept
MAX_WAITING = 256  # requests of a worker whose earlier turns are being fetched
_FALSE = msgspec.Raw(b"false")
_log = logging.getLogger("wicket.server")

Ask = Callable[[str, dict[str, Any], int], Awaitable[Any]]
KeptReply = SealingReply | KeepingReply  # LaterReply is one of the first


class Client(Protocol):
    """The connection that a request came over."""

    def reply_of(self) -> Reply:
        """Where its answer goes."""
        ...

    def drive_on(self, call: Call, reply: KeptReply | None = None) -> None:
        """Begin to answer it. Raises `Fault`."""
        ...

    def wait_for(self, waiting: Waiting) -> None:
        """Nothing is to be done until `waiting` comes back with `resumed`."""
        ...

    def resumed(self, waiting: Waiting, fault: Fault | None, call: Call, reply: KeptReply | None) -> None:
        """What it waited for has come, or failed."""
        ...


class Waiting:
    """A request whose earlier turns are being fetched; it stands where its drive will be."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    def client_gone(self) -> None:
        """Nobody is interested any more."""
        if self.task is not None:
            self.task.cancel()

    def pause(self) -> None:
        """Nothing is written yet."""

    def resume(self) -> None:
        """Nothing is written yet."""


class Storing:
    """One worker's part in what is kept. `ask` asks the supervisor; `contents` are those of files."""

    def __init__(self, ask: Ask, contents: Contents) -> None:
        self.mode = "off"
        self.has_files = False  # whether requests may name files that are kept here
        self._contents = contents
        self.seal: Seal | None = None
        self._ask = ask
        self._routes = PinnedRoutes()
        self.later = Later(ask)
        self._tasks: set[asyncio.Task[None]] = set()
        self._num_waiting = 0

    def configure(self, storage: StorageTable, key: bytes) -> None:
        """What is kept from now on, and the key of the seals."""
        self.mode = storage.responses
        self.has_files = storage.files != "off"
        self.seal = Seal(key) if key else None
        self._routes = PinnedRoutes()

    def start(self, call: Call, client: Client, reply: KeptReply | None = None) -> None:
        """Answer a request, now or when the files that it names are read. Raises `Fault`."""
        if self.has_files and may_name_files(call.fields):
            self._wait(self._with_files, call, client, reply)
        else:
            client.drive_on(call, reply)

    def begin(self, call: Call, client: Client) -> None:
        """Answer a request of the Responses API, now or when its earlier turns are here. Raises `Fault`."""
        fields = call.fields
        if "conversation" in fields and bytes(fields["conversation"]) != b"null":
            message = f"Wicket keeps no conversations: use '{PREVIOUS}', or send the items with each request."
            raise CallerFault("unsupported", message, param="conversation")
        before = top.text(fields, PREVIOUS) if PREVIOUS in fields else None
        if self.mode == "off":
            if before is not None:
                raise _not_stored()
            self.start(call, client)
        elif self.mode == "provider":
            self._begin_sealed(call, before, client)
        else:
            self._begin_kept(call, before, client)

    def _begin_sealed(self, call: Call, before: str | None, client: Client) -> None:
        seal = self.seal
        if seal is None:
            raise OperatorFault("store_opening", "The key of kept ids is being read. Try again in a moment.")
        tenant = tenant_of(call.caller.key_id, call.caller.team_id, call.caller.team)
        if before is not None:
            pin = seal.open(PREFIX, tenant, before)
            if pin is None:
                raise unknown_previous()
            fields = call.fields | {PREVIOUS: msgspec.Raw(msgspec.json.encode(pin.id))}
            call = msgspec.structs.replace(self._routes.pinned(call, pin, seal), fields=fields)
        if not _is_to_keep(call):
            self.start(call, client)
        elif "background" in call.fields and top.flag(call.fields, "background"):
            api = msgspec.structs.replace(call.api, is_later=True)
            call = msgspec.structs.replace(call, api=api)
            self.start(call, client, LaterReply(client.reply_of(), seal, tenant, before, self.later))
        else:
            self.start(call, client, SealingReply(client.reply_of(), seal, tenant, before))

    def _begin_kept(self, call: Call, before: str | None, client: Client) -> None:
        keeps, items = _is_to_keep(call), items_of(call.fields)
        here = {name: value for name, value in call.fields.items() if name != PREVIOUS}
        if call.api.name == API:
            here["store"] = _FALSE  # one place keeps it, and that is here
        call = msgspec.structs.replace(call, fields=here)
        reply = self._keeping(call, before, items, client) if keeps else None
        if before is None:
            self.start(call, client, reply)
        else:
            self._wait(partial(self._continued, before), call, client, reply)

    def _wait(
        self, prepare: Callable[[Call], Awaitable[Call]], call: Call, client: Client, reply: KeptReply | None
    ) -> None:
        """Go on with the call as `prepare` makes it. Raises `BusyFault` while too many wait so."""
        if self._num_waiting >= MAX_WAITING:
            raise overloaded()
        waiting = Waiting()

        async def go_on() -> None:
            self._num_waiting += 1
            fault, ready = None, call
            try:
                ready = await prepare(call)
            except Fault as found:
                fault = found
            except Exception as error:  # a mistake of ours; no text of anybody's goes to the log
                _log.error("%s failed inside: %s", format_id(call.id), type(error).__name__)
                fault = Fault("internal_error", f"Something failed inside ({format_id(call.id)}).")
            finally:
                self._num_waiting -= 1
            client.resumed(waiting, fault, ready, reply)

        waiting.task = self._spawn(go_on())
        client.wait_for(waiting)

    async def _continued(self, before: str, call: Call) -> Call:
        """With its earlier turns in front."""
        tenant = tenant_of(call.caller.key_id, call.caller.team_id, call.caller.team)
        told = await self._ask("responses.chain", {"tenant": tenant, "id": before}, call.caller.key_id)
        if told is None:
            raise unknown_previous()
        fields = continued(call.fields, went_before(msgspec.convert(told, list[KeptResponse])))
        size = call.body_bytes + len(fields["input"])
        call = msgspec.structs.replace(call, fields=fields, body_bytes=size)
        return await self._with_files(call) if self.has_files and may_name_files(fields) else call

    async def _with_files(self, call: Call) -> Call:
        """With what its files hold. Raises `CallerFault` naming the place of one that can't be had."""
        tenant = tenant_of(call.caller.key_id, call.caller.team_id, call.caller.team)
        found: dict[str, Inline] = {}
        size = 0
        for id, place in files_named(call.fields).items():
            try:
                told = await self._ask("files.get", {"tenant": tenant, "id": id}, call.caller.key_id)
            except CallerFault as fault:
                fault.param = place
                raise
            file = msgspec.convert(told, KeptFile)
            size += file.num_bytes
            if size > MAX_BYTES:
                message = f"The files of one request may hold {MAX_BYTES >> 20} MiB together."
                raise CallerFault("files_too_large", message, param=place)
            found[id] = Inline(file.name, await asyncio.to_thread(self._read, file.digest))
        if not found:
            return call
        fields = with_files(call.fields, found)
        return msgspec.structs.replace(call, fields=fields, body_bytes=call.body_bytes + size * 4 // 3)

    def _read(self, digest: str) -> bytes:
        with self._contents.open(digest) as file:
            return file.read()

    def _keeping(self, call: Call, before: str | None, items: bytes, client: Client) -> KeepingReply:
        tenant = tenant_of(call.caller.key_id, call.caller.team_id, call.caller.team)
        own_id = PREFIX + format_id(call.id).removeprefix("req_")

        def keep(response: bytes, done: Callable[[bool], None]) -> None:
            kept = {
                "tenant": tenant,
                "id": own_id,
                "created_ms": call.unix_ms,
                "model": call.model,
                "previous": before or "",
                "items": items,
                "answer": response,
            }
            self._spawn(self._keep(kept, call.caller.key_id, done))

        return KeepingReply(client.reply_of(), own_id, before, keep)

    async def _keep(self, kept: dict[str, Any], key_id: int, done: Callable[[bool], None]) -> None:
        is_kept = False
        try:
            if len(kept["items"]) + len(kept["answer"]) <= MAX_CHAIN_BYTES:
                is_kept = await self._ask("responses.keep", kept, key_id) is True
        except Fault as fault:
            _log.error("an answer was not kept: %s", fault.message)
        finally:
            done(is_kept)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _is_to_keep(call: Call) -> bool:
    """OpenAI's answers are kept unless the caller says `"store": false`."""
    raw = call.fields.get("store")
    if call.api.name != API:
        return False
    return raw is None or bytes(raw) == b"null" or top.flag(call.fields, "store")


def _not_stored() -> CallerFault:
    message = (
        f"'{PREVIOUS}' needs an answer that was kept, and this server keeps none ([storage] responses in its "
        "configuration): send the conversation's items with each request."
    )
    return CallerFault("not_kept", message, param=PREVIOUS)
