"""A recording: one request to a provider and what came back."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import msgspec

Headers = tuple[tuple[str, str], ...]
_STREAM_TYPES = ("text/event-stream", "application/vnd.amazon.eventstream", "application/x-ndjson")


class Message(msgspec.Struct, frozen=True):
    """Headers (names in lower case) and a body without content coding.

    `is_raw`: the body has the bytes of the wire. Otherwise the recorder kept it parsed and what stands here
    is JSON made of that: equal as a value, not as bytes.
    """

    headers: Headers
    body: bytes
    is_raw: bool

    def header(self, name: str) -> str:
        """A header's first value, "" if absent."""
        return next((value for known, value in self.headers if known == name), "")

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case."""
        return self.header("content-type").partition(";")[0].strip().lower()


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction of a file. `number` counts from 0 in the order it was recorded."""

    file: str
    number: int
    provider: str
    method: str
    url: str
    request: Message
    status: int
    response: Message

    @property
    def path(self) -> str:
        """The path, decoded: recorders keep `%3A`, clients may send `:`."""
        return unquote(urlsplit(self.url).path)

    @property
    def query(self) -> str:
        """The query as recorded."""
        return urlsplit(self.url).query

    @property
    def is_stream(self) -> bool:
        """Whether the answer came as a stream."""
        return self.response.media_type in _STREAM_TYPES

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.file}#{self.number}"
