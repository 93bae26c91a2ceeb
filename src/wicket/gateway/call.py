"""One inference request after admission: what the rest of the path needs to know, and nothing mutable."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wicket.accounts.callers import Caller
from wicket.dialects.contract import Api
from wicket.routing.deployment import Route
from wicket.routing.preferences import Preferences
from wicket.wire.fields import Fields

Headers = tuple[tuple[bytes, bytes], ...]


class Collected(msgspec.Struct, frozen=True):
    """A request that is to be kept as an example of `task`; an empty `task`: its caller refused."""

    task: str
    body: bytes = b""


class Call(msgspec.Struct, frozen=True):
    """An admitted request. `started_us` is monotonic, `unix_ms` is for the record."""

    id: int
    api: Api
    caller: Caller
    fields: Fields
    body_bytes: int
    model: str
    route: Route
    is_streamed: bool
    wants_usage: bool
    started_us: int
    unix_ms: int
    trace: bytes = b""  # a `traceparent` header line for the upstream, b"" for none
    collected: Collected | None = None  # what it is an example of, None for nothing
    forwarded: Headers = ()  # of the caller's headers, those that its dialect passes on
    preferences: Preferences | None = None  # the caller's own routing, None for none
    flows: bool = False  # its answer is bytes of any type, which go out as they come


class Arrival(msgspec.Struct, frozen=True):
    """A request as it came in: the few headers that matter (names lower-cased) and its whole body.

    `model` and `is_streamed` are what its path says; "" and None leave that to the body.
    """

    api: Api
    headers: Mapping[bytes, bytes]
    body: bytes
    id: int
    started_us: int
    unix_ms: int
    model: str = ""
    is_streamed: bool | None = None
    forwarded: Headers = ()
