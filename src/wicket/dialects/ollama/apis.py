"""Ollama's own APIs. No caller of ours speaks them: they are where other dialects lead."""

from __future__ import annotations

from wicket.dialects.contract import Api

NAME = "ollama"

CHAT = Api(
    "ollama.chat", "/api/chat", can_stream=True, dialect=NAME, needs=("messages",), arrays=("messages",)
)
EMBED = Api(
    "ollama.embed", "/api/embed", can_stream=False, dialect=NAME, needs=("input",), subject="embeddings"
)
APIS = (CHAT, EMBED)
