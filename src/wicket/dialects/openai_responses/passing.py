"""Responses to Responses: bytes pass, and are read as far as the walk and the books need.

Two things don't pass: thoughts of another family that we had wrapped for the caller (`carrier`), and an
answer that is to be fetched later, for nothing is kept here. A stream's last event waits for our cost.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from wicket.dialects.contract import REMOTE_ID, Api, Body, Counts, Frame, Progress, Whole
from wicket.dialects.openai_chat.passing import MAX_MODEL, read, target
from wicket.dialects.openai_responses.answers import COMPLETED, REASONS
from wicket.dialects.openai_responses.apis import COMPACT, INPUT_TOKENS
from wicket.dialects.openai_responses.carrier import MARK, is_carried
from wicket.dialects.openai_responses.faults import failure
from wicket.dialects.openai_responses.usage import Usage, hosted_tools, is_search, usage_counts
from wicket.dialects.translation import Asked, Ending
from wicket.errors import CallerFault, UpstreamBroken
from wicket.routing.deployment import OURS, Deployment
from wicket.wire import fields as top
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice

__all__ = ["body", "frame", "last_frames", "progress", "target", "whole"]

_MARK = MARK.encode()
_TERMINAL = ("response.completed", "response.incomplete")
_FAILED = ("response.failed", "response.cancelled")
_BEGUN = ("queued", "in_progress")
_NOT_KEPT = (
    "'background' answers are fetched later by their id, and this one would not be kept: leave it out, "
    'stream the answer, or have the operator set [storage] responses to "provider".'
)


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = msgspec.Raw()
    error: Any = None
    code: Any = None
    message: Any = None


class _Details(msgspec.Struct):
    reason: Any = None


class _Response(msgspec.Struct):
    id: Any = None
    status: Any = None
    model: str | None = None
    error: Any = None
    incomplete_details: _Details | None = None
    usage: Usage | None = None
    service_tier: Any = None
    output: list[msgspec.Raw] | None = None
    input_tokens: int | None = None


class _Item(msgspec.Struct):
    type: Any = None
    encrypted_content: Any = None


class _Call(msgspec.Struct):
    type: Any = None
    action: Any = None


_decode_call = msgspec.json.Decoder(_Call).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(_Response).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_item = msgspec.json.Decoder(_Item).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_HOSTED = re.compile(rb"(?:web_search|file_search|code_interpreter|image_generation)_call")
_SPOKE = Frame(spoke=True)
_SILENT = Frame()


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The caller's bytes with the model renamed and our fields removed. Raises `CallerFault`."""
    if not (streamed or api.is_later) and "background" in fields and top.flag(fields, "background"):
        raise CallerFault("not_kept", _NOT_KEPT, param="background")
    put = {"model": json.encode(deployment.model)}
    kept, carried = _without_carried(fields)
    if kept is not None:
        put["input"] = kept
    removed = tuple([name for name in deployment.remove if name in fields]) if deployment.remove else ()
    ours = tuple([name for name in OURS if name in fields])
    edits = Edits(put=put, rename=deployment.rename, remove=ours + removed)
    return Body(splice(fields, edits), carried + removed)


def _without_carried(fields: Fields) -> tuple[bytes | None, tuple[str, ...]]:
    """The input without our own reasoning items and the paths of those; None where there is none."""
    raw = fields.get("input")
    if raw is None or _MARK not in bytes(raw):
        return None, ()
    try:
        items = _decode_items(raw)
    except (msgspec.DecodeError, RecursionError):
        return None, ()  # a string
    kept = [item for item in items if not _is_ours(item)]
    if len(kept) == len(items):
        return None, ()
    return json.encode(kept), tuple(f"input[{at}]" for at, item in enumerate(items) if _is_ours(item))


def _is_ours(raw: msgspec.Raw) -> bool:
    if _MARK not in bytes(raw):
        return False
    try:
        item = _decode_item(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return item.type == "reasoning" and is_carried(item.encrypted_content)


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer. One that failed, or that is only queued, is none."""
    try:
        answer = read(_decode_response, data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None
    if answer.error or answer.status == "failed":
        raise failure(answer.error)
    if api.is_later and answer.status in _BEGUN:
        return Whole((answer.model or "")[:MAX_MODEL], Counts())
    if api.name == INPUT_TOKENS.name:
        if answer.input_tokens is None:
            raise UpstreamBroken("malformed", "The provider's answer has no count.")
        return Whole("", Counts())  # counting costs nothing
    if answer.output is None:
        raise UpstreamBroken("malformed", "The provider's answer has no output.")
    if api.name != COMPACT.name and answer.status not in (*COMPLETED, "incomplete"):
        shown = answer.status[:40] if isinstance(answer.status, str) else "nothing"
        raise UpstreamBroken("failed_finish", f"The provider ended with {shown!r}.")
    return Whole((answer.model or "")[:MAX_MODEL], _counts(answer))


def progress(data: bytes) -> Progress:
    """How far an answer made in the background is. Raises `UpstreamBroken` for what is none.

    Source: OpenAI's guide "Background mode" and its OpenAPI description, `Response.status`: queued and
    in_progress, then completed, incomplete, failed or cancelled. Nobody pays for a failed one; one that was
    called off has used what it says.
    """
    try:
        answer = read(_decode_response, data)
        counts = _counts(answer)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None
    if not isinstance(answer.id, str) or not REMOTE_ID.fullmatch(answer.id):
        raise _malformed("no id that could be asked for")
    begun = Progress(answer.id, model=(answer.model or "")[:MAX_MODEL], counts=counts)
    if answer.status in _BEGUN:
        return begun
    if answer.status in (*COMPLETED, "incomplete"):
        return msgspec.structs.replace(begun, outcome="ok", is_paid=True)
    if answer.status == "cancelled":
        return msgspec.structs.replace(begun, outcome="cancelled", is_paid=True)
    if answer.status == "failed":
        return msgspec.structs.replace(begun, outcome=failure(answer.error).code)
    raise _malformed("a status that is unknown")


def _counts(answer: _Response) -> Counts | None:
    found = [raw for raw in answer.output or () if _HOSTED.search(raw)]
    items = [msgspec.structs.asdict(_call(raw)) for raw in found]
    searches = sum([is_search(item) for item in items])
    return usage_counts(answer.usage, answer.service_tier, searches, hosted_tools(items))


def _call(raw: msgspec.Raw) -> _Call:
    try:
        return _decode_call(raw)
    except (msgspec.DecodeError, RecursionError):  # no item at all
        return _Call()


def _malformed(error: object) -> UpstreamBroken:
    text = f"The provider's answer is not what it promised: {str(error)[:300]}."
    return UpstreamBroken("malformed", text)


def frame(data: bytes) -> Frame:
    """Read one event. The last one is held back: it is the usage frame, and the end."""
    if data == b"[DONE]":
        return _SILENT
    try:
        event = read(_decode_event, data)
        name = event.type
        if name.endswith(".delta") or name == "response.output_item.done":
            return _SPOKE
        if name == "error" or (not name and event.error):
            told = event.error if isinstance(event.error, dict) else None
            return Frame(fault=failure(told or {"code": event.code, "message": event.message}))
        if name not in _TERMINAL and name not in _FAILED:
            return _SILENT
        answer = read(_decode_response, event.response or b"{}")
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None
    if name in _FAILED or answer.error:
        return Frame(fault=failure(answer.error))
    reason = answer.incomplete_details.reason if answer.incomplete_details is not None else None
    if name == "response.incomplete" and (not isinstance(reason, str) or reason not in REASONS):
        shown = reason[:40] if isinstance(reason, str) else "nothing"
        return Frame(fault=UpstreamBroken("failed_finish", f"The provider ended with {shown!r}."))
    return Frame(
        finished=True,
        is_usage=True,
        is_done=True,
        model=(answer.model or "")[:MAX_MODEL],
        counts=_counts(answer),
    )


def last_frames(asked: Asked, ending: Ending) -> bytes:
    """The provider's last event with our cost in its usage, all else as it came."""
    if not ending.usage_frame:
        return b""
    try:
        event = _decode_fields(ending.usage_frame)
        name = json.decode(event.get("type", msgspec.Raw(b'""')), type=str)
        data = _with_cost(event, ending)
    except (msgspec.DecodeError, RecursionError):
        return b"data: %b\n\n" % ending.usage_frame.replace(b"\n", b" ")
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data.replace(b"\n", b" "))


def _with_cost(event: Fields, ending: Ending) -> bytes:
    response = _decode_fields(event["response"])
    raw = response.get("usage")
    usage: dict[str, Any] = {}
    if raw is not None and bytes(raw) != b"null":
        usage |= _decode_fields(raw)
    else:
        usage["input_tokens"] = ending.counts.input_tokens
        usage["output_tokens"] = ending.counts.output_tokens
        usage["total_tokens"] = ending.counts.input_tokens + ending.counts.output_tokens
    if ending.is_estimated:
        usage["is_estimated"] = True
    if ending.cost_usd is not None:
        usage["cost"] = ending.cost_usd
    response["usage"] = msgspec.Raw(json.encode(usage))
    event["response"] = msgspec.Raw(json.encode(response))
    return json.encode(event)
