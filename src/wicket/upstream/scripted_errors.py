"""Refusals in the shapes that OpenAI-compatible servers give them, for scripts to name."""

from __future__ import annotations

from typing import Any

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"


def _error(message: str, kind: str, code: str | None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


ERRORS: dict[str, tuple[int, dict[str, Any] | bytes]] = {
    "bad_request": (400, _error("A field is wrong.", "invalid_request_error", None)),
    "authentication": (401, _error("The API key is not valid.", "invalid_request_error", "invalid_api_key")),
    "permission": (403, _error("The key may not use this model.", "permission_error", None)),
    "no_model": (
        404,
        _error("The model does not exist.", "invalid_request_error", "model_not_found", "model"),
    ),
    "rate_limit": (429, _error("Too many requests.", "requests", "rate_limit_exceeded")),
    "no_credit": (429, _error("The balance is used up.", "insufficient_quota", "insufficient_quota")),
    "server_error": (500, _error("Something went wrong here.", "server_error", None)),
    "overloaded": (503, _error("There is too much to do.", "server_error", "overloaded")),
    "context_length": (
        400,
        _error(
            "This model's maximum context length is exceeded by the messages.",
            "invalid_request_error",
            "context_length_exceeded",
            "messages",
        ),
    ),
    "content_policy": (
        400,
        _error(
            "The request was refused by the safety system.",
            "invalid_request_error",
            "content_policy_violation",
        ),
    ),
    "content_filter": (
        400,
        _error(
            "The prompt triggered the content filter.", "invalid_request_error", "content_filter", "prompt"
        ),
    ),
    "prefill": (
        400,
        _error(
            "This model does not support assistant message prefill: the last message must be the user's.",
            "invalid_request_error",
            None,
            "messages",
        ),
    ),
    "html": (502, HTML),
}
