"""Anthropic's errors: whose fault one is, and how ours are told to a caller of this dialect.

Sources: "Errors" and "Rate limits" of the Claude API documentation (types by status, `retry-after`,
`error.details.error_code`, `x-should-retry`); messages as seen in public traffic for what has no code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wicket.dialects.openai_errors import MAX_MESSAGE, retry_after_ms
from wicket.dialects.openai_errors import read as read_any
from wicket.errors import (
    CallerFault,
    Fault,
    ProviderBusy,
    ProviderFault,
    ProviderRefusal,
    UpstreamBroken,
    UpstreamTimeout,
)
from wicket.wire import json

_CONTEXT = re.compile(
    r"prompt is too long|exceeds? (the )?(model's )?(context|maximum) (limit|window|length)|"
    r"input is too long|input length and `?max_tokens`? exceed|too many total text bytes",
    re.IGNORECASE,
)
_PREFILL = re.compile(
    r"assistant (message )?prefill|conversation must end with a user message|"
    r"does not support (assistant )?prefill",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"credit balance is too low|reached your specified (api|workspace api)? ?usage limits?|"
    r"monthly spend|spend(ing)? limit",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content filter(ing)? policy|blocked by (our )?content filter", re.IGNORECASE)
_SPENT_CODES = frozenset(
    {
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "user_profile_not_billable",
    }
)
_STOPPED_CODES = frozenset({"organization_on_hold", "organization_disabled"})

_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TYPE_OF = {status: name for name, status in _STATUS_OF.items()} | {
    408: "timeout_error",
    422: "invalid_request_error",
    503: "overloaded_error",
}


class _Said(msgspec.Struct):
    message: str
    kind: str
    code: str  # `error.details.error_code`


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status."""
    said = _read(body)
    fault = _by_content(said, status) or _by_status(said, status)
    if isinstance(fault, ProviderBusy):
        fault.retry_after_ms = retry_after_ms(headers)
    if headers.get(b"x-should-retry") == b"false":
        fault.again = False
    return fault


def in_band(error: Any) -> Fault:
    """The fault behind an `error` object inside a stream or a successful answer."""
    said = _said(error)
    status = _STATUS_OF.get(said.kind, 500)
    fault = _by_content(said, status)
    if fault is None and status in (429, 529, 504):
        fault = _by_status(said, status)
    if fault is not None and not isinstance(fault, CallerFault):
        return fault
    return UpstreamBroken(
        "provider_error", said.message or "The provider reported an error inside its answer."
    )


def _read(body: bytes) -> _Said:
    try:
        value = json.decode(body)
    except (json.DecodeError, RecursionError):
        return _Said("", "", "")
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        return _said(value["error"])
    other = read_any(body)  # a clone's or a proxy's own shape
    return _Said(other.message, other.kind, other.code)


def _said(error: Any) -> _Said:
    if not isinstance(error, dict):
        return _Said(error[:MAX_MESSAGE] if isinstance(error, str) else "", "", "")
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else error.get("code")
    message, kind = error.get("message"), error.get("type")
    return _Said(
        message[:MAX_MESSAGE] if isinstance(message, str) else "",
        kind if isinstance(kind, str) else "",
        code if isinstance(code, str) else "",
    )


def _by_content(said: _Said, status: int) -> Fault | None:
    """Faults that their words or code tell better than their status."""
    message = said.message
    if said.code in _SPENT_CODES or said.kind == "billing_error" or status == 402 or _ACCOUNT.search(message):
        text = f"The provider's own account is exhausted: {message or status}"
        return ProviderFault("provider_quota_exhausted", text)
    if said.code in _STOPPED_CODES:
        return ProviderFault("provider_auth_failed", f"The provider holds the gateway's account: {message}")
    if status in (400, 413, 422, 500) and _FILTERED.search(message):
        return ProviderRefusal("content_filter", message)
    if status not in (400, 413, 422):
        return None
    if _CONTEXT.search(message):
        return ProviderFault("context_length_exceeded", message, status=400, kind=CallerFault.kind)
    if _PREFILL.search(message):  # another model may continue an answer
        return ProviderFault("prefill_unsupported", message, status=400, kind=CallerFault.kind)
    return None


def _by_status(said: _Said, status: int) -> Fault:
    message = said.message or f"The provider answered with status {status}."
    if status in (401, 403):
        text = "The provider refused the gateway's credential for it; the operator should check it."
        return ProviderFault("provider_auth_failed", text)
    if status == 404:
        return ProviderFault("model_not_found", message, status=404, kind=CallerFault.kind)
    if status == 429:
        return ProviderBusy("rate_limit_exceeded", message, status=429, kind="rate_limit_error")
    if status in (408, 504) or said.kind == "timeout_error":
        fault = UpstreamTimeout("provider_timeout", message)
        fault.again = True
        return fault
    if status >= 500 or status in (409, 425, 499):
        return ProviderBusy("provider_unavailable", message, status=503 if status in (503, 529) else 502)
    if status < 400:
        return UpstreamBroken("malformed", f"The provider answered with the unexpected status {status}.")
    code = said.code or ("request_too_large" if status == 413 else "invalid_request")
    return CallerFault(code, message, status=status)


def error_type(fault: Fault) -> str:
    """Anthropic's word for a fault, by its status."""
    if fault.code == "provider_quota_exhausted":
        return "api_error"  # the gateway's account, not the caller's bill
    return _TYPE_OF.get(fault.status, "invalid_request_error" if fault.status < 500 else "api_error")


def fault_body(fault: Fault, request_id: str) -> bytes:
    """An error answer as JSON bytes."""
    error = {"type": error_type(fault), "message": fault.message}
    return json.encode({"type": "error", "error": error, "request_id": request_id})


def fault_frame(fault: Fault, request_id: str) -> bytes:
    """An error inside a stream: clients raise on the `error` event."""
    return b"event: error\ndata: %b\n\n" % fault_body(fault, request_id)
