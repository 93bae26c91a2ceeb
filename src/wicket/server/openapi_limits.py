"""The schemas of limits and budgets, and of what a key may know of itself."""

from __future__ import annotations

from typing import Any

from wicket.server.admin_limits import MAX_AMOUNT

Schema = dict[str, Any]
_NAME: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 200}
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MAYBE: Schema = {"type": ["integer", "null"], "minimum": 0}
_USD: Schema = {"type": "number"}
_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
_MODEL: Schema = {"type": "string", "pattern": r"^[\x21-\x7e]{0,256}$", "description": "Empty: all models."}
_ZONE: Schema = {"type": "string", "maxLength": 256, "description": "An IANA time zone.", "example": "UTC"}
_WHOSE = {"key": _NAME, "team": _NAME, "organisation": _NAME, "model": _MODEL, "zone": _ZONE}
_STANDS = {
    "id": _TEXT,
    "scope": {"enum": ["key", "team", "organisation"]},
    "scope_id": _TEXT,
    "name": {"type": "string", "description": "The scope's."},
    "model": _TEXT,
    "zone": _TEXT,
    "resets_at": _MOMENT,
}


def _object(properties: dict[str, Schema], required: str = "", **rest: Any) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, **rest}
    if required:
        schema["required"] = required.split()
    return schema


def _list_of(name: str) -> Schema:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return _object({"object": {"const": "list"}, "data": items}, "object data")


LIMIT_SCHEMAS: dict[str, Schema] = {
    "NewLimit": _object(
        {
            **_WHOSE,
            "unit": {"enum": ["requests", "tokens", "concurrent"]},
            "amount": {"type": "integer", "minimum": 1, "maximum": MAX_AMOUNT},
            "window_s": {"enum": [60, 86400, 0], "description": "Seconds; 0 for `concurrent`."},
        },
        "unit amount",
        additionalProperties=False,
        description="Whose it is: exactly one of `key`, `team` and `organisation`, by id or name.",
    ),
    "Limit": _object(
        {**_STANDS, "object": {"const": "limit"}, "unit": _TEXT, "amount": _COUNT, "window_s": _COUNT}
        | {"used": _MAYBE, "remaining": _MAYBE},
        "object id scope name unit amount window_s used remaining",
    ),
    "LimitList": _list_of("Limit"),
    "NewBudget": _object(
        {
            **_WHOSE,
            "usd": {"anyOf": [{"type": "string", "maxLength": 40}, {"type": "integer"}]},
            "period": {"enum": ["day", "month", "total"]},
            "is_hard": {"type": "boolean", "description": "False: it warns and refuses nothing."},
        },
        "usd period",
        additionalProperties=False,
        description="Whose it is: exactly one of `key`, `team` and `organisation`, by id or name.",
    ),
    "Budget": _object(
        {**_STANDS, "object": {"const": "budget"}, "usd": _TEXT, "is_hard": {"type": "boolean"}}
        | {"period": _TEXT, "spent_usd": _USD, "remaining_usd": _USD},
        "object id scope name usd period is_hard spent_usd remaining_usd",
    ),
    "BudgetList": _list_of("Budget"),
    "OwnKey": _object(
        {
            "object": {"const": "key"},
            "id": _TEXT,
            "name": _TEXT,
            "team": _TEXT,
            "models": {"type": "array", "items": _TEXT, "description": "Empty: all."},
            "expires_at": _MOMENT,
            "limits": {"type": "array", "items": {"type": "object"}},
            "budgets": {"type": "array", "items": {"type": "object"}},
            "credit": {
                "type": ["object", "null"],
                "properties": {"scope": _TEXT, "balance_usd": _USD, "available_usd": _USD},
                "description": "`available_usd`: what no request under way holds.",
            },
        },
        "object name models limits budgets credit",
    ),
}

# path, method, operation, summary, answer, body, status of success
LIMIT_OPERATIONS = (
    ("/v1/key", "get", "ownKey", "What the calling key may and has left", "OwnKey", "", "200"),
    ("/admin/v1/limits", "get", "listLimits", "Every limit", "LimitList", "", "200"),
    ("/admin/v1/limits", "put", "setLimit", "The limit as it stands", "Limit", "NewLimit", "200"),
    ("/admin/v1/limits/{id}", "delete", "removeLimit", "The limit that is no more", "Limit", "", "200"),
    ("/admin/v1/budgets", "get", "listBudgets", "Every budget", "BudgetList", "", "200"),
    ("/admin/v1/budgets", "put", "setBudget", "The budget as it stands", "Budget", "NewBudget", "200"),
    ("/admin/v1/budgets/{id}", "delete", "removeBudget", "The budget that is no more", "Budget", "", "200"),
)
WHOSE = ("LimitList", "BudgetList")  # answers that may be of one scope only
