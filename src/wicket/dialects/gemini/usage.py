"""Gemini's `usageMetadata` as counts, and back.

The prompt's count holds what was cached, but not what tools put into it; the candidates' count holds no
thoughts. Source: the reference of `UsageMetadata` (total = prompt + candidates + tool use + thoughts).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts

MAX_TOKENS = 1 << 40


class ModalityCount(msgspec.Struct, rename="camel"):
    """Tokens of one kind; the kind is a number where enumerations are asked for as such."""

    modality: str | int | None = None
    token_count: int | None = None


class Usage(msgspec.Struct, rename="camel"):
    """Token counts of one answer; in a stream, of all of it so far."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None
    tool_use_prompt_tokens_details: list[ModalityCount] | None = None


def usage_counts(usage: Usage | None) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    if usage is None or usage.prompt_token_count is None:
        return None
    prompt = usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0)
    thoughts = usage.thoughts_token_count or 0
    output = (usage.candidates_token_count or 0) + thoughts
    cached = usage.cached_content_token_count or 0
    audio = _audio(usage.prompt_tokens_details) + _audio(usage.tool_use_prompt_tokens_details)
    spoken = _audio(usage.candidates_tokens_details)
    if min(prompt, thoughts, output, cached, audio, spoken) < 0 or prompt + output > MAX_TOKENS:
        return None
    return Counts(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=min(cached, prompt),
        reasoning_tokens=thoughts,
        input_audio_tokens=min(audio, prompt),
        output_audio_tokens=min(spoken, output),
    )


def _audio(details: list[ModalityCount] | None) -> int:
    return sum(one.token_count or 0 for one in details or () if one.modality in ("AUDIO", 4))


def usage_members(counts: Counts) -> dict[str, Any]:
    """The counts as `usageMetadata`."""
    shown = counts.output_tokens - counts.reasoning_tokens
    members: dict[str, Any] = {
        "promptTokenCount": counts.input_tokens,
        "candidatesTokenCount": shown,
        "totalTokenCount": counts.input_tokens + counts.output_tokens,
    }
    if counts.reasoning_tokens:
        members["thoughtsTokenCount"] = counts.reasoning_tokens
    if counts.cached_tokens:
        members["cachedContentTokenCount"] = counts.cached_tokens
    for name, all_of_it, audio in (
        ("promptTokensDetails", counts.input_tokens, counts.input_audio_tokens),
        ("candidatesTokensDetails", shown, counts.output_audio_tokens),
    ):
        if audio:
            rest = {"modality": "TEXT", "tokenCount": all_of_it - audio}
            members[name] = [{"modality": "AUDIO", "tokenCount": audio}, rest]
    return members
