"""Gemini's embeddings, one text or many, as the Gemini API speaks them and as its callers do.

Providers are always asked for many, which is the only one of the two that takes a list. Vertex AI has neither
for all models, so there only Gemini's own callers get through. Source: ai.google.dev/api/embeddings
(2026-11); recordings.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Api, Body
from wicket.dialects.gemini.apis import EMBED, EMBED_MANY
from wicket.dialects.gemini.errors import in_band
from wicket.dialects.gemini.usage import Usage, usage_counts
from wicket.dialects.hub import unsayable
from wicket.dialects.subjects import Texts, Vectors, checked, extras_of, left_out
from wicket.dialects.translation import Asked, Side
from wicket.errors import CallerFault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Fields

_TASKS = {
    "RETRIEVAL_QUERY": "query",
    "RETRIEVAL_DOCUMENT": "document",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
    "SEMANTIC_SIMILARITY": "similarity",
}
_WORDS = {meaning: word for word, meaning in _TASKS.items()}
_SAID = ("task", "dimensions", "title")
_MANY = {"model", "requests"}
_UNSPECIFIED = "TASK_TYPE_UNSPECIFIED"


class _One(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    content: Any = None
    model: Any = None
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None


class _Embedding(msgspec.Struct):
    values: msgspec.Raw


class _Answer(msgspec.Struct, rename="camel"):
    embeddings: list[_Embedding] | None = None
    embedding: _Embedding | None = None
    usage_metadata: Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Answer).decode
_decode_many = msgspec.json.Decoder(list[Fields]).decode


def read_request(fields: Fields, api: Api) -> Texts:
    """A caller's request. Raises `CallerFault` naming the field."""
    if api.name == EMBED.name:
        one = _one(fields, "")
        texts = Texts(texts=[_text(one, "")], is_single=True)
        _note(texts, one, "")
        return texts
    raw = fields.get("requests")
    try:
        requests = _decode_many(raw) if raw is not None else []
    except msgspec.DecodeError:
        message = "'requests' must be an array of objects."
        raise CallerFault("invalid_type", message, param="requests") from None
    if not requests:
        raise CallerFault("missing_field", "'requests' is required.", param="requests")
    found = [_one(each, f"requests[{index}].") for index, each in enumerate(requests)]
    texts = Texts(
        texts=[_text(one, f"requests[{index}].") for index, one in enumerate(found)],
        extras=extras_of(fields, _MANY),
    )
    for index, one in enumerate(found):
        for name in ("task_type", "title", "output_dimensionality"):
            if getattr(one, name) != getattr(found[0], name):
                raise unsayable(f"requests[{index}]", "all requests of a batch must ask for the same")
    _note(texts, found[0], "requests[0].")
    return texts


def _one(fields: Fields, where: str) -> _One:
    known = {name: raw for name, raw in fields.items() if name in _One.__struct_encode_fields__}
    for name in extras_of(fields, known):
        raise unsayable(f"{where}{name}")
    try:
        return json.decode(json.encode(known), type=_One)
    except msgspec.ValidationError as error:
        name = str(error).partition("`$.")[2].rstrip("`") or "content"
        raise CallerFault("invalid_type", f"'{where}{name}': {error}.", param=f"{where}{name}") from None


def _text(one: _One, where: str) -> str:
    """The single text of a content; several would be joined in a way that is Gemini's own."""
    content = one.content
    parts = content.get("parts") if isinstance(content, dict) else None
    parts = [parts] if isinstance(parts, dict) else parts
    if not isinstance(parts, list) or not parts:
        raise CallerFault("missing_field", f"'{where}content' needs a part.", param=f"{where}content")
    if len(parts) > 1:
        raise unsayable(f"{where}content.parts", "one text can")
    part = parts[0]
    text = part.get("text") if isinstance(part, dict) else None
    if not isinstance(text, str) or len(part) > 1:
        raise unsayable(f"{where}content.parts[0]", "only texts can")
    return text


def _note(texts: Texts, one: _One, where: str) -> None:
    task = one.task_type if one.task_type != _UNSPECIFIED else None
    texts.note("task", f"{where}taskType", _TASKS.get(task, task) if task is not None else None)
    texts.note("title", f"{where}title", one.title)
    texts.note("dimensions", f"{where}outputDimensionality", one.output_dimensionality)


def write_answer(answer: Vectors, texts: Texts, asked: Asked) -> bytes:
    """The answer for a caller."""
    embeddings = [{"values": vector} for vector in answer.vectors]
    said: dict[str, Any] = {"embedding": embeddings[0]} if texts.is_single else {"embeddings": embeddings}
    if answer.counts is not None:
        said["usageMetadata"] = {"promptTokenCount": answer.counts.input_tokens}
    return json.encode(said)


def write_request(texts: Texts, deployment: Deployment) -> Body:
    """The body for the Gemini API. Raises `CallerFault` for what it has no word for."""
    if "/publishers/" in deployment.base_path:
        message = f"{deployment.provider} takes embeddings in Gemini's own form only, as :embedContent."
        raise CallerFault("unsupported_by_provider", message, param="model")
    if texts.settings.get("truncate") in ("none", "start"):
        raise unsayable(texts.names["truncate"], "Gemini cuts ends by itself")
    model = f"models/{deployment.model.removeprefix('models/')}"
    settings: dict[str, Any] = {}
    task = texts.settings.get("task")
    if task is not None:
        settings["taskType"] = _WORDS.get(task, task)
    if "title" in texts.settings:
        settings["title"] = texts.settings["title"]
    if "dimensions" in texts.settings:
        settings["outputDimensionality"] = texts.settings["dimensions"]
    requests = [{"model": model, "content": {"parts": [{"text": text}]}, **settings} for text in texts.texts]
    return Body(json.encode({"requests": requests, **texts.extras}), left_out(texts, _SAID))


def read_answer(data: bytes, texts: Texts) -> Vectors:
    """A provider's answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    try:
        answer = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"The provider's answer is not what it promised: {str(error)[:300]}."
        raise UpstreamBroken("malformed", message) from None
    if answer.error is not None:
        raise in_band(answer.error)
    found = answer.embeddings or ([answer.embedding] if answer.embedding is not None else [])
    vectors = checked([one.values for one in found], texts)
    return Vectors(vectors=vectors, counts=usage_counts(answer.usage_metadata))


SIDE = Side(
    EMBED_MANY,
    write_request=write_request,
    read_answer=read_answer,
    read_request=read_request,
    write_answer=write_answer,
)
