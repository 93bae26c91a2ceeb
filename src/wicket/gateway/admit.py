"""Admission: who asks, for what, and is it well-formed. Synchronous, in memory, without I/O."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from wicket.accounts.callers import Caller
from wicket.accounts.networks import is_inside
from wicket.dialects.contract import Api
from wicket.errors import CallerFault, KeyFault, PermissionFault
from wicket.gateway.bodies import asks_for_stream, flows, read_any
from wicket.gateway.call import Arrival, Call
from wicket.gateway.collect import COLLECT_HEADER, collected
from wicket.gateway.crossing import hearing
from wicket.gateway.resolve import Routes, check_allowed, chosen, model_name
from wicket.routing.deployment import Route
from wicket.routing.preferences import OURS
from wicket.wire import fields as top
from wicket.wire.json import encode

_TRACE = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_LOCAL = "classify"  # the API that only models of our own answer


def admit(arrival: Arrival, caller: Caller, routes: Routes) -> Call:
    """Read what the gate must know of a request. Raises `CallerFault` naming the field."""
    api = arrival.api
    if caller.routes and api.name not in caller.routes:
        message = f"This API key may use {', '.join(caller.routes)}, but not {api.name}."
        raise PermissionFault("route_not_allowed", message)
    fields = top.peek(arrival.body) if not api.form else read_any(arrival)
    raw = bytes(fields.get("model", b"null")) if not arrival.model else encode(arrival.model)
    preferences = None
    if OURS.isdisjoint(fields):
        model = model_name(raw)
        if caller.models:
            check_allowed(caller, model, "model")
        route = routes.resolve(model)
    else:
        model, route, preferences = chosen(fields, raw, caller, routes)
    for name in api.needs:
        _require(fields, name, is_array=name in api.arrays)
    for name in api.counts:
        if name in fields:
            top.at_least_one(fields, name)
    is_streamed = arrival.is_streamed
    is_flowing = api.answers == "flow" and flows(api, fields, holds_whole=route.commit == "whole")
    if is_flowing:
        is_streamed = True
    elif is_streamed is None:
        is_streamed = asks_for_stream(api, fields)
    if is_streamed and not api.can_stream:
        raise CallerFault("unsupported", f"{api.path} does not stream.", param="stream")
    if api.name == _LOCAL:
        route = _local(route)
    return Call(
        id=arrival.id,
        api=api,
        caller=caller,
        fields=fields,
        body_bytes=len(arrival.body),
        model=model,
        route=route,
        is_streamed=is_streamed,
        wants_usage=is_streamed and not api.is_media and _wants_usage(api, fields),
        started_us=arrival.started_us,
        unix_ms=arrival.unix_ms,
        trace=_trace(arrival),
        collected=(
            collected(arrival, route, routes.header_task)
            if route.collect or COLLECT_HEADER in arrival.headers
            else None
        ),
        forwarded=arrival.forwarded,
        preferences=preferences,
        flows=is_flowing,
    )


def _wants_usage(api: Api, fields: top.Fields) -> bool:
    """Most dialects always tell usage at a stream's end; OpenAI's callers ask for it."""
    asks: Callable[[top.Fields], bool] | None = getattr(hearing(api.dialect), "wants_usage", None)
    return asks is None or asks(fields)


def _local(route: Route) -> Route:
    """The part of a route that may know labels: no provider does, and no floor is kept to.

    Raises `CallerFault` where nothing of it runs here.
    """
    found = tuple(each for each in route.deployments if each.engine)
    if not found:
        message = f"'{route.name}' has no model of its own here, and only such a one says labels: "
        message += "name a label mini, as in 'mini/TASK'."
        raise CallerFault("not_local", message, param="model", status=404)
    return msgspec.structs.replace(route, deployments=found, parts=(), task="", collect="")


def check_live(caller: Caller | None, now_ms: int) -> Caller:
    """A found caller that has not expired. Raises `KeyFault`."""
    if caller is None:
        raise KeyFault(
            "invalid_api_key", "This API key is not known here: mistyped, revoked, or of another server."
        )
    if caller.expires_ms and now_ms >= caller.expires_ms:
        raise KeyFault("expired_api_key", "This API key has expired; ask its owner for a new one.")
    if caller.blocked:
        what = "This API key" if caller.blocked == "key" else f"The {caller.blocked} of this API key"
        raise KeyFault(
            "suspended", f"{what} is suspended: ask the owner or an admin to lift that.", status=403
        )
    return caller


def check_network(caller: Caller, address: str) -> None:
    """Raises `PermissionFault` unless the caller may ask from this address."""
    if caller.networks and not is_inside(address, caller.networks):
        message = "This API key may not be used from this address; its networks say from where."
        raise PermissionFault("network_not_allowed", message)


def _require(fields: top.Fields, name: str, *, is_array: bool) -> None:
    first, *others = name.split("|")
    raw = fields.get(first)
    if raw is None and any(other in fields for other in others):
        return
    name = first
    if raw is None:
        raise CallerFault("missing_field", f"'{name}' is required.", param=name)
    if not is_array:
        return
    start = bytes(memoryview(raw)[:16])
    if start[:1] != b"[":
        raise CallerFault("invalid_type", f"'{name}' must be an array of {name}.", param=name)
    if start[1:].lstrip()[:1] == b"]":
        raise CallerFault("invalid_value", f"'{name}' must not be empty.", param=name)


def _trace(arrival: Arrival) -> bytes:
    """The caller's trace goes on with our request as the parent (W3C Trace Context §3.2)."""
    header = arrival.headers.get(b"traceparent")
    if header is None:
        return b""
    match = _TRACE.fullmatch(header)
    if match is None:
        return b""
    return b"traceparent: 00-%b-%016x-%b\r\n" % (match[1], arrival.id, match[3])
