"""Bodies that may be forms, and what is asked for in other words than `stream`."""

from __future__ import annotations

from wicket.dialects.contract import Api
from wicket.errors import CallerFault
from wicket.gateway.call import Arrival
from wicket.routing.deployment import OURS
from wicket.wire import fields as top
from wicket.wire.fields import Fields
from wicket.wire.form import boundary_of, read_form

_TYPED = frozenset((*OURS, "stream", "n"))  # what admission reads as JSON
_ONCE = frozenset((*OURS, "model", "stream", "n", "response_format"))


def read_any(arrival: Arrival) -> Fields:
    """The fields of a JSON object or of a form, as the API takes it. Raises `CallerFault`."""
    boundary = boundary_of(arrival.headers.get(b"content-type", b""))
    if boundary is not None:
        return read_form(arrival.body, boundary, typed=_TYPED, once=_ONCE)
    if arrival.api.form == "must":
        message = f"{arrival.api.path} takes a form: send it as multipart/form-data."
        raise CallerFault("unsupported_media_type", message, status=415)
    return top.peek(arrival.body)


def asks_for_stream(api: Api, fields: Fields) -> bool:
    """Whether the body asks for events. Raises `CallerFault` naming the field."""
    if api.answers == "flow":
        return top.text(fields, "stream_format") == "sse"
    return top.flag(fields, "stream")


def flows(api: Api, fields: Fields, *, holds_whole: bool) -> bool:
    """Whether the answer is bytes that go out as they come: not where a route holds answers whole."""
    return api.answers == "flow" and not holds_whole and not asks_for_stream(api, fields)
