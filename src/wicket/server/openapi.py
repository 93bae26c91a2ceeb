"""The description of every route as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1)."""

from __future__ import annotations

import re
from typing import Any

import wicket
from wicket.accounts.usage_rows import GROUPS
from wicket.dialects.openai_chat import CHAT
from wicket.server.app_paths import inference_doors
from wicket.server.openapi_kept import kept_paths
from wicket.server.openapi_media import described
from wicket.server.openapi_parts import body as _body
from wicket.server.openapi_parts import json_of as _json
from wicket.server.openapi_parts import operation as _operation
from wicket.server.openapi_parts import parameter as _parameter
from wicket.server.openapi_parts import query as _query
from wicket.server.openapi_schemas import AGE_PATTERN, EVENTS, MODEL_PATTERN, SCHEMAS, one_of, ref

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
        "paths": {
            **_inference_paths(),
            **_media_paths(),
            **_other_families(),
            **_cold_paths(),
            **_admin_paths(),
        },
        "components": {
            "schemas": SCHEMAS,
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
    """The APIs of other dialects, whose bodies their own references describe."""
    found: dict[str, Any] = {}
    for path, (api, way) in inference_doors().items():
        if api.dialect == CHAT.dialect:
            continue
        name = re.sub(r"\W+(\w)", lambda match: match[1].upper(), path.rpartition(":")[2].strip("/"))
        summary = f"{api.name} of the dialect {api.dialect}"
        operation = _operation(name, summary, "Document", _INFERENCE, requestBody=_body("Document"))
        if "{model}" in path:
            shape = one_of("string", pattern=MODEL_PATTERN)
            operation["parameters"] = [_parameter("model", "path", shape, "A model's id.")]
        if api.can_stream and way.is_streamed is not False:
            operation["responses"]["200"]["content"]["text/event-stream"] = {"schema": EVENTS}
        found[path] = {"post": _in_own_form(operation)}
    return found


def _cold_paths() -> dict[str, Any]:
    model = _parameter(
        "id", "path", one_of("string", pattern=MODEL_PATTERN), "A model's id; it may hold slashes."
    )
    request = _parameter(
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


def _admin_paths() -> dict[str, Any]:
    key = _parameter("id", "path", one_of("string"), "The key's id, not its text.")
    provider = _parameter("provider", "path", one_of("string"), "A provider of the catalogue, by its name.")
    return {
        "/admin/v1/keys": {
            "get": _admin("listKeys", "Every key", "KeyList"),
            "post": _made(_admin("createKey", "Make a key", "MadeKey", "NewKey"), "201"),
        },
        "/admin/v1/keys/{id}": {
            "delete": _admin("revokeKey", "End a key everywhere within a second", "Key", parameters=[key])
        },
        "/admin/v1/usage": {
            "get": _admin("usage", "Sums over requests", "UsageReport", parameters=_usage_parameters())
        },
        "/admin/v1/savings": {
            "get": _admin(
                "savings", "What cascades saved, by task", "SavingsReport", parameters=_span_parameters()
            )
        },
        "/admin/v1/logs": {
            "get": _followed(
                _admin("logs", "Records, newest first", "RequestList", parameters=_log_parameters())
            )
        },
        "/admin/v1/examples": {
            "get": _lines(
                _admin(
                    "examples", "A task's examples, one per line", "Example", parameters=_example_parameters()
                )
            ),
            "delete": _admin(
                "eraseExamples", "Erase what was collected", "Erased", parameters=_erase_parameters()
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


def _inference(operation_id: str, summary: str, body: str, answer: str) -> dict[str, Any]:
    operation = _operation(operation_id, summary, answer, _INFERENCE, requestBody=_body(body))
    if operation_id == "chatCompletions":
        text = "`off`: this request is not kept as an example. A task: it is, where the operator allows that."
        operation["parameters"] = [_parameter("x-wicket-collect", "header", one_of("string"), text)]
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


def _lines(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation["responses"]["200"]["content"]
    content["application/x-ndjson"] = content.pop("application/json")
    return operation


def _example_parameters() -> list[dict[str, Any]]:
    task = {**_query("task", one_of("string"), "Whose examples."), "required": True}
    minis = _query("minis", one_of("string", enum=["0", "1"]), "0: without what minis answered themselves.")
    return [task, _span_parameters()[0], minis]


def _erase_parameters() -> list[dict[str, Any]]:
    return [
        _query("key", one_of("string"), "A caller's: the key's id or name, or `admin`."),
        _query("task", one_of("string"), "A task's."),
        _query("request", one_of("string", pattern="^req_[0-7][0-9a-f]{15}$"), "One request's."),
    ]


def _usage_parameters() -> list[dict[str, Any]]:
    pattern = f"^({'|'.join(GROUPS)})(,({'|'.join(GROUPS)}))*$"
    by = _query("by", one_of("string", pattern=pattern), f"A comma list of {', '.join(GROUPS)}.")
    return [by, *_span_parameters()]


def _log_parameters() -> list[dict[str, Any]]:
    return [
        _query("key", one_of("string"), "A key's id or name, or `admin`."),
        _query("model", one_of("string"), "The model that was asked for."),
        _query("outcome", one_of("string"), '"ok", a fault\'s code, or "failed" for all but ok.'),
        *_span_parameters(),
        _query("limit", one_of("integer", minimum=1, maximum=10_000), "At most so many; 100 if not given."),
        _query("follow", one_of("string", enum=["0", "1"]), "1: go on as server-sent events."),
    ]


def _span_parameters() -> list[dict[str, Any]]:
    age = "An age (15m, 1h, 7d), an ISO 8601 time, or Unix seconds."
    moment = {"anyOf": [one_of("string", pattern=AGE_PATTERN), one_of("string", format="date-time")]}
    return [_query("since", moment, age), _query("until", moment, age)]
