"""The route behind `auto`: the compact engine where it is likely good enough, a larger model elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from wicket.config.check import AUTO_NAME
from wicket.config.schema import Config
from wicket.routing.deployment import Deployment, Route

QUALITY = 0.8  # the chance of a good answer that the compact engine must have


def auto_route(config: Config, compact: Deployment | None, routes: Mapping[str, Route]) -> Route | None:
    """The route, or None where there is nobody to ask.

    Limits, prices and markup are those of `[models.auto]`, or of the rule that the larger models are from.
    There is a floor only where there is a choice.
    """
    table = config.models.get(AUTO_NAME)
    own = routes[AUTO_NAME] if table is not None else None
    if own is not None and own.deployments:
        found = own.deployments
        rule = own
    else:
        large = next((route for route in _written(config, routes) if _remote(route)), None)
        found = (*((compact,) if compact is not None else ()), *(_remote(large) if large is not None else ()))
        rule = own or large or Route(name=AUTO_NAME, deployments=())
    if not found:
        return None
    quality = QUALITY if table is None or table.quality is None else table.quality
    is_choice = any(one.engine for one in found) and any(not one.engine for one in found)
    return msgspec.structs.replace(
        rule, name=AUTO_NAME, deployments=found, floor=quality if is_choice else 0.0
    )


def _written(config: Config, routes: Mapping[str, Route]) -> list[Route]:
    """The file's rules in its order."""
    return [routes[name] for name in config.models if name != AUTO_NAME and name in routes]


def _remote(route: Route) -> tuple[Deployment, ...]:
    return tuple(one for one in route.deployments if not one.engine)
