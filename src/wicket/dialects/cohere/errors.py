"""Whose fault an error of Cohere's is.

Shape: `{"message", "id"?}`, in front of a status. 498 is an answer that its filter stopped ("blocked"), 499 a
request that was cancelled. Source: Cohere API reference, "Errors"; recorded errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wicket.dialects.openai_errors import judge as judge_any
from wicket.dialects.openai_errors import read, retry_after_ms
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, ProviderRefusal, UpstreamBroken
from wicket.wire import json

_SPENT = re.compile(r"monthly|/ ?month|billing", re.IGNORECASE)
_KEY = re.compile(r"invalid api token|no api key", re.IGNORECASE)
_TOO_LONG = re.compile(r"too many tokens|exceeds the (limit|maximum)|context length", re.IGNORECASE)


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status."""
    message = read(body).message or f"The provider answered with status {status}."
    if _KEY.search(message) and status < 500:
        text = "The provider refused the gateway's credential for it; the operator should check it."
        return ProviderFault("provider_auth_failed", text)
    if status == 498:
        return ProviderRefusal("content_filter", message)
    if status == 499:  # nobody of ours cancelled it: it was cut on Cohere's side
        return ProviderBusy("provider_unavailable", message)
    if status == 429 and _SPENT.search(message):
        return ProviderFault(
            "provider_quota_exhausted", f"The provider's own account is exhausted: {message}"
        )
    if status in (400, 422) and _TOO_LONG.search(message):
        return ProviderFault("context_length_exceeded", message, status=400, kind=CallerFault.kind)
    fault = judge_any(status, headers, body)
    if isinstance(fault, ProviderBusy) and fault.retry_after_ms is None:
        fault.retry_after_ms = retry_after_ms(headers)
    return fault


KEEP_ALIVE = b": waiting\n\n"


def fault_body(fault: Fault, request_id: str) -> bytes:
    """An error answer as Cohere writes one."""
    return json.encode({"id": request_id, "message": fault.message})


def fault_frame(fault: Fault, request_id: str) -> bytes:
    """The same inside a stream; no API of Cohere's that callers reach streams."""
    return b"data: %b\n\n" % fault_body(fault, request_id)


def in_stream(payload: bytes) -> Fault:
    """The fault behind an error inside a stream; it is the provider's, whatever it says."""
    message = read(payload).message or "The provider reported an error inside its answer."
    return UpstreamBroken("provider_error", message)
