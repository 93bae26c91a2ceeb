"""The schemas of the routes for money: orders, movements, credits, transfers."""

from __future__ import annotations

from typing import Any

from wicket.server.admin_credit_query import KINDS, SCOPES
from wicket.server.admin_query import MAX_LIFETIME_S, MAX_UNIX_S

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
_USD: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?$"}
_USD_OR_NULL: Schema = {**_USD, "type": ["string", "null"]}
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_AMOUNT: Schema = {
    "type": "string",
    "pattern": r"^[0-9]{1,7}(\.[0-9]{1,9})?$",
    "description": "USD above 0, at most 10000000. A whole number may come as a JSON number.",
}
_KEY: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "pattern": _PRINTABLE,
    "description": "Two orders with one key are carried out once; a different order with it is a 409.",
}
_MEMO: Schema = {"type": "string", "maxLength": 500, "pattern": _PRINTABLE}
_NAMED: Schema = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": _PRINTABLE}
_SCOPE = dict.fromkeys(SCOPES, _NAMED)
_REQUEST: Schema = {"type": ["string", "null"], "pattern": "^req_[0-9a-f]{16}$"}
_MOVEMENT: Schema = {"type": ["string", "null"], "pattern": "^mov_[0-9a-f]{16}$"}
_OF = {"scope": {"enum": ["", *SCOPES]}, "name": _TEXT}


def _closed(properties: dict[str, Schema], required: list[str], **rest: Any) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **rest,
    }


def _list(name: str, **more: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            **more,
        },
        "required": ["object", "data", *more],
    }


def _open(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


_MOVED = {
    "id": _MOVEMENT,
    "object": {"const": "movement"},
    "kind": {"enum": ["top_up", "grant", "refund", "correction", "expiry"]},
    **_OF,
    "at": _MOMENT,
    "usd": _USD,
    "grant": {"type": ["integer", "null"]},
    "expires_at": _MOMENT,
    "of": _MOVEMENT,
    "request_id": _REQUEST,
    "idempotency_key": _TEXT,
    "memo": _TEXT,
}

CREDIT_SCHEMAS: dict[str, Schema] = {
    "NewCredit": _closed(
        {
            **_SCOPE,
            "usd": _AMOUNT,
            "currency": {"const": "USD"},
            "idempotency_key": _KEY,
            "kind": {"enum": ["top_up", "grant"]},
            "expires_in_s": {"type": ["number", "null"], "minimum": 1, "maximum": MAX_LIFETIME_S},
            "expires_at": {
                "anyOf": [
                    {"type": "string", "format": "date-time"},
                    {"type": "number", "minimum": 0, "maximum": MAX_UNIX_S},
                    {"type": "null"},
                ],
                "description": "Only a grant expires. One of this and `expires_in_s`.",
            },
            "memo": _MEMO,
        },
        ["usd", "idempotency_key"],
        oneOf=[{"required": [kind]} for kind in SCOPES],
    ),
    "NewRefund": _closed(
        {
            "of": {"type": "string", "pattern": "^mov_[0-9a-f]{16}$"},
            "request_id": {"type": "string", "pattern": "^req_[0-7][0-9a-f]{15}$"},
            "usd": {**_AMOUNT, "type": ["string", "null"]},
            "currency": {"const": "USD"},
            "idempotency_key": _KEY,
            "memo": _MEMO,
        },
        ["idempotency_key"],
        oneOf=[{"required": ["of"]}, {"required": ["request_id"]}],
    ),
    "CreditThreshold": _closed(
        {**_SCOPE, "below_usd": {**_AMOUNT, "type": ["string", "null"]}},
        ["below_usd"],
        oneOf=[{"required": [kind]} for kind in SCOPES],
    ),
    "Movement": _open(_MOVED),
    "MadeMovement": {
        "allOf": [
            {"$ref": "#/components/schemas/Movement"},
            {
                "type": "object",
                "properties": {"balance_usd": _USD_OR_NULL, "is_repeated": _FLAG, "made_team": _FLAG},
                "required": ["balance_usd", "is_repeated"],
            },
        ]
    },
    "Credit": _open(
        {
            "object": {"const": "credit"},
            **_OF,
            "balance_usd": _USD,
            "prepaid_usd": _USD,
            "granted_usd": _USD,
            "grants": {
                "type": "array",
                "items": _open({"grant": _COUNT, "left_usd": _USD, "expires_at": _MOMENT}),
            },
            "below_usd": _USD_OR_NULL,
            "is_low": _FLAG,
            "created_at": _MOMENT,
        }
    ),
    "CreditList": _list("Credit"),
    "Transfer": _open(
        {
            "at": _MOMENT,
            "kind": {"enum": [*KINDS]},
            "debit": _TEXT,
            "debit_name": _TEXT,
            "credit": _TEXT,
            "credit_name": _TEXT,
            "usd": _USD,
            "request_id": _REQUEST,
            "movement_id": _MOVEMENT,
            "price_row": _TEXT,
        }
    ),
    "TransferList": _list("Transfer", next={"type": ["string", "null"]}),
    "Account": _open(
        {"account": _TEXT, "name": _TEXT, "debits_usd": _USD, "credits_usd": _USD, "balance_usd": _USD}
    ),
    "AccountList": _list("Account"),
    "LedgerReport": _open(
        {"is_right": _FLAG, "findings": {"type": "array", "items": _TEXT}, "accounts": _COUNT}
    ),
}
