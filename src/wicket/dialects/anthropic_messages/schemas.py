"""JSON schemas as structured outputs and strict tools want them.

Source: Claude's "structured outputs" guide: every object says `additionalProperties: false`.
"""

from __future__ import annotations

from typing import Any

_OF_SCHEMAS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its objects closed where they did not say; whatever fits it fits the original too."""
    done: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _OF_SCHEMAS and isinstance(value, dict):
            done[name] = {key: _closed(each) for key, each in value.items()}
        elif name in _LISTS and isinstance(value, list):
            done[name] = [_closed(each) for each in value]
        elif name == "items":
            done[name] = _closed(value)
        else:
            done[name] = value
    if done.get("type") == "object" or "properties" in done:
        done.setdefault("additionalProperties", False)
    return done


def _closed(value: Any) -> Any:
    return closed(value) if isinstance(value, dict) else value
