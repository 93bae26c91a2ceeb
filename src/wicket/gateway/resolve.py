"""Which route a request takes: by its model, its `models`, and what it says of providers and time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import msgspec

from wicket.accounts.callers import Caller
from wicket.accounts.keys import allows_model
from wicket.errors import CallerFault, PermissionFault, UnknownModelFault
from wicket.routing.deployment import Route, Timeouts
from wicket.routing.filters import with_questions
from wicket.routing.plan import POLICIES, SUFFIXES
from wicket.routing.preferences import Preferences, read_preferences
from wicket.wire import fields as top

MAX_MODEL_JSON = 2_048  # bytes, escapes included
MODEL_NAME = re.compile(r"[\x21-\x7e]{1,256}")


class Routes(Protocol):
    """What admission asks of the compiled configuration."""

    def resolve(self, name: str, /) -> Route:
        """The route for a model name; raises `UnknownModelFault`."""
        ...

    def resolve_all(self, name: str, /) -> Route:
        """As `resolve`, and of all providers where several have a model of that name."""
        ...

    def providers_called(self, name: str, /) -> Sequence[str] | None:
        """Configured providers of that name, slug or title; None if it is nobody's."""
        ...

    def header_task(self, value: bytes, /) -> str:
        """The task that a caller asks for by header; raises `CallerFault`."""
        ...


def chosen(fields: top.Fields, raw: bytes, caller: Caller, routes: Routes) -> tuple[str, Route, Preferences]:
    """The first model that a request with routing of its own asks for, its route, and what it says of it.

    `raw` is the JSON of its `model`, wherever that stood. Raises `CallerFault` naming the field.
    """
    wanted = read_preferences(fields, routes.providers_called, POLICIES)
    names = list(wanted.models)
    for index, name in enumerate(names):
        if MODEL_NAME.fullmatch(name) is None:
            raise _bad_name(f"models[{index}]")
    params = [f"models[{index}]" for index in range(len(names))]
    if raw != b"null" or not names:
        model = model_name(raw)
        params = ["model", *(param for name, param in zip(names, params, strict=True) if name != model)]
        names = [model, *(name for name in names if name != model)]
    found = [_find(name, param, caller, routes, wanted) for name, param in zip(names, params, strict=True)]
    _check_choosers(found, params, wanted)
    return names[0], _timed(_merged(found), wanted), wanted


def stem_of(name: str) -> str:
    """A model's name without a suffix of ours; "" if it has none."""
    stem, colon, suffix = name.rpartition(":")
    return stem if colon + suffix in SUFFIXES else ""


def _find(name: str, param: str, caller: Caller, routes: Routes, wanted: Preferences) -> Route:
    if caller.models:
        check_allowed(caller, name, param)
    try:
        return (routes.resolve_all if wanted.chooses else routes.resolve)(name)
    except UnknownModelFault as fault:
        fault.param = param
        raise


def check_allowed(caller: Caller, name: str, param: str) -> None:
    """Raise `PermissionFault` if the key may not use the model; a suffix of ours changes nothing."""
    stem = stem_of(name)
    if not allows_model(caller, name) and not (stem and allows_model(caller, stem)):
        raise PermissionFault("model_not_allowed", f"This key may not use '{name}'.", param=param)


def _check_choosers(found: Sequence[Route], params: Sequence[str], wanted: Preferences) -> None:
    """A cascade and `auto` choose by themselves: who may be asked can be said, in which order can't."""
    field = wanted.policy_field or ("provider.order" if wanted.order else "")
    for route, param in zip(found, params, strict=True):
        if not (route.task or route.floor):
            continue
        if len(found) > 1:
            what = f"'{param}' chooses between models itself: ask '{route.name}' alone."
            raise CallerFault("unsupported", what, param=param)
        if field or not wanted.allow_fallbacks:
            field = field or "provider.allow_fallbacks"
            what = f"'{route.name}' chooses the order itself: leave '{field}' out."
            raise CallerFault("unsupported", what, param=field)


def _merged(found: Sequence[Route]) -> Route:
    """One route of several, each asked whole before the next; what is in two of them stays in the first."""
    if len(found) == 1:
        return found[0]
    parts: list[Route] = []
    seen: set[tuple[str, int]] = set()
    for route in found:
        new = tuple(one for one in route.deployments if (one.id, one.credential) not in seen)
        seen |= {(one.id, one.credential) for one in new}
        if new:
            parts.append(msgspec.structs.replace(route, deployments=new))
    everyone = tuple(one for part in parts for one in part.deployments)
    return with_questions(
        msgspec.structs.replace(parts[0], deployments=everyone, parts=tuple(parts), limits=None)
    )


def _timed(route: Route, wanted: Preferences) -> Route:
    """The route with the request's own limits of time and commit point."""
    if not wanted.seconds and not wanted.commit:
        return route
    times = {
        f"{name.removesuffix('_s')}_ms": max(1, round(seconds * 1_000))
        for name, seconds in wanted.seconds.items()
    }
    timeouts: Timeouts = msgspec.structs.replace(route.timeouts, **times)
    return msgspec.structs.replace(route, timeouts=timeouts, commit=wanted.commit or route.commit)


@lru_cache(maxsize=4096)
def model_name(raw: bytes) -> str:
    """The name in a JSON text. Raises `CallerFault` for anything else."""
    model = top.text({"model": msgspec.Raw(raw)}, "model") if len(raw) < MAX_MODEL_JSON else "\0"
    if not model:
        raise CallerFault(
            "missing_field", "'model' is required: GET /v1/models lists what there is.", param="model"
        )
    if MODEL_NAME.fullmatch(model) is None:
        raise _bad_name("model")
    return model


def _bad_name(param: str) -> CallerFault:
    message = f"'{param}' must be 1 to 256 printable ASCII characters without blanks."
    return CallerFault("invalid_value", message, param=param)
