"""A provider's counts as a record keeps them, and back as the caller's dialect writes them."""

from __future__ import annotations

from wicket.accounts.record import OtherUsage, Usage
from wicket.dialects.contract import Counts


def usage_of(counts: Counts) -> Usage:
    """What is recorded of reported counts; `other` only where there is anything of it."""
    return Usage(
        counts.input_tokens,
        counts.output_tokens,
        counts.cached_tokens,
        counts.cache_write_tokens,
        counts.reasoning_tokens,
        False,
        _other(counts) if _has_other(counts) else None,
    )


def counts_of(usage: Usage) -> Counts:
    """The same counts for a dialect to write."""
    plain = (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )
    other = usage.other
    if other is None:
        return Counts(*plain)
    return Counts(
        *plain,
        other.cache_write_1h_tokens,
        other.input_audio_tokens,
        other.output_audio_tokens,
        other.images,
        other.audio_ms,
        other.characters,
        other.searches,
        other.cached_audio_tokens,
        other.input_image_tokens,
        other.output_image_tokens,
        other.service,
        other.image_size,
    )


def _has_other(counts: Counts) -> bool:
    """Whether anything is unusual; in the order of likelihood, and without a value made for the look."""
    return bool(
        counts.service
        or counts.cache_write_1h_tokens
        or counts.input_audio_tokens
        or counts.output_audio_tokens
        or counts.input_image_tokens
        or counts.output_image_tokens
        or counts.cached_audio_tokens
        or counts.searches
        or counts.images
        or counts.audio_ms
        or counts.characters
        or counts.tools
    )


def _other(counts: Counts) -> OtherUsage:
    return OtherUsage(
        counts.cache_write_1h_tokens,
        counts.input_audio_tokens,
        counts.cached_audio_tokens,
        counts.output_audio_tokens,
        counts.input_image_tokens,
        counts.output_image_tokens,
        counts.images,
        counts.audio_ms,
        counts.characters,
        counts.searches,
        counts.service,
        counts.image_size,
        counts.tools,
    )
