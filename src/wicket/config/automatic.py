"""The route behind `auto`: the compact engine where it is likely good enough, a larger model elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from wicket.config.check_cascade import POLICY, is_mini
from wicket.config.lines import Path
from wicket.config.mistakes import Mistakes
from wicket.config.schema import Config, Model
from wicket.routing.deployment import Deployment, Route

AUTO_NAME = "auto"  # the compact engine where it is good enough, a larger model elsewhere
QUALITY = 0.8  # the chance of a good answer that the compact engine must have
_ONLY_CASCADE = ("budget_usd_per_day", "check_share", "check_usd_per_day")
_DEFAULT = Model()


def check_auto(path: Path, model: Model, mistakes: Mistakes) -> None:
    """Note what `auto` can't have: a mini and its terms, or a price for deployments that it has not."""
    for index, deployment in enumerate(model.ids):
        if is_mini(deployment):
            what = "auto takes any request and a mini those of its task: give the mini a model of its own"
            mistakes.add((*path, "deployments", index), what)
    if model.policy == POLICY:
        mistakes.add((*path, "policy"), f'auto chooses by itself: leave "{POLICY}" to the models with a mini')
    for name in _ONLY_CASCADE:
        if getattr(model, name) != getattr(_DEFAULT, name):
            mistakes.add((*path, name), f'has a meaning with policy = "{POLICY}" only')
    if model.price is not None and not model.deployments:
        mistakes.add((*path, "price"), "needs deployments written here: without them each has its own price")


def auto_warnings(models: Mapping[str, Model]) -> Iterator[str]:
    """What is allowed and yet not what anybody wants."""
    if AUTO_NAME in models and models[AUTO_NAME].quality == 1.0:
        yield "model auto asks for quality 1.0, which nothing is known to have: no local model will answer"


def auto_route(config: Config, compact: Deployment | None, routes: Mapping[str, Route]) -> Route | None:
    """The route, or None where there is nobody to ask.

    Limits, prices and markup are those of `[models.auto]`, or of the rule that the larger models are from;
    what that rule collects, and its mini, stay with it. There is a floor only where a local model has
    somebody behind it.
    """
    table = config.models.get(AUTO_NAME)
    own = routes.get(AUTO_NAME)
    if own is not None and own.deployments:
        found, rule = own.deployments, own
    else:
        large = next((route for route in _written(config, routes) if _remote(route)), None)
        found = (*((compact,) if compact is not None else ()), *(_remote(large) if large is not None else ()))
        rule = own or (_lent(large) if large is not None else Route(name=AUTO_NAME, deployments=()))
    if not found:
        return None
    quality = QUALITY if table is None or table.quality is None else table.quality
    is_choice = any(one.engine for one in found[:-1])
    return msgspec.structs.replace(
        rule, name=AUTO_NAME, deployments=found, floor=quality if is_choice else 0.0
    )


def _lent(large: Route) -> Route:
    """A rule without what is meant for its own requests."""
    plain = Route(name="", deployments=())
    return msgspec.structs.replace(
        large, policy=plain.policy, collect=plain.collect, sample_ppm=plain.sample_ppm, task=plain.task
    )


def _written(config: Config, routes: Mapping[str, Route]) -> list[Route]:
    """The file's rules in its order."""
    return [routes[name] for name in config.models if name != AUTO_NAME and name in routes]


def _remote(route: Route) -> tuple[Deployment, ...]:
    return tuple(one for one in route.deployments if not one.engine)
