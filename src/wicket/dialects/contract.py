"""What every dialect file offers: pure functions over bytes and values, found by the contract test.

A dialect module has these names at its top level; `module(name)` loads one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

import msgspec

from wicket.errors import Fault
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """Token counts in Wicket's sense: input includes cached and cache-write, output includes reasoning."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_1h_tokens: int = 0  # of the cache-write tokens, those kept for an hour
    input_audio_tokens: int = 0  # of the input
    output_audio_tokens: int = 0  # of the output
    images: int = 0  # made
    audio_ms: int = 0  # heard (transcription) or spoken (speech)
    characters: int = 0  # to be spoken
    searches: int = 0  # of documents (rerank) or of the web, as the provider bills them
    cached_audio_tokens: int = 0  # of the cached and of the audio
    input_image_tokens: int = 0  # of the input
    output_image_tokens: int = 0  # of the output
    service: str = ""  # the class it was served in, if it is one of `SERVICES`
    image_size: str = ""  # of the images made: "high/1024x1536", "1024x1024", "2k"; "" for not known
    tools: tuple[str, ...] = ()  # used at the provider's and billed apart, in no unit that is told here


SERVICES = ("batch", "flex", "priority")  # classes of service with prices of their own; "" is the standard


def service_named(said: object) -> str:
    """The class of service that a provider names, "" for its standard one and for what has no price list."""
    return said if isinstance(said, str) and said in SERVICES else ""


class Way(msgspec.Struct, frozen=True):
    """A path by which callers come to an API; `{model}` in it stands for a model's name, slashes included.

    `is_streamed` is what the path says of it; None leaves that to the body's `stream`. `sse_if` is the query
    parameter without which a stream goes out as one JSON array (Gemini's `alt=sse`); "": always as events.
    """

    path: str
    is_streamed: bool | None = None
    sse_if: str = ""


class Sign(msgspec.Struct, frozen=True):
    """A field of a request, and what its JSON holds where the request needs something of a model."""

    field: str
    pattern: re.Pattern[bytes]


class Signs(msgspec.Struct, frozen=True):
    """How a conversation's bytes show what it needs, without decoding its turns.

    `turns` is the field that holds them. `features` has, by a name of `routing.deployment.FEATURES`, where
    to look: one sign is enough. Inside a text every quotation mark is escaped, so a pattern that begins
    with an unescaped one is never found in a caller's prose. `media`: found in turns whose length in bytes is
    not that of a text. `limits` are the paths (a field, or a field and a member) of the output limit.
    """

    turns: str
    features: dict[str, tuple[Sign, ...]]
    media: re.Pattern[bytes]
    limits: tuple[tuple[str, ...], ...]


NOT_EMPTY = re.compile(rb"^\s*\[\s*[^\s\]]")  # an array with something in it
_MEMBER = rb'"(?<!\\")(?:%b)"\s*:\s*"(?:%b)'  # the literal first: base64 is then skipped fast


def member(names: bytes, values: bytes) -> re.Pattern[bytes]:
    """A member of one of these names whose string begins with one of these values (regular expressions)."""
    return re.compile(_MEMBER % (names, values))


class Api(msgspec.Struct, frozen=True):
    """An inference API: its name in records, the path under the base URL, whether it can stream, its dialect.

    The next are what admission looks at: fields that must be there (`needs`; "a|b": either of them), those of
    them that are arrays with something in them, fields that are counts from 1, and the paths by which callers
    come (none: `/v1` and `path`). A conversation's `signs` say what it needs of a model.

    `form`: "may" or "must" for bodies that are forms (multipart/form-data), "" for JSON alone. `is_media`:
    what goes in or comes out is no text, so nothing is estimated from its bytes, and its dialect is a
    `MediaDialect`. `answers`: "json", "any" (any type, passed on with it), "flow" (that, as it comes).
    `subject`: what crosses to providers of other dialects by `translation.side_of`, "" for nothing or for
    conversations. `ability`: what a model must be for, of `routing.deployment.ABILITIES`, or "".
    `patience_s`: how long a first byte, and each pause, may take where nobody has set another limit.
    """

    name: str
    path: str
    can_stream: bool
    dialect: str = ""
    needs: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()
    form: str = ""
    is_media: bool = False
    answers: str = "json"
    subject: str = ""
    ability: str = ""
    patience_s: int = 0
    signs: Signs | None = None
    is_later: bool = False  # its answer may be one that is only begun, and is looked at later (`progress`)


class Body(msgspec.Struct, frozen=True):
    """One attempt's request body, which of the caller's fields were left out of it, its type if not JSON."""

    data: bytes
    dropped: tuple[str, ...] = ()
    content_type: bytes = b""


class Whole(msgspec.Struct, frozen=True):
    """What a complete answer says. `counts` is None if the provider did not report usage."""

    model: str
    counts: Counts | None


REMOTE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,255}")  # a provider's ids that may stand in a path


class Progress(msgspec.Struct, frozen=True):
    """How far a thing is that a provider works on.

    `id` is the provider's. `outcome` is "" while it is not over; then "ok", or why there is no whole answer.
    `is_paid`: the caller pays for what it used. `counts` is None if the provider has not reported usage.
    """

    id: str = ""
    outcome: str = ""
    is_paid: bool = False
    model: str = ""
    counts: Counts | None = None


class Frame(msgspec.Struct, frozen=True):
    """What one stream frame says.

    `spoke`: it carries output. `finished`: a finish reason. `is_usage`: it carries nothing but usage.
    `is_done`: the dialect's own end mark. `goes_out`: that mark reaches the caller as it came; without it the
    caller's dialect writes the last frames (`translation.Heard.last_frames`). `fault`: an in-band error.
    `counts` may come in pieces: of each kind the largest counts.
    """

    spoke: bool = False
    finished: bool = False
    is_usage: bool = False
    is_done: bool = False
    goes_out: bool = False
    model: str = ""
    counts: Counts | None = None
    fault: Fault | None = None


class Dialect(Protocol):
    """A provider protocol. Nothing here does I/O, reads a clock or the environment."""

    APIS: Sequence[Api]

    def target(self, deployment: Deployment, api: Api, *, streamed: bool) -> str:
        """The request target (path and query) at this deployment."""
        ...

    def body(self, fields: Fields, deployment: Deployment, api: Api, *, streamed: bool) -> Body:
        """The bytes this deployment gets for the caller's fields."""
        ...

    def judge(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
        """The fault behind an unsuccessful answer: whose it is and what may be tried next."""
        ...

    def whole(self, data: bytes, api: Api) -> Whole:
        """Read a complete answer. Raises `UpstreamBroken` if it is not one."""
        ...

    def frame(self, data: bytes) -> Frame:
        """Read one stream frame's payload. Raises `UpstreamBroken` if it is not one."""
        ...


class MediaDialect(Dialect, Protocol):
    """A dialect with APIs that are `is_media`."""

    def media(self, data: bytes, content_type: bytes, api: Api, fields: Fields) -> Whole:
        """Read a complete answer to `fields`. Raises `UpstreamBroken` if it is not one."""
        ...

    def event_reader(self, api: Api) -> Callable[[bytes], Frame]:
        """What reads one stream's payloads, one after the other; all that it names as output goes out."""
        ...

    def flow_counts(self, api: Api, fields: Fields) -> Counts | None:
        """What an answer that flows is billed by, as far as the request says it."""
        ...


class LaterDialect(Dialect, Protocol):
    """A dialect with an API that is `is_later`."""

    def progress(self, data: bytes) -> Progress:
        """How far a thing is, by the provider's object of it. Raises `UpstreamBroken` if it is not one."""
        ...


def module(name: str) -> Dialect:
    """The dialect called `name`; raises `ModuleNotFoundError` for an unknown one."""
    return cast(Dialect, importlib.import_module(f"wicket.dialects.{name}"))
