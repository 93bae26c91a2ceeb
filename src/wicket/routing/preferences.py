"""What a caller wants of the route, read from the body: `models`, `provider`, `route` and `wicket`.

The first three are spelled as OpenRouter's callers know them
(https://openrouter.ai/docs/features/provider-routing); `wicket` is our own. A wrong value is refused by the
name of its field. So is what we can't keep, if it is a condition; a mere wish is reported as dropped.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.routing import deployment
from wicket.routing.deployment import Limits
from wicket.wire import json
from wicket.wire.fields import Fields

OURS = frozenset(deployment.OURS)
SORTS = ("price", "throughput", "latency")
MAX_MODELS = 16
MAX_NAMES = 64
MAX_SECONDS = {"connect_s": 60.0, "first_token_s": 600.0, "gap_s": 600.0, "total_s": 3_600.0}
_MAX_DOLLARS = 1_000_000.0
_CONDITIONS = ("quantizations", "zdr", "enforce_distillable_text")  # nothing is known to judge these by
_WISHES = ("preferred_min_throughput", "preferred_max_latency", "experimental")
_PROVIDER = ("order", "only", "ignore", "sort", "allow_fallbacks", "max_price", "data_collection", "region")
_PROVIDER_FIELDS = (*_PROVIDER, "require_parameters", *_CONDITIONS, *_WISHES)
_WICKET_FIELDS = ("timeouts", "commit", "explain", "policy")
_PRICES = {"prompt": "input", "input": "input", "completion": "output", "output": "output"}

# A provider's name, slug or title → what it is called in the configuration (several accounts may share a
# row); empty for one that the catalogue knows and this server has not; None for no such name.
Providers = Callable[[str], Sequence[str] | None]


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """A request's own routing. Names of providers are the configuration's; None and "" leave it to the route.

    `dropped` are wishes that nobody here can fulfil, by name.
    """

    models: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    policy: str = ""
    policy_field: str = ""  # where it was said
    allow_fallbacks: bool = True
    limits: Limits | None = None
    require_parameters: bool = False
    seconds: Mapping[str, float] = {}  # limits of time by the names of MAX_SECONDS
    commit: str = ""
    is_explained: bool = False
    dropped: tuple[str, ...] = ()

    @property
    def chooses(self) -> bool:
        """Whether it says anything of who may be asked, or in which order."""
        return bool(
            self.order
            or self.only is not None
            or self.ignore
            or self.policy
            or self.limits
            or self.require_parameters
            or not self.allow_fallbacks
        )


def read_preferences(fields: Fields, providers: Providers, policies: Sequence[str]) -> Preferences:
    """The preferences in a request's top-level fields. Raises `CallerFault` naming the field."""
    provider = _object(fields, "provider", _PROVIDER_FIELDS)
    own = _object(fields, "wicket", _WICKET_FIELDS)
    _route(_value(fields, "route"))
    policy, where = _policy(provider, own, policies)
    only = provider.get("only")
    return Preferences(
        models=_texts(_value(fields, "models"), "models", MAX_MODELS),
        order=_names(provider.get("order"), "provider.order", providers),
        only=None if only is None else _names(only, "provider.only", providers),
        ignore=_names(provider.get("ignore"), "provider.ignore", providers),
        policy=policy,
        policy_field=where,
        allow_fallbacks=_flag(provider.get("allow_fallbacks"), "provider.allow_fallbacks", default=True),
        limits=_limits(provider),
        require_parameters=_flag(provider.get("require_parameters"), "provider.require_parameters"),
        seconds=_seconds(own.get("timeouts")),
        commit=_choice(own.get("commit"), "wicket.commit", ("first-token", "whole")),
        is_explained=_flag(own.get("explain"), "wicket.explain"),
        dropped=_dropped(provider),
    )


def _value(fields: Fields, name: str) -> Any:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return json.decode(raw)
    except (json.DecodeError, RecursionError):
        raise wrong(name, "is not a value that can be read") from None


def _object(fields: Fields, name: str, known: Sequence[str]) -> dict[str, Any]:
    return _checked(_value(fields, name), name, known)


def _checked(value: Any, name: str, known: Sequence[str]) -> dict[str, Any]:
    """An object with known fields only."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, "must be an object")
    for field in value:
        if field not in known:
            near = difflib.get_close_matches(field[:80], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise CallerFault(
                "unknown_field", f"'{name}' has no field '{_shown(field)}' ({hint}).", param=name
            )
    return value


def _route(value: Any) -> None:
    if value not in (None, "fallback"):
        raise wrong("route", 'knows "fallback" only')


def _texts(value: Any, name: str, most: int) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wrong(name, "must be a list")
    if len(value) > most:
        raise CallerFault("invalid_value", f"'{name}' may hold {most} names at most.", param=name)
    for index, item in enumerate(value):
        if not isinstance(item, str) or not item:
            raise wrong(f"{name}[{index}]", "must be a name")
    return tuple(dict.fromkeys(value))


def _names(value: Any, name: str, providers: Providers) -> tuple[str, ...]:
    """Providers as the configuration calls them."""
    found: dict[str, None] = {}
    for index, item in enumerate(_texts(value, name, MAX_NAMES)):
        same = providers(item)
        if same is None:
            message = f"'{name}[{index}]' names a provider that does not exist: '{_shown(item)}'."
            raise CallerFault("unknown_provider", message, param=f"{name}[{index}]")
        found |= dict.fromkeys(same)
    return tuple(found)


def _policy(provider: Mapping[str, Any], own: Mapping[str, Any], policies: Sequence[str]) -> tuple[str, str]:
    sort = provider.get("sort")
    if isinstance(sort, dict):
        given = _checked(sort, "provider.sort", ("by", "partition"))
        if given.get("partition") not in (None, "model"):
            raise wrong("provider.sort.partition", 'knows "model" only: models are asked in their order')
        sort = given.get("by")
    by_sort = _choice(sort, "provider.sort", SORTS)
    named = own.get("policy")
    if isinstance(named, str):
        named = named.replace("-", "_")
    by_name = _choice(named, "wicket.policy", policies)
    if by_sort and by_name:
        raise wrong("wicket.policy", "and 'provider.sort' say the same thing: write one of them")
    return by_sort or by_name, "provider.sort" if by_sort else "wicket.policy" if by_name else ""


def _limits(provider: Mapping[str, Any]) -> Limits | None:
    prices = _prices(provider.get("max_price"))
    region = provider.get("region")
    regions = (region,) if isinstance(region, str) else _texts(region, "provider.region", MAX_NAMES)
    collection = _choice(provider.get("data_collection"), "provider.data_collection", ("allow", "deny"))
    if not prices and not regions and collection != "deny":
        return None
    return Limits(
        param="provider",
        max_input_pico=prices.get("input"),
        max_output_pico=prices.get("output"),
        max_request_nanos=prices.get("request"),
        regions=tuple(one.lower() for one in regions),
        no_collection=collection == "deny",
    )


def _prices(value: Any) -> dict[str, int]:
    """USD per million tokens as pico-USD per token, USD per request as nano-USD."""
    found: dict[str, int] = {}
    for name, item in _checked(value, "provider.max_price", (*_PRICES, "request", "image")).items():
        field = f"provider.max_price.{name}"
        if item is None:
            continue
        if name == "image":
            raise CallerFault(
                "unsupported", f"'{field}' can't be kept: no price per image is known.", param=field
            )
        dollars = _number(_as_number(item), field, _MAX_DOLLARS)
        if name == "request":
            found["request"] = round(dollars * 1_000_000_000)
        else:
            found[_PRICES[name]] = round(dollars * 1_000_000)
    return found


def _as_number(value: Any) -> Any:
    """OpenRouter's callers may write prices as text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _seconds(value: Any) -> dict[str, float]:
    given = _checked(value, "wicket.timeouts", tuple(MAX_SECONDS))
    found = {}
    for name, item in given.items():
        field = f"wicket.timeouts.{name}"
        if item is None:
            continue
        found[name] = _number(item, field, MAX_SECONDS[name])
        if not found[name]:
            raise wrong(field, "must be more than 0")
    return found


def _number(value: Any, name: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, "must be a number")
    if not 0 <= value <= most:
        raise CallerFault("invalid_value", f"'{name}' must be from 0 to {most:g}.", param=name)
    return float(value)


def _flag(value: Any, name: str, *, default: bool = False) -> bool:
    if value is None:
        return default
    if not isinstance(value, bool):
        raise wrong(name, "must be true or false")
    return value


def _choice(value: Any, name: str, known: Sequence[str]) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or value not in known:
        raise CallerFault("invalid_value", f"'{name}' must be one of {', '.join(known)}.", param=name)
    return value


def _dropped(provider: Mapping[str, Any]) -> tuple[str, ...]:
    for name in _CONDITIONS:
        if provider.get(name) not in (None, False, []):
            field = f"provider.{name}"
            message = f"'{field}' can't be kept: nothing is known of the providers to judge it by."
            raise CallerFault("unsupported", message, param=field)
    return tuple(f"provider.{name}" for name in _WISHES if provider.get(name) is not None)


def wrong(name: str, what: str) -> CallerFault:
    """A fault about one field."""
    return CallerFault("invalid_type", f"'{name}' {what}.", param=name)


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text[:80])
