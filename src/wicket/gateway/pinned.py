"""A request whose earlier answer lives at one provider: its route is cut to who can go on with that. Pure."""

from __future__ import annotations

import msgspec

from wicket.errors import CallerFault
from wicket.gateway.call import Call
from wicket.routing.deployment import Deployment, Route
from wicket.state.responses import PREVIOUS
from wicket.state.seal import Pin, Seal

KEEPER = "openai_responses"  # the dialect whose providers keep answers
_MAX_CACHED = 1_024


def pin_of(deployment: Deployment, id: str, seal: Seal) -> Pin:
    """Where something with the provider's own `id` lives."""
    return Pin(deployment.provider, seal.credential(deployment.headers), id)


def is_home_of(deployment: Deployment, pin: Pin, seal: Seal) -> bool:
    """Whether a deployment is at the pin's provider, with its credential."""
    return deployment.provider == pin.provider and seal.credential(deployment.headers) == pin.credential


class PinnedRoutes:
    """Routes cut to one provider and credential, the same one each time so that what is prepared is found."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, str, bytes], tuple[Route, Route]] = {}

    def pinned(self, call: Call, pin: Pin, seal: Seal) -> Call:
        """The call as it may only be answered. Raises `CallerFault` if its model is not there."""
        route = call.route
        key = (id(route), pin.provider, pin.credential)
        found = self._found.get(key)
        if found is None:  # the entry keeps the route alive, so its id stays its own
            if len(self._found) >= _MAX_CACHED:
                self._found.clear()
            found = self._found[key] = (route, _cut(route, pin, seal))
        if not found[1].deployments:
            message = (
                f"The answer before is kept at {pin.provider}, and '{call.model}' can't be asked there with "
                f"the credential that it was given with: ask a model of {pin.provider}, or send the whole "
                "conversation."
            )
            raise CallerFault("previous_response_elsewhere", message, param=PREVIOUS)
        return msgspec.structs.replace(call, route=found[1])


def _cut(route: Route, pin: Pin, seal: Seal) -> Route:
    fitting = [each for each in route.deployments if each.dialect == KEEPER and is_home_of(each, pin, seal)]
    return msgspec.structs.replace(
        route, deployments=tuple(fitting), parts=(), policy="ordered", hedge=None, continues=False, task=""
    )
