"""OpenAI's chat completions, completions, embeddings, images, audio and moderations, and what is like them.

`passing` is for callers of the same family, whose bytes go through, `media` for what of that is no text. The
rest is for callers and providers of other families: it reads and writes the hub's values, `embedding` texts
and their vectors.

Source: OpenAI API reference (chat/completions), OpenRouter's `reasoning_details`, DeepSeek's
`reasoning_content`, Gemini's `extra_content.google` on its compatible path.
"""

from wicket.dialects.openai_chat.apis import APIS, CHAT, CLASSIFY, COMPLETIONS, EMBEDDINGS
from wicket.dialects.openai_chat.completion import read_completion, write_completion, write_message
from wicket.dialects.openai_chat.embedding import SIDE as EMBEDDING
from wicket.dialects.openai_chat.faults import KEEP_ALIVE, fault_body, fault_frame
from wicket.dialects.openai_chat.media import event_reader, flow_counts, media
from wicket.dialects.openai_chat.passing import END_MARK, body, frame, last_frames, target, wants_usage, whole
from wicket.dialects.openai_chat.request_read import read_request
from wicket.dialects.openai_chat.request_write import write_request
from wicket.dialects.openai_chat.stream_read import ChatReader
from wicket.dialects.openai_chat.stream_write import ChatWriter
from wicket.dialects.openai_errors import judge
from wicket.dialects.translation import Asked
from wicket.wire.sse import FrameSplitter

CONVERSATION = CHAT
SIDES = {"embeddings": EMBEDDING}
STREAM_TYPE = b"text/event-stream"


def stream_reader() -> ChatReader:
    """A reader for one stream."""
    return ChatReader()


def stream_writer(asked: Asked) -> ChatWriter:
    """A writer for one stream."""
    return ChatWriter(asked)


def splitter() -> FrameSplitter:
    """A splitter for one stream."""
    return FrameSplitter()


__all__ = [
    "APIS",
    "CHAT",
    "CLASSIFY",
    "COMPLETIONS",
    "CONVERSATION",
    "EMBEDDINGS",
    "END_MARK",
    "KEEP_ALIVE",
    "SIDES",
    "STREAM_TYPE",
    "body",
    "event_reader",
    "fault_body",
    "fault_frame",
    "flow_counts",
    "frame",
    "judge",
    "last_frames",
    "media",
    "read_completion",
    "read_request",
    "splitter",
    "stream_reader",
    "stream_writer",
    "target",
    "wants_usage",
    "whole",
    "write_completion",
    "write_message",
    "write_request",
]
