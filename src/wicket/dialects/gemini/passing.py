"""Gemini to Gemini: bytes pass, and are read as far as the walk and the books need.

A finish reason that is a failure passes as it came: the caller's own dialect has the word for it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec.structs import astuple

from wicket.dialects.contract import Api, Body, Counts, Frame, Whole
from wicket.dialects.gemini.apis import COUNT, EMBED_MANY, GENERATE
from wicket.dialects.gemini.errors import in_band
from wicket.dialects.gemini.request_reading import NOT_THEIRS
from wicket.dialects.gemini.usage import Usage, grounding_counts, usage_counts
from wicket.errors import CallerFault, Fault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice

MAX_MODEL = 256
_UNSAFE = re.compile(r"[^A-Za-z0-9._~@/-]")
_WHOLE_NAMES = ("tunedModels/", "endpoints/", "publishers/")


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: Any = None


class _Content(msgspec.Struct):
    parts: list[dict[str, Any]] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: Any = None
    grounding_metadata: Any = None


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None
    error: Any = None


class _Counted(msgspec.Struct, rename="camel"):
    total_tokens: int | None = None
    embedding: Any = None
    embeddings: list[Any] | None = None
    usage_metadata: Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Answer).decode
_decode_counted = msgspec.json.Decoder(_Counted).decode
_decode_requests = msgspec.json.Decoder(list[Fields]).decode


def target(deployment: Deployment, api: Api, *, streamed: bool = False) -> str:
    """`base_path`, the model and the verb; as a stream with `alt=sse`. The name is escaped for a path."""
    model = _escaped(deployment.model.removeprefix("models/"))
    path = api.path.replace("/models/{model}", f"/{model}") if model.startswith(_WHOLE_NAMES) else api.path
    path = path.replace("{model}", model)
    query = [deployment.query] if deployment.query else []
    if streamed and api.can_stream:
        path = path.replace(":generateContent", ":streamGenerateContent")
        query.append("alt=sse")
    return f"{deployment.base_path}{deployment.path_template}{path}{'?' if query else ''}{'&'.join(query)}"


def _escaped(model: str) -> str:
    escaped = _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), model)
    return "/".join("%2E" * len(step) if step in (".", "..") else step for step in escaped.split("/"))


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The caller's bytes without our fields; models named inside are renamed to the deployment's."""
    dropped = tuple([name for name in deployment.remove if name in fields]) if deployment.remove else ()
    ours = tuple([name for name in NOT_THEIRS if name in fields])
    put = _renamed(fields, f"models/{deployment.model.removeprefix('models/')}", api)
    return Body(splice(fields, Edits(put=put, rename=deployment.rename, remove=ours + dropped)), dropped)


def _renamed(fields: Fields, model: str, api: Api) -> dict[str, bytes]:
    """A batch's requests and the request to be counted name the model of the path once more."""
    name = "requests" if api is EMBED_MANY else "generateContentRequest" if api is COUNT else ""
    if name not in fields:
        return {}
    named = msgspec.Raw(json.encode(model))
    try:
        if name == "requests":
            return {name: json.encode([{**one, "model": named} for one in _decode_requests(fields[name])])}
        return {name: json.encode({**json.decode(fields[name], type=Fields), "model": named})}
    except (msgspec.DecodeError, RecursionError):
        kind = "an array of objects" if name == "requests" else "an object"
        raise CallerFault("invalid_type", f"'{name}' must be {kind}.", param=name) from None


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer. A blocked prompt is one; an answer with neither candidates nor block is not."""
    try:
        if api.name != GENERATE.name:
            return _counted(data)
        is_list = data.lstrip()[:1] == b"["  # a stream's chunks as one array, or an error in a list
        chunks = json.decode(data, type=list[_Answer]) if is_list else [_decode(data)]
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None
    for chunk in chunks:
        if chunk.error is not None:
            raise in_band(chunk.error)
    if not any(chunk.candidates or _is_blocked(chunk) for chunk in chunks):
        raise UpstreamBroken("malformed", "The provider's answer has no candidates.")
    counts = [found for chunk in chunks if (found := _counts(chunk)) is not None]
    model = next((chunk.model_version for chunk in chunks if chunk.model_version), "")
    found = Counts(*map(max, *map(astuple, counts))) if len(counts) > 1 else next(iter(counts), None)
    return Whole(model[:MAX_MODEL], found)


def _counts(answer: _Answer) -> Counts | None:
    counts = usage_counts(answer.usage_metadata)
    for candidate in answer.candidates or ():
        if candidate.grounding_metadata is not None:
            counts = grounding_counts(counts, candidate.grounding_metadata)
    return counts


def _counted(data: bytes) -> Whole:
    answer = _decode_counted(data)
    if answer.error is not None:
        raise in_band(answer.error)
    if answer.total_tokens is None and answer.embedding is None and answer.embeddings is None:
        raise UpstreamBroken("malformed", "The provider's answer is not what it promised.")
    return Whole("", usage_counts(answer.usage_metadata))


def _malformed(error: object) -> Fault:
    return UpstreamBroken("malformed", f"The provider's answer is not what it promised: {str(error)[:300]}.")


def _is_blocked(answer: _Answer) -> bool:
    return answer.prompt_feedback is not None and bool(answer.prompt_feedback.block_reason)


def frame(data: bytes) -> Frame:
    """Read one chunk's payload. Every chunk carries the counts so far; a finish reason stands in the last."""
    try:
        answer = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error) from None
    if answer.error is not None:
        return Frame(fault=in_band(answer.error))
    spoke = finished = False
    for candidate in answer.candidates or ():
        parts = candidate.content.parts if candidate.content else None
        spoke = spoke or any(_has_output(part) for part in parts or ())
        finished = finished or bool(candidate.finish_reason)
    counts = _counts(answer)
    return Frame(
        spoke=spoke,
        finished=finished or _is_blocked(answer),
        is_usage=not answer.candidates and not _is_blocked(answer) and counts is not None,
        model=(answer.model_version or "")[:MAX_MODEL],
        counts=counts,
    )


def _has_output(part: dict[str, Any]) -> bool:
    return any(value not in (None, "", False) for name, value in part.items() if name != "thought")
