"""Cohere to Cohere: target, body, and what the walk reads of answers that pass as they came.

Callers come to rankings and embeddings; of chats this is for whoever checks recordings.
"""

from __future__ import annotations

import msgspec

from wicket.dialects.cohere import embedding, ranking
from wicket.dialects.cohere.answers import decode_answer, malformed
from wicket.dialects.cohere.apis import EMBED, RERANK
from wicket.dialects.cohere.endings import read_finish, usage_counts
from wicket.dialects.cohere.errors import in_stream
from wicket.dialects.cohere.stream_reading import decode_event
from wicket.dialects.contract import Api, Body, Frame, Whole
from wicket.errors import UpstreamBroken
from wicket.routing.deployment import OURS, Deployment
from wicket.wire import json
from wicket.wire.fields import Edits, Fields, splice

_SAID = frozenset({"content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta"})


def target(deployment: Deployment, api: Api, *, streamed: bool = False) -> str:
    """`base_path` + template + the API's path + query."""
    query = f"?{deployment.query}" if deployment.query else ""
    return f"{deployment.base_path}{deployment.path_template}{api.path}{query}"


def body(fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
    """The caller's bytes with the model renamed and our fields removed."""
    dropped = tuple([name for name in deployment.remove if name in fields])
    ours = tuple([name for name in OURS if name in fields])
    put = {"model": json.encode(deployment.model)}
    return Body(splice(fields, Edits(put=put, rename=deployment.rename, remove=ours + dropped)), dropped)


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer. Raises `UpstreamBroken`. Cohere does not say which model answered."""
    if api.name == RERANK.name:
        ranking_answer = ranking.decode(data)
        if ranking_answer.results is None:
            raise malformed("it has no results")
        return Whole("", ranking.meta_counts(ranking_answer.meta))
    if api.name == EMBED.name:
        found = embedding.decode(data)
        if found.embeddings is None:
            raise malformed("it has no embeddings")
        return Whole("", ranking.meta_counts(found.meta))
    try:
        answer = decode_answer(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(error) from None
    read_finish(answer.finish_reason, has_calls=False)
    return Whole("", usage_counts(answer.usage))


def frame(data: bytes) -> Frame:
    """Read one event's payload."""
    if data == b"[DONE]":
        return Frame()
    try:
        event = decode_event(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise malformed(error) from None
    if event.type in ("error", "stream-error") or (not event.type and event.message):
        return Frame(fault=in_stream(data))
    if event.type != "message-end":
        return Frame(spoke=event.type in _SAID)
    word = (event.delta.finish_reason if event.delta else None) or ""
    try:
        read_finish(word, has_calls=False, error=(event.delta.error if event.delta else None) or "")
    except UpstreamBroken as fault:
        return Frame(fault=fault)
    counts = usage_counts(event.delta.usage if event.delta else None)
    return Frame(finished=True, is_done=True, goes_out=True, counts=counts)
