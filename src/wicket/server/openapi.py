"""The description of every route as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

import re
from typing import Any

import wicket
from wicket.dialects.openai_chat import CHAT
from wicket.server.app_paths import inference_doors
from wicket.server.openapi_families import FAMILIES, body_of
from wicket.server.openapi_kept import kept_paths
from wicket.server.openapi_limits import LIMIT_OPERATIONS, LIMIT_SCHEMAS, WHOSE
from wicket.server.openapi_media import described
from wicket.server.openapi_money import CSV, PAGE
from wicket.server.openapi_parameters import (
    audit_parameters,
    erase_parameters,
    example_parameters,
    hidden,
    log_parameters,
    parameter,
    query,
    savings_parameters,
    scope_parameters,
    statement_parameters,
    transfer_parameters,
    usage_parameters,
)
from wicket.server.openapi_parts import body as _body
from wicket.server.openapi_parts import json_of as _json
from wicket.server.openapi_parts import operation as _operation
from wicket.server.openapi_schemas import EVENTS, MODEL_PATTERN, SCHEMAS, one_of, ref
from wicket.server.openapi_tenants import OPERATIONS, TENANT_SCHEMAS

_OPEN: list[dict[str, list[str]]] = [{}]
_INFERENCE = ("400", "401", "403", "404", "413", "429", "501", "502", "504")


def document() -> dict[str, Any]:
    """The whole description. `/openai/v1/…` answers as `/v1/…` does and is not listed twice."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wicket",
            "version": wicket.__version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "A small gate to every model, with a compact model of its own inside. "
            "Every answer carries `x-request-id`; every fault has OpenAI's shape.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": with_tenants(
            {
                **_inference_paths(),
                **_media_paths(),
                **_other_families(),
                **_cold_paths(),
                **_cost_paths(),
                **_admin_paths(),
                **_money_paths(),
            }
        ),
        "components": {
            "schemas": {**SCHEMAS, **FAMILIES, **TENANT_SCHEMAS, **LIMIT_SCHEMAS},
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A virtual key, or the admin key. `x-api-key`, `x-goog-api-key` work too.",
                }
            },
        },
    }


def _inference_paths() -> dict[str, Any]:
    return {
        "/v1/chat/completions": {
            "post": _inference("chatCompletions", "Answer a conversation", "ChatRequest", "ChatAnswer")
        },
        "/v1/completions": {
            "post": _inference("completions", "Continue a text", "CompletionRequest", "CompletionAnswer")
        },
        "/v1/embeddings": {
            "post": _inference("embeddings", "Turn texts into vectors", "EmbeddingRequest", "EmbeddingAnswer")
        },
        "/v1/classify": {
            "post": _inference("classify", "Name the label of texts", "ClassifyRequest", "ClassifyAnswer")
        },
    }


def _media_paths() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, (api, _) in inference_doors().items():
        shown = described(api)
        if shown is not None:
            faults = (*_INFERENCE, "415") if api.form else _INFERENCE
            operation = _operation(shown.name, shown.summary, "Document", faults, requestBody=shown.body)
            operation["responses"]["200"]["content"] = shown.answer
            found[path] = {"post": operation}
    return found


def _other_families() -> dict[str, Any]:
    """The APIs of other dialects, whose answers their own references describe."""
    found: dict[str, Any] = {}
    for path, (api, way) in inference_doors().items():
        if api.dialect == CHAT.dialect:
            continue
        name = re.sub(r"\W+(\w)", lambda match: match[1].upper(), path.rpartition(":")[2].strip("/"))
        summary = f"{api.name} of the dialect {api.dialect}"
        body = _body(body_of(api.name))
        operation = _operation(name, summary, "Document", _INFERENCE, requestBody=body)
        if "{model}" in path:
            shape = one_of("string", pattern=MODEL_PATTERN)
            operation["parameters"] = [parameter("model", "path", shape, "A model's id.")]
        if way.sse_if:
            name, _, value = way.sse_if.partition("=")
            text = f"`{value}`: server-sent events; else one JSON array of them."
            operation["parameters"].append(query(name, one_of("string", enum=[value]), text))
            operation["responses"]["200"]["content"] = _json(ref("Documents"))
        if api.can_stream and way.is_streamed is not False:
            operation["responses"]["200"]["content"]["text/event-stream"] = {"schema": EVENTS}
        found[path] = {"post": _in_own_form(operation)}
    return found


def _cold_paths() -> dict[str, Any]:
    model = parameter(
        "id", "path", one_of("string", pattern=MODEL_PATTERN), "A model's id; it may hold slashes."
    )
    request = parameter(
        "id",
        "path",
        one_of("string", pattern="^req_[0-7][0-9a-f]{15}$"),
        "A request's id, from `x-request-id`.",
    )
    return {
        "/v1/models": {"get": _operation("listModels", "What this key may call now", "ModelList", ("401",))},
        "/v1/models/{id}": {
            "get": _operation("getModel", "One model", "Model", ("401", "403", "404"), parameters=[model])
        },
        "/v1beta/models": {
            "get": _in_own_form(
                _operation("listGeminiModels", "The same for Google's clients", "Document", ("401",))
            )
        },
        "/v1beta/models/{id}": {
            "get": _in_own_form(
                _operation(
                    "getGeminiModel", "One model", "Document", ("401", "403", "404"), parameters=[model]
                )
            )
        },
        "/v1/requests/{id}": {
            "get": _operation(
                "getRequest",
                "What a request used and cost",
                "Request",
                ("400", "401", "404"),
                parameters=[request],
            )
        },
        "/v1/feedback": {
            "post": _operation(
                "giveFeedback",
                "Say of an answer how good it was, or how it should read",
                "Feedback",
                ("400", "401", "404", "409", "413"),
                requestBody=_body("NewFeedback"),
            )
        },
        **kept_paths(),
        "/healthz": {"get": _operation("health", "The process lives", "Health", (), security=_OPEN)},
        "/readyz": {"get": _operation("ready", "Inference is answered now", "Readiness", (), security=_OPEN)},
        "/metrics": {
            "get": _text(_operation("metrics", "Prometheus' text form", "Document", ("401", "403")))
        },
        "/openapi.json": {"get": _operation("describe", "This document", "Document", (), security=_OPEN)},
    }


def _cost_paths() -> dict[str, Any]:
    return {
        "/v1/cost/estimate": {
            "post": _operation(
                "estimateCost",
                "What a request would cost; nobody is asked",
                "Estimate",
                ("400", "401", "403", "404", "413"),
                requestBody=_body("NewEstimate"),
            )
        },
        "/admin/v1/usage": {
            "get": _also(
                _admin("usage", "Sums over requests", "UsageReport", parameters=usage_parameters()), CSV
            )
        },
        "/admin/v1/savings": {
            "get": _admin(
                "savings", "What smaller models saved", "SavingsReport", parameters=savings_parameters()
            )
        },
        "/admin/v1/statements/{month}": {
            "get": _also(
                _admin("statement", "A month's statement", "Statement", parameters=statement_parameters()),
                {**CSV, **PAGE},
            )
        },
    }


def _admin_paths() -> dict[str, Any]:
    key = parameter("id", "path", one_of("string"), "The key's id, not its text.")
    provider = parameter("provider", "path", one_of("string"), "A provider of the catalogue, by its name.")
    return {
        "/admin/v1/keys": {
            "get": _admin("listKeys", "Every key", "KeyList", parameters=[hidden()]),
            "post": _made(_admin("createKey", "Make a key", "MadeKey", "NewKey"), "201"),
        },
        "/admin/v1/keys/{id}": {
            "delete": _admin("revokeKey", "End a key everywhere within a second", "Key", parameters=[key])
        },
        "/admin/v1/logs": {
            "get": _followed(
                _admin("logs", "Records, newest first", "RequestList", parameters=log_parameters())
            )
        },
        "/admin/v1/examples": {
            "get": _lines(
                _admin(
                    "examples", "A task's examples, one per line", "Example", parameters=example_parameters()
                )
            ),
            "delete": _admin(
                "eraseExamples", "Erase what was collected", "Erased", parameters=erase_parameters()
            ),
        },
        "/admin/v1/tasks": {"get": _admin("tasks", "What is collected", "TaskList")},
        "/admin/v1/status": {"get": _admin("status", "Processes and engines", "Document")},
        "/admin/v1/config": {"get": _admin("config", "What is in force, secrets masked", "Document")},
        "/admin/v1/config/reload": {"post": _admin("reload", "Read the configuration again", "Document")},
        "/admin/v1/backup": {
            "post": _admin("backup", "A consistent copy of the database", "Document", "BackupTarget")
        },
        "/admin/v1/providers": {
            "get": _admin("providers", "Who is configured, and who is known", "ProviderList")
        },
        "/admin/v1/credentials/{provider}": {
            "put": _admin(
                "putCredential", "Put in a provider's key", "Provider", "NewCredential", parameters=[provider]
            ),
            "delete": _admin(
                "removeCredential", "Remove a key that was put in", "Document", parameters=[provider]
            ),
        },
        "/admin/v1/restart": {
            "post": _made(_admin("restart", "New workers, one after the other", "Document"), "202")
        },
    }


def with_tenants(paths: dict[str, Any]) -> dict[str, Any]:
    """The paths, with those of signing in and of tenants."""
    for path, method, name, summary, answer, body, status in (*OPERATIONS, *LIMIT_OPERATIONS):
        rest: dict[str, Any] = {}
        named = re.findall(r"{(\w+)}", path)
        if named:
            rest["parameters"] = [parameter(each, "path", one_of("string"), "Its id.") for each in named]
        if answer in WHOSE:
            rest["parameters"] = scope_parameters()
        if path == "/admin/v1/audit":
            rest["parameters"] = audit_parameters()
        if path == "/admin/v1/teams" and method == "get":
            rest["parameters"] = [query("organisation", one_of("string"), "Of this one only.")]
        if body:
            rest["requestBody"] = {**_body(body), "required": body not in ("Rotation", "ResetPassword")}
        if path.startswith("/auth/"):
            rest["security"] = _OPEN
        faults = ("400", "401", "403", "404", "409", "413", "415", "429")
        operation = _operation(name, summary, answer or "Document", faults, **rest)
        if not answer:  # it only leads elsewhere
            operation["responses"]["200"]["content"] = {}
        paths.setdefault(path, {})[method] = operation if status == "200" else _made(operation, status)
    return paths


def _money_paths() -> dict[str, Any]:
    return {
        "/admin/v1/credits": {
            "get": _admin(
                "listCredits", "Prepaid and promotional credit", "CreditList", parameters=scope_parameters()
            ),
            "post": _made_or_known(
                _admin("addCredit", "Top a credit up, or grant one", "MadeMovement", "NewCredit")
            ),
        },
        "/admin/v1/credits/refund": {
            "post": _made_or_known(
                _admin("refund", "Money back: of a top-up, or of a request", "MadeMovement", "NewRefund")
            )
        },
        "/admin/v1/credits/threshold": {
            "post": _admin("setThreshold", "Where a low balance is told", "Credit", "CreditThreshold")
        },
        "/admin/v1/transfers": {
            "get": _admin(
                "listTransfers",
                "How money moved, newest first",
                "TransferList",
                parameters=transfer_parameters(),
            )
        },
        "/admin/v1/ledger/accounts": {
            "get": _admin("listAccounts", "Every account's balance", "AccountList")
        },
        "/admin/v1/ledger/verify": {
            "post": _admin("verifyLedger", "Whether the money adds up", "LedgerReport")
        },
    }


def _inference(operation_id: str, summary: str, body: str, answer: str) -> dict[str, Any]:
    operation = _operation(operation_id, summary, answer, _INFERENCE, requestBody=_body(body))
    if operation_id == "chatCompletions":
        text = "`off`: this request is not kept as an example. A task: it is, where the operator allows that."
        operation["parameters"] = [parameter("x-wicket-collect", "header", one_of("string"), text)]
    if operation_id != "classify":
        operation["responses"]["200"]["content"] = _json({"anyOf": [ref(answer), ref("Plan")]})
    if operation_id not in ("embeddings", "classify"):
        operation["responses"]["200"]["content"]["text/event-stream"] = {"schema": EVENTS}
    return operation


def _admin(operation_id: str, summary: str, answer: str, body: str = "", **rest: Any) -> dict[str, Any]:
    if body:
        rest["requestBody"] = _body(body)
    faults = ("400", "401", "403", "404", "409", "413") if body or rest else ("400", "401", "403", "409")
    return _operation(operation_id, summary, answer, faults, **rest)


def _made(operation: dict[str, Any], status: str) -> dict[str, Any]:
    """The same operation with another status for success."""
    responses = dict(operation["responses"])
    return {**operation, "responses": {status: responses.pop("200"), **responses}}


def _made_or_known(operation: dict[str, Any]) -> dict[str, Any]:
    """201 for what was done now, 200 for what had been done under that idempotency key."""
    responses = operation["responses"]
    return {**operation, "responses": {**responses, "201": responses["200"]}}


def _in_own_form(operation: dict[str, Any]) -> dict[str, Any]:
    """Its faults have its own family's shape."""
    for status, response in operation["responses"].items():
        if status != "200":
            response["content"] = _json(ref("Document"))
    return operation


def _text(operation: dict[str, Any]) -> dict[str, Any]:
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": one_of("string")}}
    return operation


def _followed(operation: dict[str, Any]) -> dict[str, Any]:
    operation["responses"]["200"]["content"]["text/event-stream"] = {"schema": EVENTS}
    return operation


def _also(operation: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """The same answer in other forms."""
    operation["responses"]["200"]["content"] |= content
    return operation


def _lines(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation["responses"]["200"]["content"]
    content["application/x-ndjson"] = content.pop("application/json")
    return operation
