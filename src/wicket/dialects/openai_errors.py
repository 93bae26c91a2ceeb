"""Whose fault an OpenAI-like error is, and what may be tried next.

Shapes seen in recorded traffic: `{"error": {…}}`, the same in a list (Gemini's compatible path),
`{"error": "text"}`, `{"message": …}` (Mistral, Cohere), `{"detail": …}` (FastAPI), HTML, and nothing.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wicket.errors import (
    CallerFault,
    Fault,
    ProviderBusy,
    ProviderFault,
    ProviderRefusal,
    UpstreamBroken,
)

MAX_MESSAGE = 2_000
_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "max_tokens_exceeded"})
_CONTEXT_WORDS = re.compile(
    r"maximum context length|context (length|window)|too many (input )?tokens|prompt is too long|"
    r"exceeds? the (maximum|model's) (number of tokens|context)|input is too long",
    re.IGNORECASE,
)
_PREFILL_WORDS = re.compile(
    r"assistant (message )?prefill|conversation must end with a user message|expected last role|"
    r"last message must have role",  # Anthropic, Mistral, Perplexity
    re.IGNORECASE,
)
_REFUSAL_CODES = frozenset(
    {"content_policy_violation", "content_filter", "responsible_ai_policy_violation", "moderation_blocked"}
)
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
_MINIMAX_LIMITS = frozenset({1002, 1041, 2045, 2056})
_MINIMAX_SPENT = 1008
_MINIMAX_KEYS = frozenset({1004, 2049})
_MINIMAX_FILTERS = frozenset({1026, 1027})  # the prompt's, the answer's
_MINIMAX_CONTEXT = 1039
_MINIMAX_PARAMETERS = frozenset({1042, 2013})
_BUSY = frozenset({408, 409, 425, 498, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})


class Said(msgspec.Struct):
    """What a provider's error body says, whatever its shape."""

    message: str = ""
    code: str = ""
    kind: str = ""
    param: str | None = None
    is_generation: bool = False  # Groq: what the model wrote was no call, or no JSON


def read(body: bytes) -> Said:
    """Find message, code, type and param in any of the known shapes; never raises."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return Said()
    if isinstance(value, list) and value:
        value = value[0]
    return _said(value.get("error", value) if isinstance(value, dict) else value)


def _said(value: Any) -> Said:
    if isinstance(value, str):
        return Said(message=value[:MAX_MESSAGE])
    if not isinstance(value, dict):
        return Said()
    message = value.get("message") or value.get("detail") or value.get("error") or ""
    if not isinstance(message, str):
        message = msgspec.json.encode(message).decode()
    code, kind, param = value.get("code"), value.get("type") or value.get("status"), value.get("param")
    told = value.get("metadata")
    if isinstance(told, dict) and "flagged_input" in told:  # OpenRouter's moderation, a 403 like a bad key
        code = "moderation_blocked"
    return Said(
        message=message[:MAX_MESSAGE],
        code=str(code) if isinstance(code, str | int) and code != "" else "",
        kind=kind if isinstance(kind, str) else "",
        param=param if isinstance(param, str) else None,
        is_generation="failed_generation" in value,
    )


def retry_after_ms(headers: Mapping[bytes, bytes]) -> int | None:
    """`retry-after-ms`, or `retry-after` in seconds or as a date (RFC 9110 §10.2.3); None if unreadable.

    A date is measured from the answer's own `date`, so that no clock of ours is needed.
    """
    value = headers.get(b"retry-after")
    for number, unit_ms in ((headers.get(b"retry-after-ms"), 1), (value, 1_000)):
        try:
            if number is not None:
                return max(0, min(int(float(number) * unit_ms), 86_400_000))
        except (ValueError, OverflowError):
            continue
    until, since = _date(value), _date(headers.get(b"date"))
    if until is None or since is None:
        return None
    return max(0, min(int((until - since) * 1000), 86_400_000))


def _date(value: bytes | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime((value or b"").decode("latin-1")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status."""
    said = read(body)
    message = said.message or f"The provider answered with status {status}."
    if _is_context(said, status):
        fault: Fault = ProviderFault("context_length_exceeded", message, status=400, param=said.param)
        fault.kind = CallerFault.kind
        return fault
    if said.code in _REFUSAL_CODES or said.kind in _REFUSAL_CODES:
        return ProviderRefusal(said.code or said.kind, message, status=status, param=said.param)
    if said.is_generation and status == 400:  # the model's failure: another may do better
        return ProviderFault(said.code or "failed_generation", message, status=400, kind=CallerFault.kind)
    if said.code == "not_confident":  # a mini of ours: whoever is asked next may well answer
        fault = ProviderFault("not_confident", message, status=status, param=said.param)
        fault.kind = CallerFault.kind
        return fault
    if said.code in _QUOTA_CODES or said.kind in _QUOTA_CODES or status == 402:
        return ProviderFault(
            "provider_quota_exhausted", f"The provider's own account is exhausted: {message}"
        )
    if status in (401, 403):
        text = "The provider refused the gateway's credential for it; the operator should check it."
        return ProviderFault("provider_auth_failed", text)
    if status == 404:
        return ProviderFault("model_not_found", message, status=404, kind=CallerFault.kind, param=said.param)
    if status == 429:
        fault = ProviderBusy("rate_limit_exceeded", message, status=429, kind="rate_limit_error")
        return _timed(fault, headers)
    if status >= 500 or status in _BUSY:
        fault = ProviderBusy("provider_unavailable", message, status=503 if status in (503, 529) else 502)
        return _timed(fault, headers)
    if status in (400, 422) and _PREFILL_WORDS.search(message):  # another model may continue an answer
        return ProviderFault(
            "prefill_unsupported", message, status=400, kind=CallerFault.kind, param=said.param
        )
    if status < 400:
        return UpstreamBroken("malformed", f"The provider answered with the unexpected status {status}.")
    code, kind = said.code or "invalid_request", said.kind or CallerFault.kind
    return CallerFault(code, message, status=status, param=said.param, kind=kind)


def _timed(fault: Fault, headers: Mapping[bytes, bytes]) -> Fault:
    """When the provider wants to be asked again, and whether (`x-should-retry`, which OpenAI's SDKs heed)."""
    fault.retry_after_ms = retry_after_ms(headers)
    if headers.get(b"x-should-retry") == b"false":
        fault.again = False
    return fault


def in_band(error: Any) -> Fault:
    """The fault behind an error object inside a successful answer or a stream (vLLM, SGLang, OpenRouter)."""
    said = _said(error)
    message = said.message or "The provider reported an error inside its answer."
    if said.code in _REFUSAL_CODES or said.kind in _REFUSAL_CODES:
        return ProviderRefusal(said.code or said.kind, message)
    if _is_context(said, 400):
        fault = ProviderFault("context_length_exceeded", message, status=400)
        fault.kind = CallerFault.kind
        return fault
    return UpstreamBroken("provider_error", message)


def of_base_resp(value: Any) -> Fault | None:
    """The fault that MiniMax tells of inside a 200; None where `base_resp` says that all went well.

    Source: MiniMax API reference, "error codes". An unknown code is a failure of the provider's.
    """
    code = value.get("status_code") if isinstance(value, dict) else None
    if not code:
        return None
    words = value.get("status_msg")
    message = words[:MAX_MESSAGE] if isinstance(words, str) and words else f"The provider says {code}."
    if code in _MINIMAX_LIMITS:
        return ProviderBusy("rate_limit_exceeded", message, status=429, kind="rate_limit_error")
    if code == _MINIMAX_SPENT:
        return ProviderFault(
            "provider_quota_exhausted", f"The provider's own account is exhausted: {message}"
        )
    if code in _MINIMAX_KEYS:
        text = "The provider refused the gateway's credential for it; the operator should check it."
        return ProviderFault("provider_auth_failed", text)
    if code in _MINIMAX_FILTERS:
        return ProviderRefusal("content_filter", message)
    if code == _MINIMAX_CONTEXT:
        fault = ProviderFault("context_length_exceeded", message, status=400)
        fault.kind = CallerFault.kind
        return fault
    if code in _MINIMAX_PARAMETERS:
        return CallerFault("invalid_request", message)
    return UpstreamBroken("provider_error", message)


def _is_context(said: Said, status: int) -> bool:
    if said.code in _CONTEXT_CODES or said.kind in _CONTEXT_CODES:
        return True
    return status in (400, 413, 422) and _CONTEXT_WORDS.search(said.message) is not None
