"""Amazon Bedrock's Converse and ConverseStream, as Bedrock speaks them to every family of models it hosts.

| file | holds |
|---|---|
| `passing` | the API, its target, what the walk reads of answers |
| `request_writing`, `block_writing`, `tool_writing`, `settings_writing` | a conversation as a body |
| `families` | what the model families differ in, as data |
| `names` | ids and names in the alphabets that Converse takes |
| `answers`, `stream_reading`, `endings` | answers, whole and streamed, as the hub's parts and deltas |
| `eventstream` | the binary frames that streams come in |
| `errors` | AWS's errors judged |

Source: API reference of Amazon Bedrock Runtime (Converse, ConverseStream; the service model of 2023-09-30).
"""

from __future__ import annotations

from wicket.dialects.bedrock_converse.answers import read_completion
from wicket.dialects.bedrock_converse.errors import judge
from wicket.dialects.bedrock_converse.eventstream import MessageSplitter
from wicket.dialects.bedrock_converse.passing import APIS, CONVERSE, body, frame, target, whole
from wicket.dialects.bedrock_converse.request_writing import write_request
from wicket.dialects.bedrock_converse.stream_reading import ConverseReader
from wicket.dialects.translation import Splitter, StreamReader

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

CONVERSATION = CONVERSE
STREAM_TYPE = b"application/vnd.amazon.eventstream"


def stream_reader() -> StreamReader:
    """A reader for one stream."""
    return ConverseReader()


def splitter() -> Splitter:
    """A splitter for one stream: its payloads are whole binary messages."""
    return MessageSplitter()
