"""Why an answer ended and what it used.

`inputTokens` counts neither what was read from the cache nor what was written to it: recorded totals are the
sum of all four. Source: `StopReason`, `TokenUsage`, `CacheDetail` of the API reference.
"""

from __future__ import annotations

import msgspec

from wicket.dialects.contract import Counts, service_named
from wicket.dialects.hub import Finish
from wicket.errors import UpstreamBroken

MAX_TOKENS = 1 << 40
_FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "guardrail_intervened": Finish.FILTERED,
    "content_filtered": Finish.FILTERED,
}
_FAILED = frozenset({"malformed_model_output", "malformed_tool_use"})


class CacheDetail(msgspec.Struct, rename="camel"):
    """How many tokens were written to the cache for how long."""

    ttl: str | None = None
    input_tokens: int | None = None


class Usage(msgspec.Struct, rename="camel"):
    """Token counts of one answer."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[CacheDetail] | None = None


def read_finish(word: str, *, has_calls: bool) -> Finish:
    """The hub's word for `stopReason`. Raises `UpstreamBroken` for failures and for unknown words."""
    if word in _FAILED:
        raise UpstreamBroken("failed_finish", f"The provider ended with '{word}'.")
    finish = _FINISHES.get(word)
    if finish is None:
        raise UpstreamBroken("unknown_finish", f"The provider ended for an unknown reason: '{word[:80]}'.")
    return Finish.TOOL_CALLS if has_calls and finish is Finish.STOP else finish


class ServiceTier(msgspec.Struct):
    """The class of service: "priority", "default", "flex" or "reserved"."""

    type: str | None = None


def usage_counts(usage: Usage | None, tier: ServiceTier | None = None) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    if usage is None or usage.input_tokens is None:
        return None
    plain, output = usage.input_tokens, usage.output_tokens or 0
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_write_input_tokens or 0
    hour = sum(one.input_tokens or 0 for one in usage.cache_details or () if one.ttl == "1h")
    total = plain + cached + written
    if min(plain, output, cached, written, hour) < 0 or total + output > MAX_TOKENS:
        return None
    return Counts(
        input_tokens=total,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(hour, written),
        service=service_named(tier.type) if tier is not None else "",
    )
