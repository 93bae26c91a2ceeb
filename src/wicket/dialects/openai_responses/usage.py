"""Token counts as Responses reports them. Input includes what was cached, output what was thought.

Source: OpenAI's OpenAPI description, `ResponseUsage`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts

MAX_TOKENS = 1 << 40


class InputDetails(msgspec.Struct):
    """What the input's tokens were."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    """What the output's tokens were."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class Usage(msgspec.Struct):
    """The `usage` object, leniently."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


def usage_counts(usage: Usage | None) -> Counts | None:
    """What was reported; None for nothing, and for what is beyond belief."""
    if usage is None or usage.input_tokens is None:
        return None
    given, output = usage.input_tokens, usage.output_tokens or 0
    read, said = usage.input_tokens_details, usage.output_tokens_details
    cached = (read.cached_tokens if read else None) or 0
    written = (read.cache_write_tokens if read else None) or 0
    reasoning = (said.reasoning_tokens if said else None) or 0
    heard = (read.audio_tokens if read else None) or 0
    spoken = (said.audio_tokens if said else None) or 0
    if min(given, output, cached, written, reasoning, heard, spoken) < 0 or given + output > MAX_TOKENS:
        return None
    output = max(output, reasoning)
    return Counts(
        given,
        output,
        min(cached, given),
        min(written, given),
        reasoning,
        0,
        min(heard, given),
        min(spoken, output),
    )


def counts_of(usage: Any) -> Counts | None:
    """The same of decoded JSON; None for what is no usage."""
    try:
        return usage_counts(msgspec.convert(usage, Usage | None, strict=False))
    except msgspec.ValidationError:
        return None


def usage_json(counts: Counts, cost_usd: float | None, *, is_estimated: bool = False) -> dict[str, Any]:
    """The `usage` object of these counts; `cost` in USD where it is known."""
    given: dict[str, int] = {
        "cached_tokens": counts.cached_tokens,
        "cache_write_tokens": counts.cache_write_tokens,
    }
    said: dict[str, int] = {"reasoning_tokens": counts.reasoning_tokens}
    if counts.input_audio_tokens:
        given["audio_tokens"] = counts.input_audio_tokens
    if counts.output_audio_tokens:
        said["audio_tokens"] = counts.output_audio_tokens
    usage: dict[str, Any] = {
        "input_tokens": counts.input_tokens,
        "input_tokens_details": given,
        "output_tokens": counts.output_tokens,
        "output_tokens_details": said,
        "total_tokens": counts.input_tokens + counts.output_tokens,
    }
    if is_estimated:
        usage["is_estimated"] = True
    if cost_usd is not None:
        usage["cost"] = cost_usd
    return usage
