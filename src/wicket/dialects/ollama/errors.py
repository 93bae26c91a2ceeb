"""Whose fault an error of Ollama's is. Shape: `{"error": "text"}`, also as a line of a stream."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wicket.dialects.openai_errors import judge as judge_any
from wicket.dialects.openai_errors import read
from wicket.errors import CallerFault, Fault, ProviderBusy, ProviderFault, UpstreamBroken

_TOO_LONG = re.compile(
    r"(exceeds?|longer than) the (available |maximum )?context|prompt (is )?too long", re.IGNORECASE
)
_LIMIT = re.compile(r"usage limit|upgrade", re.IGNORECASE)


def judge(status: int, headers: Mapping[bytes, bytes], body: bytes) -> Fault:
    """The fault behind an answer with an error status."""
    message = read(body).message
    if 400 <= status < 600 and message and _TOO_LONG.search(message):
        return ProviderFault("context_length_exceeded", message, status=400, kind=CallerFault.kind)
    if status == 429 and _LIMIT.search(message):
        return ProviderFault(
            "provider_quota_exhausted", f"The provider's own account is exhausted: {message}"
        )
    return judge_any(status, headers, body)


def in_stream(message: str, status: int) -> Fault:
    """The fault behind an error inside a stream; it is the provider's, whatever it says."""
    if _TOO_LONG.search(message):
        return ProviderFault("context_length_exceeded", message[:2_000], status=400, kind=CallerFault.kind)
    if status == 429 or status >= 500:
        return ProviderBusy("provider_unavailable", message[:2_000], status=429 if status == 429 else 502)
    text = message[:2_000] or "The provider reported an error inside its answer."
    return UpstreamBroken("provider_error", text)
