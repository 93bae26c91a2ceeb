"""Google's errors judged, and ours in Google's form."""

import json
from typing import Any

import pytest

from tests.unit.dialects.gemini.speaking import payloads_of
from wicket.dialects import gemini
from wicket.errors import (
    BusyFault,
    CallerFault,
    Fault,
    ProviderBusy,
    ProviderFault,
    UpstreamBroken,
    UpstreamTimeout,
)

TYPE = "type.googleapis.com/google.rpc."


def error(code: int, status: str, message: str = "m", *details: dict[str, Any]) -> bytes:
    return json.dumps(
        {"error": {"code": code, "message": message, "status": status, "details": list(details)}}
    ).encode()


def quota(id: str) -> dict[str, Any]:
    return {"@type": f"{TYPE}QuotaFailure", "violations": [{"quotaMetric": "x", "quotaId": id}]}


RETRY = {"@type": f"{TYPE}RetryInfo", "retryDelay": "34.074824224s"}
BAD_KEY = {"@type": f"{TYPE}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, error(400, "INVALID_ARGUMENT"), CallerFault, "invalid_argument"),
        (
            400,
            error(400, "INVALID_ARGUMENT", "API key not valid.", BAD_KEY),
            ProviderFault,
            "provider_auth_failed",
        ),
        (400, error(400, "INVALID_ARGUMENT", "API key expired."), ProviderFault, "provider_auth_failed"),
        (401, error(401, "UNAUTHENTICATED"), ProviderFault, "provider_auth_failed"),
        (403, error(403, "PERMISSION_DENIED"), ProviderFault, "provider_auth_failed"),
        (
            400,
            error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            ProviderFault,
            "provider_unusable",
        ),
        (404, error(404, "NOT_FOUND"), ProviderFault, "model_not_found"),
        (
            400,
            error(
                400,
                "INVALID_ARGUMENT",
                "The input token count (9) exceeds the maximum number of tokens allowed (1).",
            ),
            ProviderFault,
            "context_length_exceeded",
        ),
        (
            400,
            error(400, "INVALID_ARGUMENT", "Please ensure that multiturn requests ends with a user role."),
            ProviderFault,
            "prefill_unsupported",
        ),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "m", quota(PER_MINUTE), RETRY),
            ProviderBusy,
            "rate_limit_exceeded",
        ),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "m", quota(PER_DAY), RETRY),
            ProviderFault,
            "provider_quota_exhausted",
        ),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0"),
            ProviderFault,
            "provider_quota_exhausted",
        ),
        (500, error(500, "INTERNAL"), ProviderBusy, "provider_unavailable"),
        (503, error(503, "UNAVAILABLE"), ProviderBusy, "provider_unavailable"),
        (504, error(504, "DEADLINE_EXCEEDED"), ProviderBusy, "provider_unavailable"),
        (502, b"<html>", ProviderBusy, "provider_unavailable"),
        (400, b"", CallerFault, "invalid_request"),
    ],
)
def test_whose_fault_it_is(status: int, body: bytes, kind: type[Fault], code: str) -> None:
    for data in (body, b"[%b]" % body if body[:1] == b"{" else body):  # some paths wrap it in a list
        fault = gemini.judge(status, {}, data)
        assert (type(fault), fault.code) == (kind, code)
        assert fault.message and 400 <= fault.status < 600


def test_when_to_come_back() -> None:
    busy = error(429, "RESOURCE_EXHAUSTED", "m", quota(PER_MINUTE), RETRY)
    assert gemini.judge(429, {}, busy).retry_after_ms == 34_074
    assert gemini.judge(429, {b"retry-after": b"2"}, busy).retry_after_ms == 2_000
    assert gemini.judge(503, {}, error(503, "UNAVAILABLE", "m", RETRY)).retry_after_ms == 34_074
    assert gemini.judge(429, {}, error(429, "RESOURCE_EXHAUSTED", "m", quota(PER_DAY))).again is False


def test_the_credential_is_never_repeated() -> None:
    fault = gemini.judge(400, {}, error(400, "INVALID_ARGUMENT", "API key not valid: AIzaSecret"))
    assert "AIza" not in fault.message


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        (CallerFault("bad", "m"), 400, "INVALID_ARGUMENT"),
        (CallerFault("bad", "m", status=401), 401, "UNAUTHENTICATED"),
        (CallerFault("bad", "m", status=418), 418, "INVALID_ARGUMENT"),
        (BusyFault("busy", "m"), 429, "RESOURCE_EXHAUSTED"),
        (UpstreamBroken("cut", "m"), 502, "UNAVAILABLE"),
        (UpstreamTimeout("slow", "m"), 504, "DEADLINE_EXCEEDED"),
        (Fault("x", "m"), 500, "INTERNAL"),
    ],
)
def test_our_errors_in_googles_form(fault: Fault, code: int, status: str) -> None:
    made = json.loads(gemini.fault_body(fault, "req_1"))["error"]
    assert (made["code"], made["message"], made["status"]) == (code, "m", status)
    assert made["details"][0]["reason"] == fault.code.upper()
    assert made["details"][1]["requestId"] == "req_1"


def test_details_name_the_field_and_the_wait() -> None:
    fault = BusyFault("busy", "m", retry_after_ms=1_500, param="contents[0]")
    details = json.loads(gemini.fault_body(fault, "r"))["error"]["details"]
    assert details[2]["fieldViolations"] == [{"field": "contents[0]", "description": "m"}]
    assert details[3]["retryDelay"] == "1.5s"
    assert gemini.judge(429, {}, gemini.fault_body(fault, "r")).retry_after_ms == 1_500


def test_an_error_in_a_stream_is_one_frame_that_starts_with_it() -> None:
    (data,) = payloads_of(gemini.fault_frame(UpstreamBroken("cut", "a\nb"), "r"))
    assert data.startswith(b'{"error":') and json.loads(data)["error"]["message"] == "a\nb"
