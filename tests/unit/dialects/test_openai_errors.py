"""Whose fault an error is, read from the shapes that providers really send."""

import json
from typing import Any

import pytest

from wicket.dialects.openai_errors import MAX_MESSAGE, judge, read, retry_after_ms
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, ProviderRefusal, UpstreamBroken


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"error": {"message": "m", "code": "c", "type": "t", "param": "p"}}, "m", "c"),
        ([{"error": {"message": "m", "code": 400, "status": "INVALID_ARGUMENT"}}], "m", "400"),
        ({"error": "m"}, "m", ""),
        ({"message": "m", "type": "t"}, "m", ""),
        ({"object": "error", "message": "m", "code": 40303}, "m", "40303"),
        ({"detail": "m"}, "m", ""),
        ({"detail": [{"loc": ["body"], "msg": "m"}]}, '[{"loc":["body"],"msg":"m"}]', ""),
        ({"error": {"error": "m"}}, "m", ""),
        ("m", "m", ""),
        ({}, "", ""),
        ([], "", ""),
        (7, "", ""),
        (None, "", ""),
        ({"error": {"message": "x" * 10_000}}, "x" * MAX_MESSAGE, ""),
        (
            {"error": {"code": "content_filter", "message": "m", "innererror": {"code": "X"}}},
            "m",
            "content_filter",
        ),
    ],
)
def test_every_shape_is_read(body: Any, message: str, code: str) -> None:
    said = read(json.dumps(body).encode())
    assert (said.message, said.code) == (message, code)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_json_says_nothing(body: bytes) -> None:
    assert read(body).message == ""


def error(message: str = "m", code: str | None = None, kind: str = "t") -> bytes:
    return json.dumps({"error": {"message": message, "code": code, "type": kind}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "shown"),
    [
        (400, error(), CallerFault, "invalid_request", 400),
        (400, error(code="bad_thing"), CallerFault, "bad_thing", 400),
        (413, error(), CallerFault, "invalid_request", 413),
        (422, b'{"detail":"m"}', CallerFault, "invalid_request", 422),
        (400, error(code="context_length_exceeded"), ProviderFault, "context_length_exceeded", 400),
        (
            400,
            error("prompt is too long: 9 tokens > 8 maximum"),
            ProviderFault,
            "context_length_exceeded",
            400,
        ),
        (413, error("Input is too long for requested model."), ProviderFault, "context_length_exceeded", 400),
        (400, error(code="content_policy_violation"), ProviderRefusal, "content_policy_violation", 400),
        (403, error(code="moderation_blocked"), ProviderRefusal, "moderation_blocked", 403),
        (401, error(), ProviderFault, "provider_auth_failed", 502),
        (403, error(), ProviderFault, "provider_auth_failed", 502),
        (402, error(), ProviderFault, "provider_quota_exhausted", 502),
        (429, error(code="insufficient_quota"), ProviderFault, "provider_quota_exhausted", 502),
        (429, error(kind="insufficient_quota"), ProviderFault, "provider_quota_exhausted", 502),
        (404, error(), ProviderFault, "model_not_found", 404),
        (429, error(), ProviderBusy, "rate_limit_exceeded", 429),
        (500, error(), ProviderBusy, "provider_unavailable", 502),
        (503, b"<html>", ProviderBusy, "provider_unavailable", 503),
        (529, error(), ProviderBusy, "provider_unavailable", 503),
        (408, b"", ProviderBusy, "provider_unavailable", 502),
        (302, b"", UpstreamBroken, "malformed", 502),
        (498, error(code="capacity_exceeded"), ProviderBusy, "provider_unavailable", 502),
        (499, error(), ProviderBusy, "provider_unavailable", 502),
        (
            403,
            b'{"error":{"code":403,"message":"m","metadata":{"reasons":["violence"],"flagged_input":"x"}}}',
            ProviderRefusal,
            "moderation_blocked",
            403,
        ),
        (402, b'{"error":{"code":402,"message":"m"}}', ProviderFault, "provider_quota_exhausted", 502),
        (
            400,
            b'{"error":{"message":"m","code":"tool_use_failed","failed_generation":"<f"}}',
            ProviderFault,
            "tool_use_failed",
            400,
        ),
        (400, error(code="content_filter"), ProviderRefusal, "content_filter", 400),
        (
            400,
            b'{"object":"error","message":"m","type":"invalid_request_error","param":null,"code":"3280"}',
            CallerFault,
            "3280",
            400,
        ),
        (
            422,
            b'{"object":"error","message":{"detail":[{"loc":["body"]}]}}',
            CallerFault,
            "invalid_request",
            422,
        ),
    ],
)
def test_whose_fault_it_is(status: int, body: bytes, kind: type[Fault], code: str, shown: int) -> None:
    fault = judge(status, {}, body)
    assert (type(fault), fault.code, fault.status) == (kind, code, shown)
    assert fault.elsewhere == (not isinstance(fault, CallerFault | ProviderRefusal))
    assert fault.again == isinstance(fault, ProviderBusy)


def test_the_credential_of_a_refused_call_is_not_repeated() -> None:
    fault = judge(401, {}, error("Incorrect API key provided: sk-abc123."))
    assert "sk-abc123" not in fault.message


def test_a_provider_may_say_that_a_retry_is_of_no_use() -> None:
    assert judge(429, {b"x-should-retry": b"false"}, error()).again is False
    assert judge(500, {b"x-should-retry": b"true"}, error()).again is True


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({b"retry-after": b"2"}, 2_000),
        ({b"retry-after": b"0.5"}, 500),
        ({b"retry-after": b"-1"}, 0),
        ({b"retry-after": b"999999999"}, 86_400_000),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"inf"}, None),
        ({b"retry-after-ms": b"250", b"retry-after": b"9"}, 250),
        ({b"retry-after-ms": b"x", b"retry-after": b"9"}, 9_000),
        (
            {b"retry-after": b"Wed, 21 Oct 2026 07:28:05 GMT", b"date": b"Wed, 21 Oct 2026 07:28:00 GMT"},
            5_000,
        ),
        ({b"retry-after": b"Wed, 21 Oct 2026 07:28:05 GMT"}, None),
    ],
)
def test_when_to_come_back(headers: dict[bytes, bytes], wait: int | None) -> None:
    assert retry_after_ms(headers) == wait
