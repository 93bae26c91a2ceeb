"""Ollama's own API (`/api/chat`, `/api/embed`), as Ollama and Ollama Cloud speak it.

| file | holds |
|---|---|
| `apis` | the APIs |
| `embedding` | texts as vectors |
| `passing` | target, what the walk reads of answers |
| `request_writing`, `turn_writing` | a conversation as a body |
| `answers` | answers, whole and streamed, as the hub's parts and deltas |
| `lines` | the lines of JSON that streams come in |
| `errors` | Ollama's errors judged |

Source: Ollama's `docs/api.md` and `api/types.go` (2026-08).
"""

from __future__ import annotations

from wicket.dialects.ollama.answers import OllamaReader, read_completion
from wicket.dialects.ollama.apis import APIS, CHAT
from wicket.dialects.ollama.embedding import SIDE as EMBEDDING
from wicket.dialects.ollama.errors import judge
from wicket.dialects.ollama.lines import LineSplitter
from wicket.dialects.ollama.passing import body, frame, target, whole
from wicket.dialects.ollama.request_writing import write_request
from wicket.dialects.translation import Splitter, StreamReader

__all__ = [
    "APIS",
    "CONVERSATION",
    "SIDES",
    "STREAM_TYPE",
    "body",
    "frame",
    "judge",
    "read_completion",
    "splitter",
    "stream_reader",
    "target",
    "whole",
    "write_request",
]

CONVERSATION = CHAT
SIDES = {"embeddings": EMBEDDING}
STREAM_TYPE = b"application/x-ndjson"


def stream_reader() -> StreamReader:
    """A reader for one stream."""
    return OllamaReader()


def splitter() -> Splitter:
    """A splitter for one stream: its payloads are lines."""
    return LineSplitter()
