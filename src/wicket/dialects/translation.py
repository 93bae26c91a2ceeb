"""What a dialect offers so that a caller of one dialect reaches a provider of another: readers and writers.

A dialect is a file or, where it needs more room, a package of the same name; either way these names stand at
its top level. `Spoken` is the provider's side, `Heard` the caller's; a dialect may have one of them only.
All of it is pure: no clock, no I/O, equal inputs give equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import msgspec

from wicket.dialects.contract import Api, Body, Counts, Way, module
from wicket.dialects.hub import Completion, Conversation, Delta
from wicket.errors import Fault
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields


class Splitter(Protocol):
    """Cuts a stream's bytes into whole frames, wherever they were split. `wire.sse` has the one for SSE."""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes. Raises `wire.sse.FrameTooLong`."""
        ...

    def finish(self) -> bytes:
        """What is left of an unfinished frame."""
        ...


class StreamReader(Protocol):
    """Reads one provider stream, payload by payload (an SSE frame's data, an event's JSON)."""

    def feed(self, payload: bytes) -> Sequence[Delta]:
        """What a payload says. Raises `UpstreamBroken` if it is not one of this dialect."""
        ...

    def finish(self) -> Sequence[Delta]:
        """What can be said once the bytes are at their end: e.g. the parts that were still open."""
        ...


class StreamWriter(Protocol):
    """Writes one stream to a caller, as whole frames with their blank lines."""

    def write(self, delta: Delta) -> bytes:
        """The frames for a delta, b"" where the dialect has nothing to say."""
        ...

    def finish(self, cost_usd: float | None) -> bytes:
        """The last frames: finish reason, usage if the dialect or the caller wants it, end mark."""
        ...


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer must know of the request: its id in our spelling, when it came, the caller's fields."""

    id: str
    created_s: int
    model: str
    fields: Fields
    wants_usage: bool = True


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a stream ended that passed as it came: what the last frames can tell.

    `usage_frame` is the payload that was held back, b"" for none. `counts` are reported, or `is_estimated`.
    `is_marked`: the provider's own end mark has gone out.
    """

    model: str
    usage_frame: bytes
    counts: Counts
    is_estimated: bool
    cost_usd: float | None
    is_marked: bool


class Side(msgspec.Struct, frozen=True):
    """One dialect's part in a subject that is no conversation (`dialects.subjects`).

    A dialect has these as `SIDES`, by subject. A provider's side has `api`, where it is asked,
    `write_request` (ask, deployment → body) and `read_answer` (bytes, ask → answer, raises `UpstreamBroken`);
    a caller's has `read_request` (fields, API → ask, raises `CallerFault` naming the field) and
    `write_answer` (answer, ask, asked → bytes).
    """

    api: Api
    write_request: Callable[[Any, Deployment], Body] | None = None
    read_answer: Callable[[bytes, Any], Any] | None = None
    read_request: Callable[[Fields, Api], Any] | None = None
    write_answer: Callable[[Any, Any, Asked], bytes] | None = None


class Spoken(Protocol):
    """A dialect as a provider speaks it."""

    CONVERSATION: Api  # the API that conversations go to
    STREAM_TYPE: bytes  # the content type of its streams, up to the semicolon

    def write_request(self, conversation: Conversation, deployment: Deployment, *, streamed: bool) -> Body:
        """The body and what was left out, in the caller's names. Raises `CallerFault` likewise."""
        ...

    def read_completion(self, data: bytes) -> Completion:
        """A whole answer. Raises `UpstreamBroken`, or the fault that it tells of."""
        ...

    def stream_reader(self) -> StreamReader:
        """A reader for one stream."""
        ...

    def splitter(self) -> Splitter:
        """A splitter for one stream."""
        ...


class Voice(Protocol):
    """How faults are told to a dialect's callers; all that a dialect needs whose callers' bytes only pass."""

    KEEP_ALIVE: bytes  # a frame without meaning

    def fault_body(self, fault: Fault, request_id: str) -> bytes:
        """An error answer as JSON bytes."""
        ...

    def fault_frame(self, fault: Fault, request_id: str) -> bytes:
        """An error inside a stream, as whole frames; no client takes it for a normal stop."""
        ...


class Heard(Voice, Protocol):
    """A dialect as a caller speaks it.

    Four more names are optional: `FORWARDED_HEADERS`, lower-case names (bytes) of a caller's headers that go
    on to a provider of the same dialect; `wants_usage(fields) -> bool`, where usage in a stream must be asked
    for, and `END_MARK`, all that stands behind a stream whose caller did not; `last_frames(asked, ending) ->
    bytes`, what stands behind any other stream that passed as it came.
    """

    CONVERSATION: Api

    def read_request(self, fields: Fields) -> Conversation:
        """The request's meaning. Raises `CallerFault` naming the field."""
        ...

    def write_completion(self, completion: Completion, asked: Asked, cost_usd: float | None) -> bytes:
        """A whole answer as JSON bytes."""
        ...

    def stream_writer(self, asked: Asked) -> StreamWriter:
        """A writer for one stream."""
        ...


def spoken(name: str) -> Spoken | None:
    """The dialect called `name` from its provider's side; None if it has none."""
    found = module(name)
    return cast(Spoken, found) if hasattr(found, "write_request") else None


def dialect_headers(name: str) -> dict[str, str]:
    """What every request to a provider of a dialect carries; {} for an unknown dialect."""
    try:
        return dict(getattr(module(name), "HEADERS", {}))
    except ModuleNotFoundError:
        return {}


def side_of(name: str, subject: str) -> Side | None:
    """A dialect's part in a subject; None if it has none."""
    sides: Mapping[str, Side] = getattr(module(name), "SIDES", {})
    return sides.get(subject)


def voice(name: str) -> Voice | None:
    """The dialect called `name`, if callers may speak it."""
    found = module(name)
    return cast(Voice, found) if hasattr(found, "fault_body") else None


def doors_of(name: str) -> Sequence[tuple[Api, Way]]:
    """The ways by which callers come to a dialect; without conversations, only those that it names."""
    if voice(name) is None:
        return ()
    converses = heard(name) is not None
    return [
        (api, way)
        for api in module(name).APIS
        for way in api.ways or ((Way(f"/v1{api.path}"),) if converses else ())
    ]


def heard(name: str) -> Heard | None:
    """The dialect called `name` from its caller's side; None if it has none."""
    found = module(name)
    return cast(Heard, found) if hasattr(found, "read_request") else None
