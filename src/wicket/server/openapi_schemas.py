"""The schemas that the description of the routes refers to (JSON Schema 2020-12, as OpenAPI 3.1 uses it).

The inference bodies follow https://platform.openai.com/docs/api-reference; unknown fields pass, because a
provider may know them. Answers of upstreams are described only as far as the gate relies on them.
"""

from __future__ import annotations

from typing import Any

from wicket.accounts.usage_rows import GROUPS
from wicket.server.admin_query import MAX_LIFETIME_S, MAX_UNIX_S
from wicket.server.openapi_credits import CREDIT_SCHEMAS
from wicket.server.openapi_money import MONEY_SCHEMAS, OTHER_COUNTS, SAVED
from wicket.server.openapi_routing import PLAN, routing_fields

Schema = dict[str, Any]
AGE_PATTERN = "^([0-9]{1,9}[smhdw]|[0-9]{1,10})$"
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"  # what else can't be printed is refused as well
_MAX_INT = (1 << 31) - 1
EVENTS: Schema = {"description": "Server-sent events."}
MODEL_PATTERN = r"^[\x21-\x7e]{1,256}$"


def one_of(kinds: str, **rest: Any) -> Schema:
    """A schema of one or more JSON types, e.g. "string null"."""
    names = kinds.split()
    return {"type": names[0] if len(names) == 1 else names, **rest}


def record(properties: dict[str, Schema], required: str = "", **rest: Any) -> Schema:
    """An object; `required` names fields separated by blanks."""
    schema: Schema = {"type": "object", "properties": properties, **rest}
    if required:
        schema["required"] = required.split()
    return schema


def ref(name: str) -> Schema:
    """A reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **rest: Any) -> Schema:
    """A list of `items`."""
    return {"type": "array", "items": items, **rest}


TEXT = one_of("string")
COUNT = one_of("integer", minimum=0)
FLAG = one_of("boolean")
USD = one_of("number", minimum=0)
MS = one_of("number null")
MOMENT = one_of("string null", format="date-time")
MODEL = one_of("string", pattern=MODEL_PATTERN, description="A model of GET /v1/models.", example="mini")

TOKENS = {
    "input_tokens": COUNT,
    "output_tokens": COUNT,
    "cached_tokens": COUNT,
    "cache_write_tokens": COUNT,
    "reasoning_tokens": COUNT,
}

_SAMPLING = {
    "temperature": one_of("number null", minimum=0, maximum=2),
    "top_p": one_of("number null", minimum=0, maximum=1),
    "seed": one_of("integer null", minimum=0, maximum=_MAX_INT),
    "stop": {"anyOf": [one_of("string null"), array(TEXT, maxItems=4)]},
    "presence_penalty": one_of("number null", minimum=-2, maximum=2),
    "frequency_penalty": one_of("number null", minimum=-2, maximum=2),
    "max_tokens": one_of("integer null", minimum=1, maximum=_MAX_INT),
    "stream": one_of("boolean null"),
    "stream_options": one_of("object null", properties={"include_usage": FLAG}),
    "user": TEXT,
}

_ROUTING = routing_fields(MODEL)

_MESSAGE = record(
    {
        "role": one_of("string", enum=["system", "developer", "user", "assistant", "tool", "function"]),
        "content": {"anyOf": [one_of("string null"), array(one_of("object"))]},
        "name": TEXT,
        "tool_calls": array(one_of("object")),
        "tool_call_id": TEXT,
    },
    "role",
)

_TOOL = record(
    {"type": TEXT, "function": record({"name": TEXT, "parameters": one_of("object")}, "name")}, "type"
)

_CHAT = record(
    {
        "model": MODEL,
        "messages": array(ref("Message"), minItems=1),
        **_SAMPLING,
        **_ROUTING,
        "max_completion_tokens": one_of("integer null", minimum=1, maximum=_MAX_INT),
        "n": one_of("integer null", minimum=1, maximum=128),
        "logprobs": one_of("boolean null"),
        "top_logprobs": one_of("integer null", minimum=0, maximum=20),
        "response_format": one_of("object", properties={"type": TEXT}),
        "tools": array(ref("Tool")),
        "tool_choice": one_of("string object"),
    },
    "model messages",
    additionalProperties=True,
)

_USAGE_BLOCK = record(
    {"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT, "cost": USD},
    "prompt_tokens total_tokens",
)

_ANSWER = {"id": TEXT, "created": one_of("integer"), "model": TEXT, "usage": ref("UsageBlock")}

_KEY = record(
    {
        "id": TEXT,
        "name": TEXT,
        "team": TEXT,
        "models": array(TEXT),
        "networks": array(TEXT),
        "routes": array(TEXT),
        "made_by": TEXT,
        "shown": one_of("string", description="The key's first and last characters."),
        "created_at": MOMENT,
        "expires_at": MOMENT,
        "rotated_at": MOMENT,
        "previous_ends_at": MOMENT,
        "suspended_at": MOMENT,
        "revoked_at": MOMENT,
    },
    "id name team models",
)

_ROW = {
    **dict.fromkeys(GROUPS, TEXT),
    "requests": COUNT,
    "failed": COUNT,
    "estimated": COUNT,
    **TOKENS,
    **OTHER_COUNTS,
    "cost_usd": USD,
    "charge_usd": USD,
}

_SAVED = {
    "task": TEXT,
    **dict.fromkeys(("requests", "mini_requests", "checks", "unknown_requests"), COUNT),
    "mini_share": one_of("number", minimum=0, maximum=1),
    **dict.fromkeys(("spent_usd", "large_only_usd", "check_usd"), USD),
    "saved_usd": one_of("number"),
    "is_estimated": FLAG,
}

_REQUEST = record(
    {
        "id": one_of("string", pattern="^req_[0-9a-f]{16}$"),
        "object": {"const": "request"},
        "started_at": MOMENT,
        **dict.fromkeys(["api", "model", "deployment", "served_model", "outcome", "price_row"], TEXT),
        "status": one_of("integer"),
        "key_id": COUNT,
        "is_stream": FLAG,
        "is_estimated": FLAG,
        **TOKENS,
        "cost_usd": USD,
        "charge_usd": USD,
        "first_token_ms": MS,
        "total_ms": MS,
        "dropped": array(TEXT),
        "unpriced": array(TEXT),
        "task": TEXT,
        "estimate_usd": one_of("number null", minimum=0),
        "large_cost_usd": one_of("number null", minimum=0),
        "other": one_of("object"),
        "attempts": array(ref("Attempt")),
    },
    "id model deployment status outcome cost_usd charge_usd attempts",
)

SCHEMAS: dict[str, Schema] = {
    **CREDIT_SCHEMAS,
    "Error": record(
        {
            "error": record(
                {
                    "message": TEXT,
                    "type": TEXT,
                    "param": one_of("string null"),
                    "code": one_of("string null"),
                },
                "message type param code",
            )
        },
        "error",
    ),
    "Message": _MESSAGE,
    "Tool": _TOOL,
    "UsageBlock": _USAGE_BLOCK,
    "ChatRequest": _CHAT,
    "ChatAnswer": record(
        {**_ANSWER, "object": {"const": "chat.completion"}, "choices": array(one_of("object"))},
        "choices model",
    ),
    "CompletionRequest": record(
        {
            "model": MODEL,
            "prompt": {"anyOf": [TEXT, array({"anyOf": [TEXT, COUNT, array(COUNT)]}, minItems=1)]},
            **_SAMPLING,
            **_ROUTING,
            "echo": one_of("boolean null"),
            "logprobs": one_of("integer null", minimum=0, maximum=5),
        },
        "model prompt",
        additionalProperties=True,
    ),
    "CompletionAnswer": record({**_ANSWER, "choices": array(one_of("object"))}, "choices model"),
    "EmbeddingRequest": record(
        {
            "model": MODEL,
            "input": {"anyOf": [TEXT, array({"anyOf": [TEXT, COUNT, array(COUNT)]}, minItems=1)]},
            "encoding_format": one_of("string", enum=["float", "base64"]),
            "dimensions": one_of("integer", minimum=1),
            **_ROUTING,
        },
        "model input",
        additionalProperties=True,
    ),
    "EmbeddingAnswer": record(
        {
            "object": {"const": "list"},
            "model": TEXT,
            "data": array(one_of("object")),
            "usage": ref("UsageBlock"),
        },
        "data model",
    ),
    "ClassifyRequest": record(
        {
            "model": MODEL,
            "input": {"anyOf": [TEXT, array(TEXT, minItems=1)]},
            "top": one_of("integer", minimum=1),
        },
        "model input",
        additionalProperties=True,
    ),
    "ClassifyAnswer": record(
        {
            "object": {"const": "list"},
            "model": TEXT,
            "data": array(ref("Labels")),
            "usage": ref("UsageBlock"),
        },
        "object model data usage",
    ),
    "Labels": record(
        {
            "index": COUNT,
            "labels": array(record({"label": TEXT, "probability": one_of("number")}, "label probability")),
        },
        "index labels",
    ),
    "Plan": PLAN,
    "Model": record(
        {
            "id": TEXT,
            "object": {"const": "model"},
            "created": one_of("integer"),
            "owned_by": TEXT,
            "is_default": FLAG,
            "deployments": array(TEXT),
            "context_tokens": COUNT,
            "max_output_tokens": COUNT,
            "prices": one_of("object", additionalProperties=USD),
            "engine": one_of("object"),
        },
        "id object created owned_by",
    ),
    "ModelList": record({"object": {"const": "list"}, "data": array(ref("Model"))}, "object data"),
    "Attempt": record(
        {
            "deployment": TEXT,
            "status": one_of("integer"),
            "reason": TEXT,
            "kind": {"enum": ["", "hedge", "continuation"]},
            **dict.fromkeys(("started_ms", "first_token_ms", "ended_ms"), MS),
            "cost_usd": USD,
            **TOKENS,
            "is_estimated": FLAG,
            "other": one_of("object"),
            "is_probe": FLAG,
        },
        "deployment status reason",
    ),
    "Request": _REQUEST,
    "RequestList": record({"object": {"const": "list"}, "data": array(ref("Request"))}, "object data"),
    "Key": _KEY,
    "KeyList": record({"object": {"const": "list"}, "data": array(ref("Key"))}, "object data"),
    "NewKey": record(
        {
            "name": one_of("string", minLength=1, maxLength=100, pattern=PRINTABLE),
            "team": one_of("string", maxLength=100, pattern=PRINTABLE),
            "organisation": one_of("string", maxLength=100, description="Whose team; else the first."),
            "models": array(one_of("string", minLength=1, maxLength=100, pattern=PRINTABLE), maxItems=1000),
            "networks": array(one_of("string", maxLength=100, example="10.0.0.0/8"), maxItems=200),
            "routes": array(one_of("string", maxLength=100, example="/v1/embeddings"), maxItems=100),
            "expires_at": {
                "anyOf": [
                    one_of("string", format="date-time"),
                    one_of("number", minimum=0, maximum=MAX_UNIX_S),
                    one_of("null"),
                ],
                "description": "With `expires_in_s`, the earlier of the two counts.",
            },
            "expires_in_s": one_of("number null", minimum=1, maximum=MAX_LIFETIME_S),
        },
        "name",
        additionalProperties=False,
    ),
    "MadeKey": {
        "allOf": [ref("Key"), record({"key": one_of("string", description="Shown this once.")}, "key")]
    },
    "UsageReport": record(
        {
            "requests": COUNT,
            "failed": COUNT,
            "estimated": COUNT,
            **TOKENS,
            **OTHER_COUNTS,
            "cost_usd": USD,
            "charge_usd": USD,
            "rows": array(record(_ROW, "requests cost_usd charge_usd")),
        },
        "requests input_tokens output_tokens cost_usd charge_usd rows",
    ),
    "NewFeedback": record(
        {
            "request_id": one_of("string", pattern="^req_[0-7][0-9a-f]{15}$"),
            "score": one_of("number null", minimum=0, maximum=1),
            "corrected": {"anyOf": [TEXT, one_of("object"), one_of("null")]},
        },
        "request_id",
        additionalProperties=False,
    ),
    "Feedback": record(
        {
            "object": {"const": "feedback"},
            "request_id": TEXT,
            "score": one_of("number null"),
            "corrected": FLAG,
        },
        "object request_id score corrected",
    ),
    "Example": record(
        {
            "messages": array(ref("Message")),
            "tools": array(ref("Tool")),
            "response_format": one_of("object"),
            "meta": one_of("object"),
        },
        "messages meta",
    ),
    "Erased": record({"erased": COUNT}, "erased"),
    "TaskList": record({"object": {"const": "list"}, "data": array(one_of("object"))}, "object data"),
    "SavingsReport": record(
        {
            "requests": COUNT,
            "mini_share": one_of("number", minimum=0, maximum=1),
            "spent_usd": USD,
            "large_only_usd": USD,
            "tasks": array(record(_SAVED, "task requests mini_requests spent_usd large_only_usd saved_usd")),
            "all": SAVED,
            "rows": array(SAVED),
        },
        "requests mini_share spent_usd large_only_usd tasks all rows",
    ),
    **MONEY_SCHEMAS,
    "Health": record({"status": {"const": "ok"}}, "status"),
    "Readiness": record(
        {"status": TEXT, "engines": one_of("object", additionalProperties=TEXT), "reasons": array(TEXT)},
        "status",
    ),
    "NewBatch": record(
        {
            "input_file_id": TEXT,
            "endpoint": one_of("string", pattern="^/v1/"),
            "completion_window": one_of("string", enum=["24h"]),
            "metadata": one_of("object null", additionalProperties=TEXT),
        },
        "input_file_id endpoint completion_window",
    ),
    "Document": one_of("object"),
    "Documents": array(one_of("object")),
    "NewCredential": record(
        {"key": one_of("string", minLength=1, maxLength=4096, pattern=r"^[\x21-\x7e]+$")},
        "key",
        additionalProperties=False,
    ),
    "Provider": record(
        {
            **dict.fromkeys(("name", "title", "base_url", "auth", "source", "problem"), TEXT),
            "env": array(TEXT),
            **dict.fromkeys(("is_configured", "has_credential", "is_stored_here"), FLAG),
            "models": one_of("integer null", minimum=0),
        },
        "name is_configured has_credential",
    ),
    "ProviderList": record(
        {"object": TEXT, "data": array(ref("Provider")), "is_file_in_force": FLAG}, "data"
    ),
    "BackupTarget": record(
        {
            "path": one_of("string", minLength=1, maxLength=4096, pattern=r"^/[^\x00-\x1f\x7f]*$"),
            "kept_path": one_of(
                "string",
                maxLength=4096,
                pattern=r"^(/[^\x00-\x1f\x7f]*)?$",
                description="A new folder for what is kept of conversations, files and batches.",
            ),
        },
        "path",
        additionalProperties=False,
    ),
}
