"""Token counts between Anthropic's way of counting and ours.

Anthropic's `input_tokens` excludes what came from the cache or was written to it; ours includes both.
Thinking is inside `output_tokens`. What compaction used stands in `iterations` only and is billed as well.

Source: Messages API reference, `usage`; prompt caching and compaction guides.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts, service_named

MAX_TOKENS = 1 << 40


class CacheCreation(msgspec.Struct):
    """Tokens written to the cache, by how long they are kept."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    """What the output was spent on."""

    thinking_tokens: int | None = None


class ServerTools(msgspec.Struct):
    """Calls of tools that run at Anthropic's. Searches have a fee, fetches have none.

    Code execution is billed by the hour of a container, unless it goes with a search or a fetch.
    """

    web_search_requests: int | None = None
    web_fetch_requests: int | None = None
    code_execution_requests: int | None = None

    @property
    def has_billed_code(self) -> bool:
        """Whether code ran in a container that is billed."""
        return bool(
            self.code_execution_requests and not self.web_search_requests and not self.web_fetch_requests
        )


class Iteration(msgspec.Struct):
    """One pass of several on the server. Only compactions are counted apart."""

    type: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class Usage(Iteration):
    """`usage` of a message, of `message_start` and of `message_delta` (cumulative, often partial)."""

    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    iterations: list[Iteration] | None = None
    service_tier: str | None = None
    server_tool_use: ServerTools | None = None


def merged(old: Usage | None, new: Usage) -> Usage:
    """What is known once `new` came after `old`: counts are cumulative, absent ones stay as they were."""
    if old is None:
        return new
    fields = {name: getattr(new, name) for name in new.__struct_fields__}
    return msgspec.structs.replace(
        old, **{name: value for name, value in fields.items() if value is not None}
    )


def counts(usage: Usage | None) -> Counts | None:
    """Counts in our sense; None if nothing believable was reported."""
    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    passes: list[Iteration] = [usage, *[each for each in usage.iterations or () if each.type == "compaction"]]
    cached = sum(each.cache_read_input_tokens or 0 for each in passes)
    written = sum(each.cache_creation_input_tokens or 0 for each in passes)
    fresh = sum(each.input_tokens or 0 for each in passes)
    output = sum(each.output_tokens or 0 for each in passes)
    hour = (usage.cache_creation.ephemeral_1h_input_tokens if usage.cache_creation else None) or 0
    thinking = (usage.output_tokens_details.thinking_tokens if usage.output_tokens_details else None) or 0
    searches = (usage.server_tool_use.web_search_requests if usage.server_tool_use else None) or 0
    if (
        min(cached, written, fresh, output, hour, thinking, searches) < 0
        or fresh + cached + written + output + searches > MAX_TOKENS
    ):
        return None  # beyond belief is as good as not reported
    return Counts(
        fresh + cached + written,
        output,
        cached,
        written,
        min(thinking, output),
        min(hour, written),
        searches=searches,
        service=service_named(usage.service_tier),
        tools=("code_execution",) if usage.server_tool_use and usage.server_tool_use.has_billed_code else (),
    )


def written_usage(found: Counts | None, cost_usd: float | None = None, tier: str = "") -> dict[str, Any]:
    """`usage` for a caller. Clients require the two main counts, so that unknown ones are 0."""
    found = found or Counts()
    short = found.cache_write_tokens - found.cache_write_1h_tokens
    usage: dict[str, Any] = {
        "input_tokens": max(0, found.input_tokens - found.cached_tokens - found.cache_write_tokens),
        "cache_creation_input_tokens": found.cache_write_tokens,
        "cache_read_input_tokens": found.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": short,
            "ephemeral_1h_input_tokens": found.cache_write_1h_tokens,
        },
        "output_tokens": found.output_tokens,
    }
    if found.reasoning_tokens:
        usage["output_tokens_details"] = {"thinking_tokens": found.reasoning_tokens}
    if found.searches:
        usage["server_tool_use"] = {"web_search_requests": found.searches}
    if tier in ("standard", "priority", "batch"):
        usage["service_tier"] = tier
    if cost_usd is not None:
        usage["cost"] = cost_usd
    return usage
