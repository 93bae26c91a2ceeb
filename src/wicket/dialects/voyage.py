"""Ranking documents as Voyage AI does: Jina's way with `top_k`, texts alone, and `data` in the answer.

Source: Voyage AI's API reference (POST /v1/rerank), 2026-11.
"""

from __future__ import annotations

from wicket.dialects import jina
from wicket.dialects.contract import Api, Body, Whole
from wicket.dialects.hub import unsayable
from wicket.dialects.jina import body, frame, judge, read_ranking, target
from wicket.dialects.subjects import Documents, left_out
from wicket.dialects.translation import Side
from wicket.routing.deployment import Deployment
from wicket.wire import json

RERANK = Api("voyage.rerank", "/rerank", can_stream=False, dialect="voyage", needs=("query", "documents"))
APIS = (RERANK,)


def whole(data: bytes, api: Api) -> Whole:
    """Read a complete answer. Raises `UpstreamBroken`."""
    return jina.whole(data, api)


def write_documents(ask: Documents, deployment: Deployment) -> Body:
    """The body for Voyage. Raises `CallerFault` for what it has no word for."""
    dropped = left_out(ask, ("top_n", "return_documents"))
    for index, document in enumerate(ask.documents):
        if bytes(memoryview(document)[:1]) != b'"':
            raise unsayable(f"documents[{index}]", "only texts can")
    written: dict[str, object] = {"model": deployment.model, "query": ask.query, "documents": ask.documents}
    if "top_n" in ask.settings:
        written["top_k"] = ask.settings["top_n"]
    if "return_documents" in ask.settings:
        written["return_documents"] = True
    return Body(json.encode({**written, **ask.extras}), dropped)


SIDES = {"rerank": Side(RERANK, write_request=write_documents, read_answer=read_ranking)}

__all__ = ["APIS", "RERANK", "SIDES", "body", "frame", "judge", "target", "whole"]
