"""OpenAI's embeddings between families: texts in, vectors out.

`input_type` is no field of OpenAI's, but of several that speak like it; callers say by it what a text is for.
Source: OpenAI API reference (embeddings); Voyage's and NVIDIA's `input_type`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Api, Body
from wicket.dialects.openai_chat.apis import EMBEDDINGS
from wicket.dialects.openai_chat.usage import Usage, usage_counts
from wicket.dialects.openai_errors import in_band
from wicket.dialects.subjects import (
    Texts,
    Vectors,
    checked,
    extras_of,
    left_out,
    packed,
    texts_in,
    unpacked,
    whole_number,
    word,
)
from wicket.dialects.translation import Asked, Side
from wicket.errors import UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire import fields as top
from wicket.wire import json
from wicket.wire.fields import Fields

_KNOWN = ("model", "input", "dimensions", "encoding_format", "user", "input_type")
_FORMATS = {"float": "float", "base64": "base64"}
_TASKS = {
    "query": "query",
    "search_query": "query",
    "document": "document",
    "passage": "document",
    "search_document": "document",
    "classification": "classification",
    "clustering": "clustering",
}


class _Item(msgspec.Struct):
    embedding: msgspec.Raw
    index: int = -1


class _Answer(msgspec.Struct):
    data: list[_Item] | None = None
    model: str | None = None
    usage: Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Answer).decode


def read_request(fields: Fields, api: Api) -> Texts:
    """A caller's request. Raises `CallerFault` naming the field."""
    texts = Texts(
        texts=texts_in(fields, "input"),
        is_base64=word(fields, "encoding_format", _FORMATS) == "base64",
        extras=extras_of(fields, _KNOWN),
    )
    texts.note("dimensions", "dimensions", whole_number(fields, "dimensions"))
    texts.note("user", "user", top.text(fields, "user"))
    texts.note("task", "input_type", word(fields, "input_type", _TASKS))
    return texts


def write_answer(answer: Vectors, texts: Texts, asked: Asked) -> bytes:
    """The answer for a caller; numbers as they came, or as base64 if that was asked for."""
    embeddings: list[Any] = (
        [packed(one) for one in answer.vectors] if texts.is_base64 else list(answer.vectors)
    )
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(embeddings)]
    tokens = answer.counts.input_tokens if answer.counts is not None else 0
    return json.encode(
        {
            "object": "list",
            "data": data,
            "model": answer.model or asked.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def write_request(texts: Texts, deployment: Deployment) -> Body:
    """The body for a provider. Raises `CallerFault` for what it has no word for."""
    dropped = left_out(texts, ("dimensions", "user"))
    given = {name: texts.settings[name] for name in ("dimensions", "user") if name in texts.settings}
    return Body(
        json.encode({"model": deployment.model, "input": texts.texts, **given, **texts.extras}), dropped
    )


def read_answer(data: bytes, texts: Texts) -> Vectors:
    """A provider's answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    try:
        answer = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"The provider's answer is not what it promised: {str(error)[:300]}."
        raise UpstreamBroken("malformed", message) from None
    if answer.error:
        raise in_band(answer.error)
    items = answer.data or []
    if all(item.index >= 0 for item in items):
        items = sorted(items, key=lambda item: item.index)
    vectors = [_vector(item.embedding) for item in items]
    return Vectors(
        vectors=checked(vectors, texts), model=answer.model or "", counts=usage_counts(answer.usage)
    )


def _vector(raw: msgspec.Raw) -> msgspec.Raw:
    return unpacked(json.decode(raw)) if bytes(memoryview(raw)[:1]) == b'"' else raw


SIDE = Side(
    EMBEDDINGS,
    write_request=write_request,
    read_answer=read_answer,
    read_request=read_request,
    write_answer=write_answer,
)
