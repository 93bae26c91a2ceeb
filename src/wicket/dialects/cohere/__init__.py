"""Cohere's API, version 2: chats, rankings and embeddings, as Cohere and its callers speak them.

| file | holds |
|---|---|
| `apis` | the APIs and their paths |
| `signs` | how a chat's bytes show what it needs of a model |
| `passing` | target, body, what the walk reads of answers |
| `ranking`, `embedding` | documents ranked, texts as vectors, between families |
| `request_reading`, `turn_reading` | a caller's chat as a conversation |
| `request_writing`, `turn_writing` | a conversation as a body |
| `answers`, `stream_reading`, `endings` | answers, whole and streamed, as the hub's parts and deltas |
| `answer_writing` | the hub's answers, and our errors, as a Cohere caller reads them |
| `carrier` | other families' seals on their way through such a caller |
| `errors` | Cohere's errors judged |

Source: Cohere API reference (POST /v2/chat, its stream events) and the types of Cohere's SDK 5 (2026-11).
"""

from __future__ import annotations

from wicket.dialects.cohere.answer_writing import (
    KEEP_ALIVE,
    CohereWriter,
    fault_body,
    fault_frame,
    write_completion,
)
from wicket.dialects.cohere.answers import read_completion
from wicket.dialects.cohere.apis import APIS, CHAT
from wicket.dialects.cohere.embedding import SIDE as EMBEDDING
from wicket.dialects.cohere.errors import judge
from wicket.dialects.cohere.passing import body, frame, target, whole
from wicket.dialects.cohere.ranking import SIDE as RANKING
from wicket.dialects.cohere.request_reading import read_request
from wicket.dialects.cohere.request_writing import write_request
from wicket.dialects.cohere.stream_reading import CohereReader
from wicket.dialects.translation import Asked, Splitter, StreamReader, StreamWriter
from wicket.wire.sse import FrameSplitter

__all__ = [
    "APIS",
    "CONVERSATION",
    "KEEP_ALIVE",
    "SIDES",
    "STREAM_TYPE",
    "body",
    "fault_body",
    "fault_frame",
    "frame",
    "judge",
    "read_completion",
    "read_request",
    "splitter",
    "stream_reader",
    "stream_writer",
    "target",
    "whole",
    "write_completion",
    "write_request",
]

CONVERSATION = CHAT
SIDES = {"embeddings": EMBEDDING, "rerank": RANKING}
STREAM_TYPE = b"text/event-stream"


def stream_reader() -> StreamReader:
    """A reader for one stream."""
    return CohereReader()


def splitter() -> Splitter:
    """A splitter for one stream."""
    return FrameSplitter()


def stream_writer(asked: Asked) -> StreamWriter:
    """A writer for one stream."""
    return CohereWriter(asked)
