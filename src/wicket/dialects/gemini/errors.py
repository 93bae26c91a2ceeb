"""Whose fault an error of Google's is, and our own errors in Google's form.

Shape: `{"error": {"code", "message", "status", "details": […]}}` (google.rpc.Status), in a list on some paths
and in streams that are arrays. What matters stands in the details: `RetryInfo.retryDelay`, which quota was
hit (`QuotaFailure`), and the reason (`ErrorInfo`). Source: google/rpc/error_details.proto and the recorded
errors; ai.google.dev/gemini-api/docs/troubleshooting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wicket.dialects.openai_errors import MAX_MESSAGE, retry_after_ms
from wicket.dialects.openai_errors import judge as judge_any
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, UpstreamBroken
from wicket.wire import json

MAX_WAIT_MS = 86_400_000
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_CODES = {name: code for code, name in reversed(STATUSES.items())} | {"UNAVAILABLE": 503}
_KEY_WORDS = re.compile(r"API key (not valid|not found|expired)|reported as leaked", re.IGNORECASE)
_PLACE_WORDS = re.compile(r"location is not supported|billing|not been used in project", re.IGNORECASE)
_PREFILL_WORDS = re.compile(
    r"ends? with a user role|prefill|assistant message is not supported|last content.*user", re.IGNORECASE
)
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class Said(msgspec.Struct):
    """What a Google error says. `quotas` are the ids of those that were hit, `reason` its own name for it."""

    code: int = 0
    message: str = ""
    status: str = ""
    reason: str = ""
    quotas: tuple[str, ...] = ()
    wait_ms: int | None = None


def read(body: bytes) -> Said | None:
    """The error; None for a body of another shape. Never raises."""
    try:
        value = json.decode(body)
    except (json.DecodeError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    return said_of(value.get("error")) if isinstance(value, dict) else None


def said_of(error: Any) -> Said | None:
    """The same of an error that is decoded already."""
    if not isinstance(error, dict) or not isinstance(error.get("status", ""), str):
        return None
    message, code = error.get("message"), error.get("code")
    said = Said(
        code=code if isinstance(code, int) else 0,
        message=message[:MAX_MESSAGE] if isinstance(message, str) else "",
        status=error.get("status", ""),
    )
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            _add_detail(said, detail)
    return said


def _add_detail(said: Said, detail: Mapping[str, Any]) -> None:
    delay, reason, violations = detail.get("retryDelay"), detail.get("reason"), detail.get("violations")
    if isinstance(delay, str) and (found := _DELAY.fullmatch(delay)):
        said.wait_ms = min(int(float(found.group(1)) * 1_000), MAX_WAIT_MS)
    if isinstance(reason, str):
        said.reason = reason
    for violation in violations if isinstance(violations, list) else ():
        quota = violation.get("quotaId") if isinstance(violation, dict) else None
        if isinstance(quota, str):
            said.quotas = (*said.quotas, quota)


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status."""
    said = read(body)
    if said is None or status < 400:
        return judge_any(status, headers, body)
    status = _CODES.get(said.status, status) if status >= 500 or status == 400 else status
    message = said.message or f"The provider answered with status {status}."
    if said.reason.startswith("API_KEY_") or _KEY_WORDS.search(said.message) or status in (401, 403):
        text = "The provider refused the gateway's credential for it; the operator should check it."
        return ProviderFault("provider_auth_failed", text)
    if said.status == "FAILED_PRECONDITION" and _PLACE_WORDS.search(said.message):
        return ProviderFault("provider_unusable", f"The provider does not serve this gateway: {message}")
    if status == 429:
        return _limited(said, message, headers)
    if status in (400, 422) and _PREFILL_WORDS.search(said.message):
        return ProviderFault("prefill_unsupported", message, status=400, kind=CallerFault.kind)
    fault = judge_any(status, headers, json.encode({"message": message}))
    if fault.retry_after_ms is None and isinstance(fault, ProviderBusy):
        fault.retry_after_ms = said.wait_ms
    if type(fault) is CallerFault:
        fault.code = (said.reason or said.status or "invalid_request").lower()
    return fault


def _limited(said: Said, message: str, headers: Mapping[bytes, bytes]) -> Fault:
    """A quota per minute refills while one waits; one per day, or of nothing at all, does not."""
    is_spent = any("PerDay" in quota for quota in said.quotas) or re.search(r"limit: 0\b", said.message)
    if is_spent or "credits are depleted" in said.message:
        text = f"The provider's own account is exhausted: {message}"
        return ProviderFault("provider_quota_exhausted", text)
    fault = ProviderBusy("rate_limit_exceeded", message, status=429, kind="rate_limit_error")
    waited = retry_after_ms(headers)
    fault.retry_after_ms = said.wait_ms if waited is None else waited
    return fault


def in_band(error: Any) -> Fault:
    """The fault behind an error inside a stream or a 200; it is the provider's, whatever it says."""
    said = said_of(error)
    if said is None:
        return UpstreamBroken("provider_error", "The provider reported an error inside its answer.")
    status = said.code if 400 <= said.code < 600 else _CODES.get(said.status, 502)
    fault = judge(status, {}, json.encode({"error": error}))
    if isinstance(fault, CallerFault):
        return UpstreamBroken("provider_error", fault.message)
    return fault


def fault_members(fault: Fault, request_id: str) -> dict[str, Any]:
    """Our error as Google writes one: `error` with code, message, status and details."""
    prefix = "type.googleapis.com/google.rpc."
    details: list[dict[str, Any]] = [
        {"@type": f"{prefix}ErrorInfo", "reason": fault.code.upper(), "domain": "wicket"},
        {"@type": f"{prefix}RequestInfo", "requestId": request_id},
    ]
    if fault.param:
        violation = {"field": fault.param, "description": fault.message}
        details.append({"@type": f"{prefix}BadRequest", "fieldViolations": [violation]})
    if fault.retry_after_ms is not None:
        details.append({"@type": f"{prefix}RetryInfo", "retryDelay": f"{fault.retry_after_ms / 1_000:g}s"})
    status = STATUSES.get(fault.status) or ("INVALID_ARGUMENT" if fault.status < 500 else "INTERNAL")
    return {"error": {"code": fault.status, "message": fault.message, "status": status, "details": details}}


def fault_body(fault: Fault, request_id: str) -> bytes:
    """An error answer as JSON bytes."""
    return json.encode(fault_members(fault, request_id))


def fault_frame(fault: Fault, request_id: str) -> bytes:
    """An error inside a stream: Google's SDKs raise a chunk whose first member is `error`."""
    return b"data: %b\n\n" % json.encode(fault_members(fault, request_id))
