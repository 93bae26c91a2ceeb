"""OpenAI's family to OpenAI's family: bytes pass, and are read as far as the walk and the books need.

Source: OpenAI API reference (chat/completions, completions, embeddings; streaming with
`stream_options.include_usage`), and the error shapes providers really send (see `openai_errors`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from wicket.dialects.contract import Api, Body, Frame, Whole
from wicket.dialects.openai_chat.apis import CHAT, OF_DATA
from wicket.dialects.openai_chat.media import is_media, read_json
from wicket.dialects.openai_chat.messages_edit import edited
from wicket.dialects.openai_chat.usage import Usage, usage_counts
from wicket.dialects.openai_errors import in_band, of_base_resp
from wicket.dialects.translation import Asked, Ending
from wicket.errors import CallerFault, UpstreamBroken
from wicket.routing.deployment import OURS, Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice
from wicket.wire.form import Form

# Finish reasons that are failures by another name.
_FAILED_FINISHES = frozenset({"error", "network_error", "insufficient_system_resource"})


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _ChunkChoice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None  # Moonshot


class _XGroq(msgspec.Struct):
    usage: Usage | None = None


class _Chunk(msgspec.Struct):
    choices: list[_ChunkChoice] | None = None
    usage: Usage | None = None
    model: str | None = None
    error: Any = None
    base_resp: Any = None  # MiniMax
    x_groq: _XGroq | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    data: list[msgspec.Raw] | None = None
    usage: Usage | None = None
    model: str | None = None
    error: Any = None
    base_resp: Any = None  # MiniMax


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_T = TypeVar("_T")
MAX_MODEL = 256  # characters of the upstream's own name for itself that are kept

END_MARK = b"data: [DONE]\n\n"
_SPOKE = Frame(spoke=True)
_SILENT = Frame()
_DONE = Frame(is_done=True)


def target(deployment: Deployment, api: Api, *, streamed: bool = False) -> str:
    """`base_path` + template + the API's path + query."""
    middle = deployment.path_template.replace("{model}", deployment.model)
    query = f"?{deployment.query}" if deployment.query else ""
    return f"{deployment.base_path}{middle}{api.path}{query}"


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The caller's bytes with the model renamed, our fields removed and usage asked for in streams."""
    put = {"model": _model_name(deployment.model)}
    if streamed and deployment.usage_in_stream == "ask" and not api.is_media:
        put["stream_options"] = _with_usage(fields.get("stream_options"))
    if deployment.quirks.edits_messages and api is CHAT and "messages" in fields:
        put |= _messages(fields, deployment)
    dropped = tuple([name for name in deployment.remove if name in fields]) if deployment.remove else ()
    ours = tuple([name for name in OURS if name in fields])
    edits = Edits(put=put, rename=deployment.rename, remove=ours + dropped)
    if isinstance(fields, Form):
        return Body(fields.edited(edits), dropped, fields.content_type)
    return Body(splice(fields, edits), dropped)


def _messages(fields: Fields, deployment: Deployment) -> dict[str, bytes]:
    given = bytes(fields["messages"])
    written = edited(given, deployment.quirks)
    return {"messages": written} if written is not given else {}


@lru_cache(maxsize=4096)
def _model_name(model: str) -> bytes:
    return json.encode(model)


def wants_usage(fields: Fields) -> bool:
    """Whether the caller asked for the usage frame itself. Raises `CallerFault` for options of no use."""
    raw = fields.get("stream_options")
    if raw is None:
        return False
    options = json.decode(raw)
    if options is None:
        return False
    if not isinstance(options, dict):
        raise CallerFault("invalid_type", "'stream_options' must be an object.", param="stream_options")
    return options.get("include_usage") is True


def _with_usage(raw: msgspec.Raw | None) -> bytes:
    options = json.decode(raw) if raw is not None else None
    if not isinstance(options, dict):
        return b'{"include_usage":true}'
    return json.encode({**options, "include_usage": True})


def read(decode: Callable[[bytes], _T], data: bytes) -> _T:
    """Decode; half a surrogate pair (an emoji cut between two chunks) is no text, but no reason to fail."""
    try:
        return decode(data)
    except msgspec.DecodeError:
        mended = _SURROGATE.sub(rb"\\ufffd", data)
        if mended == data:
            raise
        return decode(mended)


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer; an error inside a 200 or an answer without choices is a failure."""
    if is_media(api):
        return read_json(data, api)
    try:
        answer = read(_decode_answer, data)
    except msgspec.DecodeError as error:
        raise UpstreamBroken(
            "malformed", f"The provider's answer is not what it promised: {error}."
        ) from None
    if answer.error:
        raise in_band(answer.error)
    fault = of_base_resp(answer.base_resp)
    if fault is not None:
        raise fault
    parts = answer.data if api.name in OF_DATA else answer.choices
    if parts is None:
        raise UpstreamBroken("malformed", "The provider's answer has no choices.")
    for choice in answer.choices or ():
        if choice.finish_reason in _FAILED_FINISHES:
            raise UpstreamBroken("failed_finish", f"The provider ended with '{choice.finish_reason}'.")
    return Whole((answer.model or "")[:MAX_MODEL], usage_counts(answer.usage))


def frame(data: bytes) -> Frame:
    """Read one frame's payload."""
    if data == b"[DONE]":
        return _DONE
    try:
        chunk = read(_decode_chunk, data)
    except msgspec.DecodeError as error:
        message = f"The provider sent a stream frame that is not a chunk: {error}."
        raise UpstreamBroken("malformed", message) from None
    usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq else None)
    if chunk.error:  # OpenRouter's says what was used until then, which it bills
        return Frame(fault=in_band(chunk.error), counts=usage_counts(usage))
    fault = of_base_resp(chunk.base_resp)
    if fault is not None:
        return Frame(fault=fault, counts=usage_counts(usage))
    choices = chunk.choices
    if not choices:
        counts = usage_counts(usage)
        return (
            Frame(is_usage=counts is not None, counts=counts, model=(chunk.model or "")[:MAX_MODEL])
            if counts
            else _SILENT
        )
    spoke = finished = False
    for choice in choices:
        reason = choice.finish_reason
        if reason:
            if reason in _FAILED_FINISHES:
                fault = UpstreamBroken("failed_finish", f"The provider ended with '{reason}'.")
                return Frame(fault=fault, counts=usage_counts(usage))
            finished = True
        spoke = spoke or bool(choice.text) or _has_output(choice.delta)
        usage = usage or choice.usage
    if not finished and usage is None:
        return _SPOKE if spoke else _SILENT
    return Frame(
        spoke=spoke, finished=finished, counts=usage_counts(usage), model=(chunk.model or "")[:MAX_MODEL]
    )


def _has_output(delta: _Delta | None) -> bool:
    return delta is not None and bool(
        delta.content
        or delta.tool_calls
        or delta.reasoning_content
        or delta.reasoning
        or delta.refusal
        or delta.function_call
        or delta.audio
    )


def last_frames(asked: Asked, ending: Ending) -> bytes:
    """The usage frame if it is wanted (the provider's with our cost in it, or an estimate), then `[DONE]`."""
    frame = _usage_frame(asked, ending) if asked.wants_usage else b""
    return frame + END_MARK


def _usage_frame(asked: Asked, ending: Ending) -> bytes:
    if ending.usage_frame:
        try:
            return _with_cost(json.decode(ending.usage_frame), ending)
        except (json.DecodeError, OverflowError):  # it holds a number that we can't write
            pass
    frame: dict[str, Any] = {"id": asked.id, "object": "chat.completion.chunk", "choices": []}
    return _with_cost({**frame, "created": asked.created_s, "model": ending.model}, ending)


def _with_cost(frame: dict[str, Any], ending: Ending) -> bytes:
    reported = frame.get("usage") or {
        "prompt_tokens": ending.counts.input_tokens,
        "completion_tokens": ending.counts.output_tokens,
        "total_tokens": ending.counts.input_tokens + ending.counts.output_tokens,
    }
    if ending.is_estimated:
        reported["is_estimated"] = True
    if ending.cost_usd is not None:
        reported["cost"] = ending.cost_usd
    frame["usage"] = reported
    return b"data: %b\n\n" % json.encode(frame)
