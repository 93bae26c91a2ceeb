"""Cohere's chat API, version 2, as Cohere speaks it.

| file | holds |
|---|---|
| `passing` | the API, its target, what the walk reads of answers |
| `request_writing`, `turn_writing` | a conversation as a body |
| `answers`, `stream_reading`, `endings` | answers, whole and streamed, as the hub's parts and deltas |
| `errors` | Cohere's errors judged |

Source: Cohere API reference (POST /v2/chat, its stream events) and the types of Cohere's SDK 5 (2026-11).
"""

from __future__ import annotations

from wicket.dialects.cohere.answers import read_completion
from wicket.dialects.cohere.errors import judge
from wicket.dialects.cohere.passing import APIS, CHAT, body, frame, target, whole
from wicket.dialects.cohere.request_writing import write_request
from wicket.dialects.cohere.stream_reading import CohereReader
from wicket.dialects.translation import Splitter, StreamReader
from wicket.wire.sse import FrameSplitter

__all__ = [
    "APIS",
    "CONVERSATION",
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
STREAM_TYPE = b"text/event-stream"


def stream_reader() -> StreamReader:
    """A reader for one stream."""
    return CohereReader()


def splitter() -> Splitter:
    """A splitter for one stream."""
    return FrameSplitter()
