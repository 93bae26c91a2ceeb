"""How long an answer may be. Source: Gemini API reference (`generationConfig`).

Google's answers have no headers that tell of limits; an error says when to come back in its `RetryInfo`.
"""

from __future__ import annotations

import msgspec

from wicket.dialects.contract import Api
from wicket.dialects.gemini import objects
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Fields, at_least_one

OUTPUT_FIELDS = frozenset(("generationConfig", "generation_config"))
_CONFIGS = ("generationConfig", "generation_config")


def output_limit(fields: Fields, api: Api) -> tuple[int, int]:
    """Tokens that an answer may have, 0 if nothing is said, and how many candidates there will be."""
    if not api.can_stream:
        return 0, 0
    limit, number = 0, 1
    for name in _CONFIGS:
        raw = fields.get(name)
        if raw is None or bytes(raw) == b"null":
            continue
        config = objects.members(raw, name)
        limit = at_least_one(config, "maxOutputTokens") or limit
        number = at_least_one(config, "candidateCount") or number
    return limit, number


def limited(fields: Fields, api: Api, tokens: int, deployment: Deployment) -> Fields:
    """The fields with this output limit."""
    found = [name for name in _CONFIGS if fields.get(name) is not None and bytes(fields[name]) != b"null"]
    changed = dict(fields)
    for name in found or _CONFIGS[:1]:
        config = objects.members(fields[name], name) if name in found else {}
        config["maxOutputTokens"] = msgspec.Raw(b"%d" % tokens)
        changed[name] = msgspec.Raw(json.encode(config))
    return changed
