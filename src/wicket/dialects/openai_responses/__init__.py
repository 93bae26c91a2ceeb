"""OpenAI's Responses API, as its providers speak it and as its callers do.

| file | holds |
|---|---|
| `apis` | the APIs and their paths |
| `passing` | Responses to Responses: target, body, what the walk reads of answers |
| `request_read`, `items_read`, `tools_read`, `content` | a caller's body as a conversation |
| `request_write`, `items_write` | a conversation as a body |
| `answers`, `stream_read` | answers, whole and streamed, as the hub's parts and deltas |
| `answer_write`, `stream_write` | the hub's answers as a Responses caller reads them |
| `carrier` | seals of thoughts, OpenAI's own and other families' |
| `limits` | how long a response may be; how a caller hears of limits |
| `usage`, `faults` | token counts; errors judged and told |

Source: OpenAI API reference ("responses", "streaming events"); OpenAI's OpenAPI description, version 2.3.0.
"""

from wicket.dialects.openai_responses.answer_write import write_completion
from wicket.dialects.openai_responses.answers import read_completion
from wicket.dialects.openai_responses.apis import APIS, COMPACT, INPUT_TOKENS, RESPONSES
from wicket.dialects.openai_responses.faults import KEEP_ALIVE, fault_body, fault_frame, judge
from wicket.dialects.openai_responses.limits import OUTPUT_FIELDS, allowance_lines, limited, output_limit
from wicket.dialects.openai_responses.passing import body, frame, last_frames, progress, target, whole
from wicket.dialects.openai_responses.request_read import read_request
from wicket.dialects.openai_responses.request_write import write_request
from wicket.dialects.openai_responses.stream_read import ResponsesReader
from wicket.dialects.openai_responses.stream_write import ResponsesWriter
from wicket.dialects.translation import Asked
from wicket.wire.sse import FrameSplitter

CONVERSATION = RESPONSES
STREAM_TYPE = b"text/event-stream"


def stream_reader() -> ResponsesReader:
    """A reader for one stream."""
    return ResponsesReader()


def stream_writer(asked: Asked) -> ResponsesWriter:
    """A writer for one stream."""
    return ResponsesWriter(asked)


def splitter() -> FrameSplitter:
    """A splitter for one stream."""
    return FrameSplitter()


__all__ = [
    "APIS",
    "COMPACT",
    "CONVERSATION",
    "INPUT_TOKENS",
    "KEEP_ALIVE",
    "OUTPUT_FIELDS",
    "RESPONSES",
    "STREAM_TYPE",
    "allowance_lines",
    "body",
    "fault_body",
    "fault_frame",
    "frame",
    "judge",
    "last_frames",
    "limited",
    "output_limit",
    "progress",
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
