"""Gemini's `usageMetadata` as counts, and back.

The prompt's count holds what was cached, but not what tools put into it; the candidates' count holds no
thoughts. Source: the reference of `UsageMetadata` (total = prompt + candidates + tool use + thoughts).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts, service_named

MAX_TOKENS = 1 << 40
_MAX_QUERIES = 10_000
_IMAGE, _AUDIO = ("IMAGE", 2), ("AUDIO", 4)


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
    cache_tokens_details: list[ModalityCount] | None = None
    service_tier: Any = None  # of the Gemini API
    traffic_type: Any = None  # of Vertex AI


class _Chunk(msgspec.Struct):
    maps: Any = None


class _Grounding(msgspec.Struct, rename="camel"):
    web_search_queries: list[str] | None = None
    grounding_chunks: list[_Chunk] | None = None


def usage_counts(usage: Usage | None) -> Counts | None:
    """The counts; None where there are none, or none to be believed."""
    if usage is None or usage.prompt_token_count is None:
        return None
    prompt = usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0)
    thoughts = usage.thoughts_token_count or 0
    output = (usage.candidates_token_count or 0) + thoughts
    cached = usage.cached_content_token_count or 0
    given, made = usage.prompt_tokens_details, usage.candidates_tokens_details
    audio = _of_kind(_AUDIO, given) + _of_kind(_AUDIO, usage.tool_use_prompt_tokens_details)
    spoken, cached_audio = _of_kind(_AUDIO, made), _of_kind(_AUDIO, usage.cache_tokens_details)
    seen, drawn = _of_kind(_IMAGE, given), _of_kind(_IMAGE, made)
    least = min(prompt, thoughts, output, cached, audio, spoken, cached_audio, seen, drawn)
    if least < 0 or prompt + output > MAX_TOKENS:
        return None
    return Counts(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=min(cached, prompt),
        reasoning_tokens=thoughts,
        input_audio_tokens=min(audio, prompt),
        output_audio_tokens=min(spoken, output),
        cached_audio_tokens=min(cached_audio, cached, audio),
        input_image_tokens=min(seen, prompt),
        output_image_tokens=min(drawn, output),
        service=_service(usage),
    )


def grounding_counts(counts: Counts | None, grounding: Any) -> Counts | None:
    """`counts` with what a candidate's `groundingMetadata` is billed for: searches, and maps that were asked.

    Queries that are empty, and those asked twice, are not billed (Google's guide on grounding with its
    search); whether each query costs or the request as a whole is the price's business.
    """
    if counts is None:
        return None
    try:
        found = msgspec.convert(grounding, _Grounding)
    except msgspec.ValidationError:
        return counts
    queries = {query for query in found.web_search_queries or () if query.strip()}
    has_maps = any(chunk.maps is not None for chunk in found.grounding_chunks or ())
    if not queries and not has_maps:
        return counts
    tools = ("google_maps",) if has_maps else ()
    return msgspec.structs.replace(counts, searches=min(len(queries), _MAX_QUERIES), tools=tools)


def _of_kind(kind: tuple[str, int], details: list[ModalityCount] | None) -> int:
    return sum(one.token_count or 0 for one in details or () if one.modality in kind)


def _service(usage: Usage) -> str:
    """The class that an answer was served in: a word at the Gemini API, the end of one at Vertex AI."""
    said = usage.service_tier or usage.traffic_type
    return service_named(said.lower().removeprefix("on_demand_")) if isinstance(said, str) else ""


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
    if counts.service:
        members["serviceTier"] = counts.service
    for name, all_of_it, audio, image in (
        ("promptTokensDetails", counts.input_tokens, counts.input_audio_tokens, counts.input_image_tokens),
        ("candidatesTokensDetails", shown, counts.output_audio_tokens, counts.output_image_tokens),
    ):
        kinds = {"AUDIO": audio, "IMAGE": image}
        if audio or image:
            rest = {"modality": "TEXT", "tokenCount": all_of_it - audio - image}
            told = [{"modality": kind, "tokenCount": number} for kind, number in kinds.items() if number]
            members[name] = [*told, rest]
    return members
