"""Cohere's ranking of documents, version 2, as Cohere speaks it and as its callers do.

What Cohere bills is searches: a query with up to a hundred documents. Source: Cohere API reference
(POST /v2/rerank, `ApiMeta`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.cohere.apis import RERANK
from wicket.dialects.contract import Api, Body, Counts
from wicket.dialects.subjects import Documents, Ranked, Ranking, extras_of, left_out, ranked, whole_number
from wicket.dialects.translation import Asked, Side
from wicket.errors import CallerFault, UpstreamBroken
from wicket.routing.deployment import Deployment
from wicket.wire import fields as top
from wicket.wire import json
from wicket.wire.fields import Fields

MAX_UNITS = 1 << 40
_KNOWN = ("model", "query", "documents", "top_n", "max_tokens_per_doc", "return_documents", "priority")
_SETTINGS = ("top_n", "max_tokens_per_doc", "return_documents", "priority")


class _Units(msgspec.Struct):
    """Whole numbers that may be written as 5.0."""

    search_units: float | None = None
    input_tokens: float | None = None


class Meta(msgspec.Struct):
    """What an answer says of its cost."""

    billed_units: _Units | None = None
    tokens: _Units | None = None


class _Result(msgspec.Struct):
    index: int
    relevance_score: msgspec.Raw
    document: msgspec.Raw = msgspec.Raw()


class Answer(msgspec.Struct):
    """An answer, as far as it is read."""

    results: list[_Result] | None = None
    id: str | None = None
    meta: Meta | None = None


_decode = msgspec.json.Decoder(Answer).decode
_decode_documents = msgspec.json.Decoder(list[msgspec.Raw]).decode


def meta_counts(meta: Meta | None) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    units = meta.billed_units if meta is not None else None
    tokens = meta.tokens if meta is not None else None
    searches = (units.search_units if units is not None else None) or 0
    billed = units.input_tokens if units is not None else None
    given = (billed if billed is not None else tokens.input_tokens if tokens is not None else 0) or 0
    if units is None and tokens is None:
        return None
    if not (0 <= searches <= MAX_UNITS and 0 <= given <= MAX_UNITS):
        return None
    return Counts(input_tokens=int(given), searches=int(searches))


def meta_of(counts: Counts | None) -> dict[str, Any]:
    """The reverse."""
    billed = {}
    if counts is not None and counts.searches:
        billed["search_units"] = counts.searches
    if counts is not None and counts.input_tokens:
        billed["input_tokens"] = counts.input_tokens
    return {"api_version": {"version": "2"}, "billed_units": billed}


def read_request(fields: Fields, api: Api) -> Documents:
    """A caller's request. Raises `CallerFault` naming the field."""
    query = top.text(fields, "query")
    if query is None:
        raise CallerFault("missing_field", "'query' is required.", param="query")
    ask = Documents(
        query=query, documents=_decode_documents(fields["documents"]), extras=extras_of(fields, _KNOWN)
    )
    for index, document in enumerate(ask.documents):
        if bytes(memoryview(document)[:1]) not in (b'"', b"{"):
            name = f"documents[{index}]"
            raise CallerFault("invalid_type", f"'{name}' must be a text or an object.", param=name)
    for name in ("top_n", "max_tokens_per_doc"):
        ask.note(name, name, whole_number(fields, name))
    if top.flag(fields, "return_documents"):
        ask.note("return_documents", "return_documents", True)
    if "priority" in fields:
        ask.note("priority", "priority", fields["priority"])
    return ask


def write_answer(answer: Ranking, ask: Documents, asked: Asked) -> bytes:
    """The answer for a caller; documents only if it asked for them."""
    results: list[dict[str, Any]] = []
    for one in answer.results:
        result: dict[str, Any] = {"index": one.index, "relevance_score": one.score}
        if "return_documents" in ask.settings:
            given = one.document if bytes(one.document) not in (b"", b"null") else ask.documents[one.index]
            result["document"] = _document(given)
        results.append(result)
    return json.encode({"id": answer.id or asked.id, "results": results, "meta": meta_of(answer.counts)})


def _document(raw: msgspec.Raw) -> Any:
    """Cohere gives texts back as objects."""
    return {"text": raw} if bytes(memoryview(raw)[:1]) == b'"' else raw


def write_request(ask: Documents, deployment: Deployment) -> Body:
    """The body for Cohere."""
    body: dict[str, Any] = {"model": deployment.model, "query": ask.query, "documents": ask.documents}
    given = {name: ask.settings[name] for name in _SETTINGS if name in ask.settings}
    return Body(json.encode({**body, **given, **ask.extras}), left_out(ask, _SETTINGS))


def decode(data: bytes) -> Answer:
    """An answer. Raises `UpstreamBroken`."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"The provider's answer is not what it promised: {str(error)[:300]}."
        raise UpstreamBroken("malformed", message) from None


def read_answer(data: bytes, ask: Documents) -> Ranking:
    """A provider's answer. Raises `UpstreamBroken`."""
    answer = decode(data)
    if answer.results is None:
        raise UpstreamBroken("malformed", "The provider's answer has no results.")
    results = [Ranked(one.index, one.relevance_score, one.document) for one in answer.results]
    return Ranking(results=ranked(results, ask), id=answer.id or "", counts=meta_counts(answer.meta))


SIDE = Side(
    RERANK,
    write_request=write_request,
    read_answer=read_answer,
    read_request=read_request,
    write_answer=write_answer,
)
