"""Files: taken in as a stream, kept by their content, given back to whoever they belong to.

Source: OpenAI API reference, "files"; Anthropic API reference, "files", for its own callers.
"""

from __future__ import annotations

import asyncio
from typing import Any, BinaryIO
from urllib.parse import quote

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from wicket.errors import CallerFault, Fault
from wicket.server import app_batches_there
from wicket.server.app_house import Call, Routes, family_of
from wicket.server.kept_query import answer, page_of, tenant
from wicket.state import files
from wicket.state.kept import KeptFile
from wicket.state.multipart import FileBegan, FormReader, Piece, Value, boundary_of
from wicket.state.seal import Pin
from wicket.state.tenant import is_ours, new_id
from wicket.store.contents import Incoming
from wicket.supervisor.verb import now_ms

WRITE_BYTES = 1024 * 1024  # given to the disk at once, by a thread
READ_BYTES = 256 * 1024
_OVERHEAD = 64 * 1024  # of a form around its file
_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")


async def create(call: Call) -> Response:
    """An upload. The file is there when this answers, and nothing of it before or if this fails."""
    _check_mode(call)
    boundary = boundary_of(call.request.headers.get("content-type", ""))
    room = min(call.house.storage.max_file_bytes, await call.ask("files.room", {"tenant": tenant(call)}))
    length = call.request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > room + _OVERHEAD:
        raise _too_large(call, room)
    upload = Upload(call, room)
    try:
        await upload.read(FormReader(boundary))
        return answer(_shown(call, await upload.keep()))
    finally:
        await asyncio.to_thread(upload.discard)


class Upload:
    """A form being read: its fields, and its file on its way to the disk."""

    def __init__(self, call: Call, room: int) -> None:
        self._call = call
        self._room = room
        self._values: dict[str, str] = {}
        self._incoming: Incoming | None = None
        self._name = ""
        self._parts: list[bytes] = []
        self._num_bytes = 0  # of the file, those that wait included

    async def read(self, reader: FormReader) -> None:
        """The whole form. Raises `CallerFault`, and `StoreFault` for a disk that takes no more."""
        async for data in self._call.request.stream():
            for event in reader.feed(data):
                await self._take(event)
        reader.finish()

    async def keep(self) -> KeptFile:
        """Hand the file over. Raises `CallerFault` for a form without one, or without a purpose."""
        if self._incoming is None:
            raise CallerFault("missing_field", "'file' is required.", param="file")
        usual = "user_data" if _is_anthropics(self._call) else ""
        purpose = files.checked_purpose(self._values.get("purpose", usual))
        made = now_ms()
        anchor, seconds = (self._values.get(name, "") for name in _FIELDS[1:])
        expires = files.expiry_ms(anchor, seconds, made)
        await self._write()
        incoming = self._incoming
        await asyncio.to_thread(incoming.close)
        file = KeptFile(
            tenant(self._call), new_id(files.PREFIX), made, expires, files.shown_name(self._name), purpose,
            incoming.num_bytes, incoming.digest,
        )  # fmt: skip
        told = msgspec.structs.asdict(file) | {"incoming": incoming.name}
        await _asked(self._call, "files.add", told)
        return file

    def discard(self) -> None:
        """Nothing stays of what was not kept."""
        if self._incoming is not None:
            self._incoming.discard()

    async def _take(self, event: Any) -> None:
        if isinstance(event, Piece):
            self._num_bytes += len(event.data)
            if self._num_bytes > self._room:
                raise _too_large(self._call, self._room)
            self._parts.append(event.data)
            if sum(map(len, self._parts)) >= WRITE_BYTES:
                await self._write()
        elif isinstance(event, FileBegan):
            if event.name != "file" or self._incoming is not None:
                raise CallerFault("invalid_form", "The form has one file, in its field 'file'.", param="file")
            self._name = event.filename
            self._incoming = await asyncio.to_thread(Incoming, self._call.house.contents)
        elif isinstance(event, Value):
            if event.name not in _FIELDS:
                message = f"There is no field {event.name[:40]!r} here; there are file, {', '.join(_FIELDS)}."
                raise CallerFault("unknown_parameter", message, param=event.name[:40])
            self._values[event.name] = event.text

    async def _write(self) -> None:
        data, self._parts = b"".join(self._parts), []
        if self._incoming is not None and data:
            await asyncio.to_thread(self._incoming.write, data)


async def get(call: Call) -> Response:
    """One file's object."""
    pin = _pin(call)
    if pin is not None:
        return answer(await app_batches_there.file_object(call, pin))
    return answer(_shown(call, await _file(call)))


async def content(call: Call) -> Response:
    """What it holds. No client is made to run it."""
    pin = _pin(call)
    if pin is not None:
        return await app_batches_there.file_content(call, pin)
    file = await _file(call)
    try:
        source = await asyncio.to_thread(call.house.contents.open, file.digest)
    except Fault:
        await _file(call)  # deleted since: then this is a 404
        raise

    headers = {
        "content-length": str(file.num_bytes),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "x-content-type-options": "nosniff",
    }
    return ContentResponse(source, file.num_bytes, headers)


class ContentResponse(Response):
    """An open file as an answer; its last piece is also its end.

    An end sent by itself would come behind bytes that the client knows to be the last: its next request could
    be there before, and would be taken for one that does not wait for answers.
    """

    media_type = "application/octet-stream"

    def __init__(self, source: BinaryIO, num_bytes: int, headers: dict[str, str]) -> None:
        super().__init__(headers=headers)
        self._source = source
        self._num_left = num_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: send it, and close the file however that ends."""
        with self._source as source:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            if scope["method"] == "HEAD":
                self._num_left = 0
            while self._num_left > READ_BYTES:
                data = await asyncio.to_thread(source.read, READ_BYTES)
                if not data:
                    break  # shorter than it was: the client sees that from the length
                self._num_left -= len(data)
                await send({"type": "http.response.body", "body": data, "more_body": True})
            last = await asyncio.to_thread(source.read, self._num_left)
            await send({"type": "http.response.body", "body": last, "more_body": False})


async def listed(call: Call) -> Response:
    """A page of files, the newest first."""
    _check_mode(call)
    query = call.request.query_params
    page = page_of(query, 20 if _is_anthropics(call) else 10_000)
    page |= {"purpose": query.get("purpose", "")[:64], "tenant": tenant(call)}
    if "before_id" in query:
        raise CallerFault("unsupported", "Pages go forward: use 'after_id'.", param="before_id")
    page["after"] = page["after"] or query.get("after_id", "")[:200]
    told = await call.ask("files.list", page)
    rows = msgspec.convert(told["rows"], list[KeptFile])
    return answer(files.list_json([_shown(call, row) for row in rows], told["has_more"]))


async def delete(call: Call) -> Response:
    """It is gone, and its content with it unless another file has the same."""
    pin = _pin(call)
    if pin is not None:
        await app_batches_there.delete_file(call, pin)
        return answer({"id": call.request.path_params["id"], "object": "file", "deleted": True})
    id = _id(call)
    if not await _asked(call, "files.delete", {"tenant": tenant(call), "id": id}):
        raise files.unknown_file()
    if _is_anthropics(call):
        return answer({"id": id, "type": "file_deleted"})
    return answer({"id": id, "object": "file", "deleted": True})


async def _file(call: Call) -> KeptFile:
    told = await _asked(call, "files.get", {"tenant": tenant(call), "id": _id(call)})
    return msgspec.convert(told, KeptFile)


def _pin(call: Call) -> Pin | None:
    """Where a file lives that a provider's batch made; None for files that are kept here, and unknown ids."""
    _check_mode(call)
    return None if _is_anthropics(call) else app_batches_there.file_pin(call)


def _id(call: Call) -> str:
    _check_mode(call)
    found: str = call.request.path_params["id"]
    if not is_ours(files.PREFIX, found):
        raise files.unknown_file()
    return found


async def _asked(call: Call, verb: str, arguments: dict[str, Any]) -> Any:
    try:
        return await call.ask(verb, arguments)
    except CallerFault as fault:
        if fault.status == 404:
            raise files.unknown_file() from None  # with its field, which does not cross the channel
        fault.param = fault.param or "file"
        raise


def _is_anthropics(call: Call) -> bool:
    """Whether Anthropic's client asks, which has objects of its own."""
    return family_of(call.request) == "anthropic_messages"


def _shown(call: Call, file: KeptFile) -> dict[str, Any]:
    return files.metadata_json(file) if _is_anthropics(call) else files.file_json(file)


def _check_mode(call: Call) -> None:
    if call.house.storage.files == "off":
        message = "Files are not kept here: send documents and images inside the request, as data."
        raise CallerFault("not_kept", f"{message} The operator may set [storage] files.", status=404)


def _too_large(call: Call, room: int) -> CallerFault:
    most = call.house.storage.max_file_bytes
    if room < most:
        message = f"Your files may take {room:,} more bytes: delete some."
        return CallerFault("quota_exceeded", message, status=413, param="file")
    message = f"A file has at most {most:,} bytes here."
    return CallerFault("file_too_large", message, status=413, param="file")


ROUTES: Routes = [
    ("/v1/files", "key", {"GET": listed, "POST": create}),
    ("/v1/files/{id}", "key", {"GET": get, "DELETE": delete}),
    ("/v1/files/{id}/content", "key", {"GET": content}),
]
