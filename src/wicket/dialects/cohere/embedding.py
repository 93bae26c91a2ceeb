"""Cohere's embeddings, version 2, as Cohere speaks them and as its callers do.

Cohere must be told what a text is for (`input_type`); who does not say it means documents, as Cohere's own
compatible endpoint and its SDKs' examples have it. Source: Cohere API reference (POST /v2/embed); recordings.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.cohere.apis import EMBED
from wicket.dialects.cohere.ranking import Meta, meta_counts, meta_of
from wicket.dialects.contract import Api, Body
from wicket.dialects.hub import unsayable
from wicket.dialects.subjects import (
    Texts,
    Vectors,
    checked,
    extras_of,
    left_out,
    texts_in,
    whole_number,
    word,
)
from wicket.dialects.translation import Asked, Side
from wicket.errors import UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Fields

_KNOWN = ("model", "texts", "input_type", "embedding_types", "output_dimension", "truncate")
_TASKS = {
    "search_document": "document",
    "search_query": "query",
    "classification": "classification",
    "clustering": "clustering",
}
_TYPES = {meaning: name for name, meaning in _TASKS.items()}
_CUTS = {"NONE": "none", "START": "start", "END": "end"}
_SAID = ("task", "dimensions", "truncate")


class _Embeddings(msgspec.Struct):
    floats: list[msgspec.Raw] | None = msgspec.field(name="float", default=None)


class Answer(msgspec.Struct):
    """An answer, as far as it is read."""

    embeddings: _Embeddings | None = None
    id: str | None = None
    meta: Meta | None = None


_decode = msgspec.json.Decoder(Answer).decode


def read_request(fields: Fields, api: Api) -> Texts:
    """A caller's request. Raises `CallerFault` naming the field."""
    for name in ("images", "inputs"):
        if name in fields:
            raise unsayable(name, "only texts can")
    texts = Texts(texts=texts_in(fields, "texts"), extras=extras_of(fields, _KNOWN))
    texts.note("dimensions", "output_dimension", whole_number(fields, "output_dimension"))
    texts.note("task", "input_type", word(fields, "input_type", _TASKS))
    texts.note("truncate", "truncate", word(fields, "truncate", _CUTS))
    raw = fields.get("embedding_types")
    if raw is not None and json.decode(raw) not in (None, [], ["float"]):
        raise unsayable("embedding_types", "floats only can")
    return texts


def write_answer(answer: Vectors, texts: Texts, asked: Asked) -> bytes:
    """The answer for a caller."""
    said: dict[str, Any] = {
        "id": answer.id or asked.id,
        "embeddings": {"float": list(answer.vectors)},
        "texts": texts.texts,
        "response_type": "embeddings_by_type",
        "meta": meta_of(answer.counts),
    }
    return json.encode(said)


def write_request(texts: Texts, deployment: Deployment) -> Body:
    """The body for Cohere. Raises `CallerFault` for what it has no word for."""
    task = texts.settings.get("task", "document")
    if task not in _TYPES:
        raise unsayable(texts.names["task"], f"Cohere knows {', '.join(_TYPES.values())}")
    body: dict[str, Any] = {
        "model": deployment.model,
        "texts": texts.texts,
        "input_type": _TYPES[task],
        "embedding_types": ["float"],
    }
    if "dimensions" in texts.settings:
        body["output_dimension"] = texts.settings["dimensions"]
    if "truncate" in texts.settings:
        body["truncate"] = texts.settings["truncate"].upper()
    return Body(json.encode({**body, **texts.extras}), left_out(texts, _SAID))


def decode(data: bytes) -> Answer:
    """An answer. Raises `UpstreamBroken`."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"The provider's answer is not what it promised: {str(error)[:300]}."
        raise UpstreamBroken("malformed", message) from None


def read_answer(data: bytes, texts: Texts) -> Vectors:
    """A provider's answer. Raises `UpstreamBroken`."""
    answer = decode(data)
    floats = answer.embeddings.floats if answer.embeddings is not None else None
    return Vectors(vectors=checked(floats or [], texts), id=answer.id or "", counts=meta_counts(answer.meta))


SIDE = Side(
    EMBED,
    write_request=write_request,
    read_answer=read_answer,
    read_request=read_request,
    write_answer=write_answer,
)
