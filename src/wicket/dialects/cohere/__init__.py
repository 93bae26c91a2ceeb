"""Cohere's API, version 2: chats as Cohere speaks it, rankings and embeddings as its callers do too.

| file | holds |
|---|---|
| `apis` | the APIs and their paths |
| `passing` | target, body, what the walk reads of answers |
| `ranking`, `embedding` | documents ranked, texts as vectors, between families |
| `request_writing`, `turn_writing` | a conversation as a body |
| `answers`, `stream_reading`, `endings` | answers, whole and streamed, as the hub's parts and deltas |
| `errors` | Cohere's errors judged; ours in Cohere's form |

Source: Cohere API reference (POST /v2/chat, its stream events) and the types of Cohere's SDK 5 (2026-11).
"""

from __future__ import annotations

from wicket.dialects.cohere.answers import read_completion
from wicket.dialects.cohere.apis import APIS, CHAT
from wicket.dialects.cohere.embedding import SIDE as EMBEDDING
from wicket.dialects.cohere.errors import KEEP_ALIVE, fault_body, fault_frame, judge
from wicket.dialects.cohere.passing import body, frame, target, whole
from wicket.dialects.cohere.ranking import SIDE as RANKING
from wicket.dialects.cohere.request_writing import write_request
from wicket.dialects.cohere.stream_reading import CohereReader
from wicket.dialects.translation import Splitter, StreamReader
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
    "splitter",
    "stream_reader",
    "target",
    "whole",
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
