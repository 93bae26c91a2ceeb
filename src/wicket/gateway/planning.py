"""Where a request's plan is made: the facts of the moment, the route and the caller's preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from wicket.errors import CallerFault
from wicket.gateway.call import Call
from wicket.gateway.cascade import Cascade, floor_now
from wicket.gateway.crossing import is_conversation
from wicket.gateway.needs import output_limit, read_needs
from wicket.routing.deployment import Deployment
from wicket.routing.estimate import BYTES_PER_TOKEN_AT_MOST, input_tokens
from wicket.routing.filters import Removed
from wicket.routing.plan import Facts, Health, Plan, choose, plan

_MAX_NAMED = 6


class Situation(Protocol):
    """What a plan depends on beside the request; the gate is one."""

    @property
    def unready(self) -> frozenset[str]:
        """Engines that can't answer."""
        ...

    @property
    def health(self) -> Health | None:
        """How the deployments have been doing."""
        ...

    @property
    def cascades(self) -> Mapping[str, Cascade]:
        """The terms of routes with a mini."""
        ...


def planned(now: Situation, call: Call) -> Sequence[Deployment]:
    """Who is asked, in order. Raises `CallerFault` when nobody is left, with the reasons."""
    route = call.route
    if call.preferences is None and route.limits is None and not _tells_apart(call):
        return plan(route, _facts(now, call) if route.policy != "price" else facts_of(now, call))
    found = chosen(call, facts_of(now, call))
    if not found.order:
        raise nobody_left(call, found.removed)
    # a tuple of its own where the route is: what is remembered of a route is so for its own deployments
    return found.order if call.preferences is None else list(found.order)


def facts_of(now: Situation, call: Call) -> Facts:
    """The facts for one request, its size included."""
    return msgspec.structs.replace(
        _facts(now, call),
        input_tokens=input_tokens(call.body_bytes),
        output_tokens=output_limit(call.fields, call.api),
    )


def _facts(now: Situation, call: Call) -> Facts:
    route = call.route
    floor = floor_now(now.cascades, call) if route.task else 0.0
    is_chat = not route.floor or is_conversation(call.api)
    return Facts(call.started_us, call.id, now.unready, floor, is_chat, now.health)


def chosen(call: Call, facts: Facts) -> Plan:
    """The plan with everything that filters."""
    needs = read_needs(call.fields, call.api, call.body_bytes, call.route, call.preferences)
    return choose(call.route, facts, needs, call.preferences)


def _tells_apart(call: Call) -> bool:
    """Whether something of the request may keep a deployment out; said without reading the messages."""
    route = call.route
    if route.questions:
        return True
    if route.least_context_tokens and call.body_bytes // BYTES_PER_TOKEN_AT_MOST > route.least_context_tokens:
        return True
    return bool(route.least_output_tokens) and output_limit(call.fields, call.api) > route.least_output_tokens


def nobody_left(call: Call, removed: Sequence[Removed]) -> CallerFault:
    """What to say to a caller whose request nobody may answer."""
    reasons = list(dict.fromkeys(f"{one.deployment.id} {one.reason}" for one in removed))
    more = f"; and {len(reasons) - _MAX_NAMED} more" if len(reasons) > _MAX_NAMED else ""
    message = f"Nobody is left to answer '{call.model}': {'; '.join(reasons[:_MAX_NAMED])}{more}."
    fields = list(dict.fromkeys(one.param for one in removed if one.param))
    return CallerFault("no_deployment_left", message, param=fields[0] if fields else "model")
