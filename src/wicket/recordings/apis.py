"""Which dialect and API a recording belongs to, told by its path."""

from __future__ import annotations

import re

import msgspec

from wicket.recordings.hosts import PROVIDERS
from wicket.recordings.recording import Recording


class Place(msgspec.Struct, frozen=True):
    """`dialect` names a file in `dialects/`; `api` is the API's name in records."""

    dialect: str
    api: str


_CHAT = Place("openai_chat", "chat.completions")
_PLACES: tuple[tuple[str, Place], ...] = (
    (r".*/chat/completions", _CHAT),
    (r".*/(v1|openai/v1|openai/deployments/[^/]+)/completions", Place("openai_chat", "completions")),
    (r".*/(v1|openai)/embeddings", Place("openai_chat", "embeddings")),
    (r"(/.*)?/responses", Place("openai_responses", "responses")),
    (r".*/messages", Place("anthropic_messages", "messages")),
    (r".*:(g|streamG)enerateContent", Place("gemini", "generate")),
    (r"/model/.+/converse(-stream)?", Place("bedrock_converse", "converse")),
    (r"/v2/chat", Place("cohere", "chat")),
    (r"/api/chat", Place("ollama", "chat")),
)
_PATTERNS = tuple((re.compile(pattern), place) for pattern, place in _PLACES)


def place_of(recording: Recording) -> Place | None:
    """The conversation (or embeddings) a recording is of; None for anything else: files, counts, pictures."""
    if recording.method != "POST" or recording.provider not in PROVIDERS:
        return None
    path = recording.path.split("#", 1)[0]
    return next((place for pattern, place in _PATTERNS if pattern.fullmatch(path)), None)
