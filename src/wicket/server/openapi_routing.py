"""The schemas of routing: what a request may say of it, and the plan that explains it."""

from __future__ import annotations

from typing import Any

from wicket.routing.plan import POLICIES
from wicket.routing.preferences import MAX_MODELS, MAX_SECONDS, SORTS

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_NAMES: Schema = {"type": ["array", "null"], "items": {"type": "string", "minLength": 1}, "maxItems": 64}
_FLAG: Schema = {"type": ["boolean", "null"]}
_DOLLARS: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1_000_000}
_MS: Schema = {"type": "number", "minimum": 0}


def _closed(properties: dict[str, Schema], description: str) -> Schema:
    """An object that may be null and takes no other fields."""
    return {
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": False,
        "description": description,
    }


def routing_fields(model: Schema) -> dict[str, Schema]:
    """Top-level fields that every inference body may have; they are ours and reach no provider."""
    return {
        "models": {
            "type": ["array", "null"],
            "items": model,
            "maxItems": MAX_MODELS,
            "description": "Models to ask one after the other, behind `model`.",
        },
        "route": {"enum": ["fallback", None]},
        "provider": _closed(
            {
                **dict.fromkeys(("order", "only", "ignore"), _NAMES),
                **dict.fromkeys(("allow_fallbacks", "require_parameters"), _FLAG),
                "sort": {"enum": [*SORTS, None]},
                "max_price": _closed(
                    dict.fromkeys(("prompt", "completion", "request"), _DOLLARS),
                    "USD per million tokens; `request` is USD per request.",
                ),
                "data_collection": {"enum": ["allow", "deny", None]},
                "region": {"anyOf": [_TEXT, _NAMES]},
            },
            "Who may be asked and in which order. Providers by name, slug or title.",
        ),
        "wicket": _closed(
            {
                "timeouts": _closed(
                    {
                        name: {"type": ["number", "null"], "minimum": 0.001, "maximum": most}
                        for name, most in MAX_SECONDS.items()
                    },
                    "This request's limits of time, in seconds.",
                ),
                "commit": {"enum": ["first-token", "whole", None]},
                "explain": {**_FLAG, "description": "Answer with the plan and ask nobody."},
                "policy": {"enum": [*POLICIES, None]},
            },
            "Wicket's own settings of a request.",
        ),
    }


def _plan() -> Schema:
    named = {"deployment": _TEXT, "provider": _TEXT, "model": _TEXT, "credential": {"type": "integer"}}
    count = {"type": ["integer", "null"], "minimum": 0}
    candidate = {
        "place": {"type": "integer", "minimum": 1},
        **named,
        "reason": _TEXT,
        "estimate_usd": {"type": ["number", "null"]},
        "prices": {"type": ["object", "null"]},
        "context_tokens": count,
        "max_output_tokens": count,
        "features": {"type": "object", "additionalProperties": _FLAG},
        "region": {"type": ["string", "null"]},
        "data_collection": {"type": ["string", "null"]},
        "health": {"type": ["object", "null"]},
    }
    return {
        "type": "object",
        "properties": {
            "object": {"const": "plan"},
            "model": _TEXT,
            "policy": _TEXT,
            "commit": _TEXT,
            "is_stream": {"type": "boolean"},
            "timeouts": {"type": "object", "additionalProperties": _MS},
            "needs": {"type": "object"},
            "limits": {"type": "array", "items": {"type": "object"}},
            "candidates": {"type": "array", "items": _required(candidate)},
            "filtered": {
                "type": "array",
                "items": _required({**named, "reason": _TEXT, "param": {"type": ["string", "null"]}}),
            },
            "dropped": {"type": "array", "items": _TEXT},
            "unpriced": {"type": "array", "items": _TEXT},
        },
        "required": ["object", "model", "policy", "candidates", "filtered"],
    }


def _required(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


PLAN = _plan()
