"""The routes and schemas of money that came with estimates and statements."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_USD: Schema = {"type": ["number", "null"], "minimum": 0}
_KINDS = (
    "cache_write_1h_tokens",
    "audio_tokens",
    "image_tokens",
    "images",
    "audio_ms",
    "characters",
    "searches",
)
OTHER_COUNTS: dict[str, Schema] = dict.fromkeys(_KINDS, _COUNT)


def _object(properties: dict[str, Schema], *required: str, **rest: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), **rest}


_AMOUNTS = {"deployment": _TEXT, **dict.fromkeys(("cost_usd", "charge_usd", "max_cost_usd"), _USD)}
_CANDIDATE = _object(
    {
        "place": {"type": "integer", "minimum": 1},
        **dict.fromkeys(("deployment", "provider", "model"), _TEXT),
        **dict.fromkeys(("input_tokens", "max_input_tokens", "output_tokens"), _COUNT),
        "max_output_tokens": {"type": ["integer", "null"], "minimum": 0},
        **dict.fromkeys(("cost_usd", "max_cost_usd", "charge_usd", "max_charge_usd"), _USD),
        "price_row": {"type": ["string", "null"]},
    },
    "place",
    "deployment",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "max_cost_usd",
)
_MONTH = _object(
    {
        "days": _COUNT,
        "requests": _NUMBER,
        **dict.fromkeys(("cost_usd", "charge_usd", "largest_cost_usd"), _USD),
    },
    "days",
    "requests",
)
_LINE = _object(
    {
        "day": _TEXT,
        "model": _TEXT,
        **dict.fromkeys(("requests", "failed", "input_tokens", "output_tokens", "cached_tokens"), _COUNT),
        "charge_usd": _NUMBER,
    },
    "requests",
    "charge_usd",
)
_MOVED = _object(
    {"at": _TEXT, "kind": _TEXT, "memo": _TEXT, "amount_usd": _NUMBER}, "at", "kind", "amount_usd"
)
_UNPRICED = _object({"model": _TEXT, "kind": _TEXT, "requests": _COUNT}, "model", "kind", "requests")
_LINES: Schema = {"type": "array", "items": _LINE}

MONEY_SCHEMAS: dict[str, Schema] = {
    "NewEstimate": _object(
        {
            "request": {"type": "object", "description": "The body that the API would get."},
            "api": {**_TEXT, "minLength": 1, "maxLength": 300, "description": "An API's name, or its path."},
            "model": {**_TEXT, "maxLength": 300},
            "requests_per_day": {"type": ["number", "null"], "minimum": 0, "maximum": 1e12},
        },
        "request",
        additionalProperties=False,
    ),
    "Estimate": _object(
        {
            "object": {"const": "cost.estimate"},
            "model": _TEXT,
            "api": _TEXT,
            "expected": _object(_AMOUNTS, "deployment", "cost_usd"),
            "largest": {"anyOf": [_object(_AMOUNTS, "deployment", "cost_usd"), {"type": "null"}]},
            "candidates": {"type": "array", "items": _CANDIDATE},
            "month": _MONTH,
        },
        "object",
        "model",
        "api",
        "expected",
        "largest",
        "candidates",
    ),
    "Statement": _object(
        {
            "object": {"const": "statement"},
            **dict.fromkeys(
                ("month", "time_zone", "since", "until", "currency", "team", "key", "key_name"), _TEXT
            ),
            "is_complete": {"type": "boolean"},
            "requests": _COUNT,
            "charge_usd": _NUMBER,
            **dict.fromkeys(("models", "days", "rows"), _LINES),
            "movements": {"type": "array", "items": _MOVED},
            "unpriced": {"type": "array", "items": _UNPRICED},
        },
        "object",
        "month",
        "time_zone",
        "requests",
        "charge_usd",
        "models",
        "days",
        "rows",
        "movements",
        "unpriced",
    ),
}

SAVED_ROW = {
    **dict.fromkeys(("day", "key", "key_name", "team", "model", "task", "organisation"), _TEXT),
    **dict.fromkeys(("requests", "unknown_requests"), _COUNT),
    **dict.fromkeys(("spent_usd", "large_only_usd", "saved_usd"), _NUMBER),
}
SAVED: Schema = _object(SAVED_ROW, "requests", "spent_usd", "large_only_usd", "saved_usd")
CSV: dict[str, Any] = {"text/csv": {"schema": _TEXT}}
PAGE: dict[str, Any] = {"text/html": {"schema": _TEXT}}
MONTH_PATTERN = "^20[0-9]{2}-(0[1-9]|1[0-2])$"
