"""What a request needs of whoever answers, read off its bytes: only where it tells candidates apart.

What to look for is each dialect's own (`dialects.contract.Signs`).
"""

from __future__ import annotations

import msgspec

from wicket.dialects.contract import Api, Signs
from wicket.routing.deployment import Route
from wicket.routing.estimate import BYTES_PER_TOKEN_AT_MOST
from wicket.routing.filters import Needs
from wicket.routing.preferences import OURS, Preferences
from wicket.wire import json
from wicket.wire.fields import Fields

_ALWAYS_KNOWN = OURS | {"model", "messages", "prompt", "input", "contents", "stream"}
_MOST = 1 << 40  # tokens; more is no limit but nonsense


def read_needs(
    fields: Fields, api: Api, num_bytes: int, route: Route, preferences: Preferences | None
) -> Needs:
    """The needs that may keep somebody out on this route; turns are searched, never decoded."""
    signs = api.signs
    features = _features(route.questions, fields, signs) if signs and route.questions else ()
    if api.ability in route.questions:
        features = (api.ability,)
    has_all = preferences is not None and preferences.require_parameters
    least = route.least_context_tokens
    return Needs(
        features=features,
        least_input_tokens=_least_input(fields, num_bytes, least, signs) if signs else 0,
        output_tokens=output_limit(fields, api) if route.least_output_tokens else 0,
        parameters=tuple([name for name in fields if name not in _ALWAYS_KNOWN]) if has_all else (),
    )


def output_limit(fields: Fields, api: Api) -> int:
    """The caller's limit on output tokens, 0 for none and for what is none."""
    plain = [(name,) for name in api.counts] if not api.ability else []  # elsewhere they count other things
    for path in api.signs.limits if api.signs is not None else plain:
        raw = fields.get(path[0])
        if raw is not None:
            value = _count(raw, path[1:])
            if value:
                return value
    return 0


def _count(raw: msgspec.Raw, path: tuple[str, ...]) -> int:
    try:
        value = json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return 0
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    is_count = isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value < _MOST
    return int(value) if is_count else 0


def _features(asked: tuple[str, ...], fields: Fields, signs: Signs) -> tuple[str, ...]:
    return tuple([name for name in asked if _needs(name, fields, signs)])


def _needs(feature: str, fields: Fields, signs: Signs) -> bool:
    """Nothing is looked for behind "prefill": whoever refuses it says so, and the walk goes on."""
    for sign in signs.features.get(feature, ()):
        raw = fields.get(sign.field)
        if raw is not None and sign.pattern.search(memoryview(raw)) is not None:
            return True
    return False


def _least_input(fields: Fields, num_bytes: int, least_context_tokens: int, signs: Signs) -> int:
    """Tokens that the request surely has, 0 if they fit everywhere or nobody's context tells.

    Images and files in it are no text, so nothing is sure then.
    """
    tokens = num_bytes // BYTES_PER_TOKEN_AT_MOST
    if not least_context_tokens or tokens <= least_context_tokens:
        return 0
    turns = fields.get(signs.turns)
    return 0 if turns is not None and signs.media.search(memoryview(turns)) is not None else tokens
