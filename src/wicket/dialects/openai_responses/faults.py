"""Errors: a provider's judged, ours in OpenAI's shape.

Sources: OpenAI API reference (error codes; `response.failed`; the `error` event), and what its stream really
sends: the same fields once more under `error`, which is where the SDKs look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wicket.dialects import openai_errors
from wicket.dialects.openai_chat.faults import KEEP_ALIVE, fault_body
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, ProviderRefusal, UpstreamBroken
from wicket.wire import json

__all__ = ["KEEP_ALIVE", "failure", "fault_body", "fault_frame", "judge"]

_BOUND_ELSEWHERE = frozenset(
    {"invalid_encrypted_content", "previous_response_not_found", "conversation_not_found"}
)
_REFUSED = frozenset({"invalid_prompt", "bio_policy", "cyber_policy", "image_content_policy_violation"})
_BUSY = frozenset({"rate_limit_exceeded", "server_is_overloaded", "slow_down"})
_IMAGE = ("invalid_image", "image_", "invalid_base64_image", "unsupported_image", "empty_image")


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status.

    What is sealed or kept at one account is unknown to every other: the next deployment may be the one.
    """
    said = openai_errors.read(body)
    if said.code in _BOUND_ELSEWHERE and 400 <= status < 500:
        kind = CallerFault.kind
        return ProviderFault(said.code, said.message or said.code, status=status, param=said.param, kind=kind)
    return openai_errors.judge(status, headers, body)


def failure(error: Any) -> Fault:
    """The fault behind a `failed` response's `error`, or behind an `error` event."""
    code = error.get("code") if isinstance(error, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    message = said if isinstance(said, str) and said else "The provider's answer failed."
    message = message[: openai_errors.MAX_MESSAGE]
    if not isinstance(code, str) or not code:
        return openai_errors.in_band({"message": message})
    if code in _REFUSED:
        return ProviderRefusal(code, message)
    if code in _BUSY:
        return ProviderBusy(code, message, status=429, kind="rate_limit_error")
    if code.startswith(_IMAGE) or code == "failed_to_download_image":
        return ProviderFault(code, message, status=400, kind=CallerFault.kind)
    fault = openai_errors.in_band({"message": message, "code": code})
    return UpstreamBroken("provider_error", message) if isinstance(fault, UpstreamBroken) else fault


def fault_frame(fault: Fault, request_id: str = "") -> bytes:
    """The `error` event, which ends a stream; no `response.completed` follows it.

    Its place in the numbering is not known here.
    """
    fields = {"code": fault.code, "message": fault.message, "param": fault.param}
    event = {"type": "error", **fields, "sequence_number": 0, "error": {"type": fault.kind, **fields}}
    return b"event: error\ndata: %b\n\n" % json.encode(event)
