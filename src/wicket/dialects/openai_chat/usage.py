"""Token counts as OpenAI's family reports them, read and written.

Source: OpenAI API reference, "usage" and "service_tier"; DeepSeek's `prompt_cache_hit_tokens`; OpenRouter's
`cache_write_tokens`; xAI's `image_tokens` and `num_sources_used`; Perplexity's `num_search_queries`;
Mistral's `num_cached_tokens`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts, service_named

MAX_TOKENS = 1 << 40


class PromptDetails(msgspec.Struct):
    """What the prompt's tokens were."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class CompletionDetails(msgspec.Struct):
    """What the answer's tokens were."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class Usage(msgspec.Struct):
    """The `usage` object, leniently."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None  # DeepSeek
    num_search_queries: int | None = None  # Perplexity
    num_cached_tokens: int | None = None  # Mistral
    num_sources_used: int | None = None  # xAI


def usage_counts(usage: Usage | None, service: object = "") -> Counts | None:
    """What was reported, in Wicket's sense; None for nothing, and for what is beyond belief.

    `service` is the answer's `service_tier`.
    """
    if usage is None or (usage.prompt_tokens is None and usage.total_tokens is None):
        return None
    prompt = usage.prompt_tokens or 0
    output = usage.completion_tokens or 0
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens if details else None) or usage.prompt_cache_hit_tokens or 0
    cached = cached or usage.num_cached_tokens or 0
    written = (details.cache_write_tokens if details else None) or 0
    thinking = usage.completion_tokens_details
    reasoning = (thinking.reasoning_tokens if thinking else None) or 0
    if reasoning > output:  # some providers report reasoning beside the output, not inside it
        output += reasoning
    heard = min(details.audio_tokens or 0, prompt) if details else 0
    spoken = min(thinking.audio_tokens or 0, output) if thinking else 0
    seen = min(details.image_tokens or 0, prompt) if details else 0
    drawn = min(thinking.image_tokens or 0, output) if thinking else 0
    searches = usage.num_search_queries or 0
    counts = Counts(
        prompt,
        output,
        min(cached, prompt),
        written,
        reasoning,
        input_audio_tokens=heard,
        output_audio_tokens=spoken,
        searches=searches,
        input_image_tokens=seen,
        output_image_tokens=drawn,
        service=service_named(service) if service else "",
        tools=("live_search",) if usage.num_sources_used else (),
    )
    if (
        min(prompt, output, cached, written, reasoning, heard, spoken, seen, drawn, searches) < 0
        or prompt + output + written + searches > MAX_TOKENS
    ):
        return None  # beyond belief is as good as not reported
    return counts


def usage_json(counts: Counts, cost_usd: float | None, *, is_estimated: bool = False) -> dict[str, Any]:
    """The `usage` object of these counts; `cost` in USD where it is known."""
    usage: dict[str, Any] = {
        "prompt_tokens": counts.input_tokens,
        "completion_tokens": counts.output_tokens,
        "total_tokens": counts.input_tokens + counts.output_tokens,
    }
    prompt: dict[str, int] = {"cached_tokens": counts.cached_tokens}
    if counts.cache_write_tokens:
        prompt["cache_write_tokens"] = counts.cache_write_tokens
    if counts.input_audio_tokens:
        prompt["audio_tokens"] = counts.input_audio_tokens
    output: dict[str, int] = {"reasoning_tokens": counts.reasoning_tokens}
    if counts.output_audio_tokens:
        output["audio_tokens"] = counts.output_audio_tokens
    if not is_estimated:
        usage |= {"prompt_tokens_details": prompt, "completion_tokens_details": output}
    else:
        usage["is_estimated"] = True
    if cost_usd is not None:
        usage["cost"] = cost_usd
    return usage
