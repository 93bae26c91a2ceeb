"""Anthropic's errors, judged; and ours, told its way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wicket.dialects.anthropic_messages import fault_body, fault_frame, judge
from wicket.dialects.anthropic_messages.faults import in_band
from wicket.errors import (
    BusyFault,
    CallerFault,
    Fault,
    KeyFault,
    PermissionFault,
    ProviderBusy,
    ProviderFault,
    ProviderRefusal,
    UnknownModelFault,
    UpstreamBroken,
    UpstreamTimeout,
)


def error(kind: str, message: str = "m", code: str = "") -> bytes:
    found: dict[str, Any] = {"type": kind, "message": message}
    if code:
        found["details"] = {"error_code": code}
    return json.dumps({"type": "error", "error": found, "request_id": "req_1"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "shown", "again"),
    [
        (400, error("invalid_request_error"), CallerFault, "invalid_request", 400, False),
        (
            400,
            error("invalid_request_error", code="tool_name_conflict"),
            CallerFault,
            "tool_name_conflict",
            400,
            False,
        ),
        (401, error("authentication_error"), ProviderFault, "provider_auth_failed", 502, False),
        (402, error("billing_error"), ProviderFault, "provider_quota_exhausted", 502, False),
        (403, error("permission_error"), ProviderFault, "provider_auth_failed", 502, False),
        (404, error("not_found_error"), ProviderFault, "model_not_found", 404, False),
        (408, error("timeout_error"), UpstreamTimeout, "provider_timeout", 504, True),
        (409, error("conflict_error"), ProviderBusy, "provider_unavailable", 502, True),
        (413, error("request_too_large"), CallerFault, "request_too_large", 413, False),
        (422, error("invalid_request_error"), CallerFault, "invalid_request", 422, False),
        (429, error("rate_limit_error"), ProviderBusy, "rate_limit_exceeded", 429, True),
        (
            429,
            error("rate_limit_error", code="ramp_limit_exceeded"),
            ProviderBusy,
            "rate_limit_exceeded",
            429,
            True,
        ),
        (500, error("api_error"), ProviderBusy, "provider_unavailable", 502, True),
        (502, b"<html>", ProviderBusy, "provider_unavailable", 502, True),
        (503, b"", ProviderBusy, "provider_unavailable", 503, True),
        (504, error("timeout_error"), UpstreamTimeout, "provider_timeout", 504, True),
        (529, error("overloaded_error", "Overloaded"), ProviderBusy, "provider_unavailable", 503, True),
        (302, b"", UpstreamBroken, "malformed", 502, False),
        (400, b'{"error":{"message":"m","code":"x"}}', CallerFault, "x", 400, False),
        (400, b'{"message":"m"}', CallerFault, "invalid_request", 400, False),
    ],
)
def test_every_type_is_judged(
    status: int, body: bytes, kind: type[Fault], code: str, shown: int, again: bool
) -> None:
    fault = judge(status, {}, body)
    assert type(fault) is kind and (fault.code, fault.status, fault.again) == (code, shown, again)
    assert fault.elsewhere is not (kind is CallerFault)


@pytest.mark.parametrize(
    "code",
    [
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
    ],
)
def test_a_spent_account_is_not_asked_again(code: str) -> None:
    fault = judge(429, {}, error("rate_limit_error", "Spend limit reached.", code))
    assert fault.code == "provider_quota_exhausted" and not fault.again and fault.elsewhere


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (400, "prompt is too long: 204141 tokens > 200000 maximum", "context_length_exceeded"),
        (
            400,
            "input length and `max_tokens` exceed context limit: 150000 + 64000 > 200000, decrease input",
            "context_length_exceeded",
        ),
        (413, "Prompt is too long", "context_length_exceeded"),
        (400, "Your credit balance is too low to access the Anthropic API.", "provider_quota_exhausted"),
        (
            400,
            "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
            "provider_quota_exhausted",
        ),
        (400, "This model does not support assistant message prefill.", "prefill_unsupported"),
    ],
)
def test_what_only_the_words_tell(status: int, message: str, code: str) -> None:
    fault = judge(status, {}, error("invalid_request_error", message))
    assert fault.code == code and fault.elsewhere and not fault.again and message in fault.message


@pytest.mark.parametrize("status", [400, 500])
def test_a_filter_is_a_refusal_and_never_tried_elsewhere(status: int) -> None:
    fault = judge(status, {}, error("invalid_request_error", "Output blocked by content filtering policy"))
    assert isinstance(fault, ProviderRefusal) and fault.code == "content_filter" and not fault.elsewhere


def test_an_organization_on_hold_is_the_operators() -> None:
    fault = judge(400, {}, error("invalid_request_error", "m", "organization_on_hold"))
    assert fault.code == "provider_auth_failed" and fault.elsewhere


def test_headers_say_when_and_whether() -> None:
    body = error("rate_limit_error")
    assert judge(429, {b"retry-after": b"7"}, body).retry_after_ms == 7_000
    assert judge(529, {b"retry-after": b"1"}, error("overloaded_error")).retry_after_ms == 1_000
    assert judge(429, {}, body).retry_after_ms is None
    assert judge(529, {b"x-should-retry": b"false"}, body).again is False
    assert judge(400, {b"x-should-retry": b"true"}, error("invalid_request_error")).again is False


@pytest.mark.parametrize(
    ("kind", "message", "code", "again"),
    [
        ("overloaded_error", "Overloaded", "provider_unavailable", True),
        ("rate_limit_error", "m", "rate_limit_exceeded", True),
        ("timeout_error", "m", "provider_timeout", True),
        ("api_error", "Internal server error", "provider_error", False),
        ("invalid_request_error", "m", "provider_error", False),
        ("invalid_request_error", "prompt is too long", "context_length_exceeded", False),
        ("new_error", "m", "provider_error", False),
    ],
)
def test_errors_inside_a_stream(kind: str, message: str, code: str, again: bool) -> None:
    fault = in_band({"type": kind, "message": message})
    assert (fault.code, fault.again, fault.elsewhere) == (code, again, True)
    assert in_band("just words").message == "just words" and in_band(None).message


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (CallerFault("c", "m"), "invalid_request_error"),
        (CallerFault("c", "m", status=422), "invalid_request_error"),
        (CallerFault("c", "m", status=413), "request_too_large"),
        (CallerFault("c", "m", status=402), "billing_error"),
        (CallerFault("c", "m", status=405), "invalid_request_error"),
        (KeyFault("c", "m"), "authentication_error"),
        (PermissionFault("c", "m"), "permission_error"),
        (UnknownModelFault("c", "m"), "not_found_error"),
        (BusyFault("c", "m"), "rate_limit_error"),
        (ProviderBusy("c", "m", status=503), "overloaded_error"),
        (ProviderBusy("c", "m", status=529), "overloaded_error"),
        (UpstreamTimeout("c", "m"), "timeout_error"),
        (UpstreamBroken("c", "m"), "api_error"),
        (Fault("c", "m"), "api_error"),
    ],
)
def test_our_faults_are_told_by_status(fault: Fault, kind: str) -> None:
    told = {"type": "error", "error": {"type": kind, "message": "m"}, "request_id": "r"}
    assert json.loads(fault_body(fault, "r")) == told
    frame = fault_frame(fault, "r")
    assert frame.startswith(b"event: error\ndata: {") and frame.endswith(b"}\n\n")
    assert json.loads(frame.split(b"data: ")[1]) == told
