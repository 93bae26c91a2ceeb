"""Ranking documents as Jina does, and after it vLLM, llama.cpp, Together, OpenRouter and others.

All of them are OpenAI-like otherwise: this dialect is where their `rerank` leads (`providers/rows.toml`).
Some answer with `data` in place of `results` (Fireworks), some count by `total_tokens` alone, SiliconFlow in
`tokens` (or, as Cohere's first version did, in `meta`), OpenRouter passes on Cohere's search units. Source:
Jina's reranker API, vLLM's and llama.cpp's servers, Together's, Novita's, OpenRouter's, Fireworks'
(docs.fireworks.ai/api-reference/rerank-documents) and SiliconFlow's (docs.siliconflow.com/en/api-reference/
rerank/create-rerank) references (2026-11).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wicket.dialects.contract import Api, Body, Counts, Frame, Whole
from wicket.dialects.openai_errors import in_band
from wicket.dialects.openai_errors import judge as judge_any
from wicket.dialects.subjects import Documents, Ranked, Ranking, left_out, ranked
from wicket.dialects.translation import Side
from wicket.errors import Fault, UpstreamBroken
from wicket.routing.deployment import OURS, Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice

RERANK = Api("jina.rerank", "/rerank", can_stream=False, dialect="jina", needs=("query", "documents"))
APIS = (RERANK,)
MAX_MODEL = 256
MAX_TOKENS = 1 << 40
_SAID = ("top_n", "return_documents")


class _Result(msgspec.Struct):
    index: int
    relevance_score: msgspec.Raw
    document: msgspec.Raw = msgspec.Raw()


class _Usage(msgspec.Struct):
    total_tokens: int | None = None
    prompt_tokens: int | None = None
    search_units: int | None = None


class Answer(msgspec.Struct):
    """An answer, as far as it is read."""

    results: list[_Result] | None = None
    data: list[_Result] | None = None
    id: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    tokens: Any = None
    meta: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(Answer).decode


def target(deployment: Deployment, api: Api, *, streamed: bool = False) -> str:
    """`base_path` + the API's path + query."""
    query = f"?{deployment.query}" if deployment.query else ""
    return f"{deployment.base_path}{api.path}{query}"


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The same bytes with the model renamed and our fields removed; nobody comes in this dialect yet."""
    ours = tuple([name for name in OURS if name in fields])
    return Body(splice(fields, Edits(put={"model": json.encode(deployment.model)}, remove=ours)))


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status."""
    return judge_any(status, headers, body)


def decode(data: bytes) -> Answer:
    """An answer. Raises `UpstreamBroken`, or the fault that it tells of."""
    try:
        answer = _decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        message = f"The provider's answer is not what it promised: {str(error)[:300]}."
        raise UpstreamBroken("malformed", message) from None
    if answer.error:
        raise in_band(answer.error)
    if answer.results is None and answer.data is None:
        raise UpstreamBroken("malformed", "The provider's answer has no results.")
    return answer


def counts_of(answer: Answer) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    usage = answer.usage or _Usage(total_tokens=_input_tokens(answer))
    tokens = usage.prompt_tokens if usage.total_tokens is None else usage.total_tokens
    if tokens is None and usage.search_units is None:
        return None
    counts = Counts(input_tokens=tokens or 0, searches=usage.search_units or 0)
    is_sane = 0 <= counts.input_tokens <= MAX_TOKENS and 0 <= counts.searches <= MAX_TOKENS
    return counts if is_sane else None


def _input_tokens(answer: Answer) -> int | None:
    tokens = answer.tokens if answer.tokens is not None else _member(answer.meta, "tokens")
    found = _member(tokens, "input_tokens")
    return found if type(found) is int else None


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer. Raises `UpstreamBroken`."""
    answer = decode(data)
    return Whole((answer.model or "")[:MAX_MODEL], counts_of(answer))


def frame(data: bytes) -> Frame:
    """Nothing here streams."""
    raise UpstreamBroken("malformed", "The provider streamed an answer that comes whole.")


def write_documents(ask: Documents, deployment: Deployment) -> Body:
    """The body for a provider. Raises `CallerFault` for what it has no word for."""
    dropped = left_out(ask, _SAID)
    given = {name: ask.settings[name] for name in _SAID if name in ask.settings}
    written = {"model": deployment.model, "query": ask.query, "documents": ask.documents}
    return Body(json.encode({**written, **given, **ask.extras}), dropped)


def read_ranking(data: bytes, ask: Documents) -> Ranking:
    """A provider's answer. Raises `UpstreamBroken`."""
    answer = decode(data)
    found = answer.results if answer.results is not None else answer.data or []
    results = [Ranked(one.index, one.relevance_score, one.document) for one in found]
    return Ranking(
        results=ranked(results, ask),
        id=answer.id or "",
        model=answer.model or "",
        counts=counts_of(answer),
    )


SIDES = {"rerank": Side(RERANK, write_request=write_documents, read_answer=read_ranking)}
