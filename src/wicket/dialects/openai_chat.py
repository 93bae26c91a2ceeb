"""OpenAI's chat completions, completions and embeddings, and everything that speaks like them.

One API is our own: `classify`, which local models with labels answer and no provider does.

Source: OpenAI API reference (chat/completions, completions, embeddings; streaming with
`stream_options.include_usage`), and the error shapes providers really send (see `openai_errors`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from wicket.dialects.contract import Api, Body, Counts, Frame, Whole
from wicket.dialects.openai_errors import in_band, judge
from wicket.errors import CallerFault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice

__all__ = ["APIS", "body", "frame", "judge", "target", "whole"]

CHAT = Api("chat.completions", "/chat/completions", can_stream=True)
COMPLETIONS = Api("completions", "/completions", can_stream=True)
EMBEDDINGS = Api("embeddings", "/embeddings", can_stream=False)
CLASSIFY = Api("classify", "/classify", can_stream=False)
APIS = (CHAT, COMPLETIONS, EMBEDDINGS, CLASSIFY)

_OF_DATA = (EMBEDDINGS.name, CLASSIFY.name)  # these answer with `data`, the others with `choices`

# Fields of ours that never reach a provider, also when it is a router itself (contract §2).
OURS = ("models", "provider", "route", "wicket")
# Finish reasons that are failures by another name.
_FAILED_FINISHES = frozenset({"error", "network_error", "insufficient_system_resource"})


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek


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


class _XGroq(msgspec.Struct):
    usage: _Usage | None = None


class _Chunk(msgspec.Struct):
    choices: list[_ChunkChoice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    error: Any = None
    x_groq: _XGroq | None = None


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    data: list[msgspec.Raw] | None = None
    usage: _Usage | None = None
    model: str | None = None
    error: Any = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_T = TypeVar("_T")
MAX_TOKENS = 1 << 40
MAX_MODEL = 256  # characters of the upstream's own name for itself that are kept

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
    if streamed and deployment.usage_in_stream == "ask":
        put["stream_options"] = _with_usage(fields.get("stream_options"))
    dropped = tuple([name for name in deployment.remove if name in fields]) if deployment.remove else ()
    ours = tuple([name for name in OURS if name in fields])
    edits = Edits(put=put, rename=deployment.rename, remove=ours + dropped)
    return Body(splice(fields, edits), dropped)


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


def _counts(usage: _Usage | None) -> Counts | None:
    if usage is None or (usage.prompt_tokens is None and usage.total_tokens is None):
        return None
    prompt = usage.prompt_tokens or 0
    output = usage.completion_tokens or 0
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens if details else None) or usage.prompt_cache_hit_tokens or 0
    written = (details.cache_write_tokens if details else None) or 0
    thinking = usage.completion_tokens_details
    reasoning = (thinking.reasoning_tokens if thinking else None) or 0
    if reasoning > output:  # some providers report reasoning beside the output, not inside it
        output += reasoning
    counts = Counts(prompt, output, min(cached, prompt), written, reasoning)
    if min(prompt, output, cached, written, reasoning) < 0 or prompt + output + written > MAX_TOKENS:
        return None  # beyond belief is as good as not reported
    return counts


def _read(decode: Callable[[bytes], _T], data: bytes) -> _T:
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
    try:
        answer = _read(_decode_answer, data)
    except msgspec.DecodeError as error:
        raise UpstreamBroken(
            "malformed", f"The provider's answer is not what it promised: {error}."
        ) from None
    if answer.error:
        raise in_band(answer.error)
    parts = answer.data if api.name in _OF_DATA else answer.choices
    if parts is None:
        raise UpstreamBroken("malformed", "The provider's answer has no choices.")
    for choice in answer.choices or ():
        if choice.finish_reason in _FAILED_FINISHES:
            raise UpstreamBroken("failed_finish", f"The provider ended with '{choice.finish_reason}'.")
    return Whole((answer.model or "")[:MAX_MODEL], _counts(answer.usage))


def frame(data: bytes) -> Frame:
    """Read one frame's payload."""
    if data == b"[DONE]":
        return _DONE
    try:
        chunk = _read(_decode_chunk, data)
    except msgspec.DecodeError as error:
        message = f"The provider sent a stream frame that is not a chunk: {error}."
        raise UpstreamBroken("malformed", message) from None
    if chunk.error:
        return Frame(fault=in_band(chunk.error))
    usage = chunk.usage or (chunk.x_groq.usage if chunk.x_groq else None)
    choices = chunk.choices
    if not choices:
        counts = _counts(usage)
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
                return Frame(fault=fault)
            finished = True
        spoke = spoke or bool(choice.text) or _has_output(choice.delta)
    if not finished and usage is None:
        return _SPOKE if spoke else _SILENT
    return Frame(spoke=spoke, finished=finished, counts=_counts(usage), model=(chunk.model or "")[:MAX_MODEL])


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
