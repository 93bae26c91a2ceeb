"""Cohere's APIs. Callers come to rankings and embeddings; conversations come from other dialects only.

Version 1 of the ranking has the same fields and some more (`rank_fields`), and the same answer.
"""

from __future__ import annotations

from wicket.dialects.contract import Api, Way

NAME = "cohere"

CHAT = Api("cohere.chat", "/chat", can_stream=True, dialect=NAME, needs=("messages",), arrays=("messages",))
RERANK = Api(
    "rerank",
    "/rerank",
    can_stream=False,
    dialect=NAME,
    needs=("query", "documents"),
    arrays=("documents",),
    counts=("top_n", "max_tokens_per_doc"),
    ways=(Way("/v2/rerank"), Way("/v1/rerank")),
    subject="rerank",
    ability="rerank",
)
EMBED = Api(
    "cohere.embed",
    "/embed",
    can_stream=False,
    dialect=NAME,
    ways=(Way("/v2/embed"),),
    subject="embeddings",
    ability="embeddings",
)
APIS = (CHAT, RERANK, EMBED)
