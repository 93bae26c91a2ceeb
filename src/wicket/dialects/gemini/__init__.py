"""Gemini's `generateContent`: the Gemini API's, and Vertex AI's for Google's own models, which is the same.

| file | holds |
|---|---|
| `apis` | the APIs and their paths |
| `embedding` | texts and their vectors, between families |
| `passing` | Gemini to Gemini: target, body, what the walk reads of answers |
| `request_reading`, `part_reading`, `settings_reading` | a caller's body as a conversation |
| `request_writing`, `part_writing`, `tool_writing`, `settings_writing` | a conversation as a body |
| `families` | what the model families differ in, as data |
| `schemas`, `openapi_schemas` | JSON schemas as the families read them |
| `answers`, `finishes`, `usage`, `logprobs` | answers, whole and streamed, as the hub's parts and deltas |
| `answer_writing` | the hub's answers as a Gemini caller reads them |
| `errors` | Google's errors judged; ours in Google's form |
| `seals` | signatures, Gemini's own and other families' |
| `objects` | JSON objects whose names come in two spellings |
"""

from __future__ import annotations

from wicket.dialects.gemini.answer_writing import AnswerWriter, write_completion
from wicket.dialects.gemini.answers import AnswerReader, read_completion
from wicket.dialects.gemini.apis import APIS, GENERATE
from wicket.dialects.gemini.embedding import SIDE as EMBEDDING
from wicket.dialects.gemini.errors import fault_body, fault_frame, judge
from wicket.dialects.gemini.passing import body, frame, target, whole
from wicket.dialects.gemini.request_reading import read_request
from wicket.dialects.gemini.request_writing import write_request
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

CONVERSATION = GENERATE
SIDES = {"embeddings": EMBEDDING}
STREAM_TYPE = b"text/event-stream"
KEEP_ALIVE = b"\n\n"  # google-genai takes a comment for a part of the answer


def stream_reader() -> StreamReader:
    """A reader for one stream."""
    return AnswerReader()


def splitter() -> Splitter:
    """A splitter for one stream."""
    return FrameSplitter()


def stream_writer(asked: Asked) -> StreamWriter:
    """A writer for one stream."""
    return AnswerWriter(asked)
