"""Token counts as Responses reports them. Input includes what was cached, output what was thought.

Source: OpenAI's OpenAPI description, `ResponseUsage`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Counts, service_named

MAX_TOKENS = 1 << 40


class InputDetails(msgspec.Struct):
    """What the input's tokens were."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


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
    server_side_tool_usage_details: Any = None  # xAI


def usage_counts(
    usage: Usage | None, service: object = "", searches: int = 0, tools: tuple[str, ...] = ()
) -> Counts | None:
    """What was reported; None for nothing, and for what is beyond belief.

    `service` is the answer's `service_tier`, `searches` the number of its items that are web searches,
    `tools` are the hosted tools of its other items that have a fee.
    """
    if usage is None or usage.input_tokens is None:
        return None
    given, output = usage.input_tokens, usage.output_tokens or 0
    read, said = usage.input_tokens_details, usage.output_tokens_details
    cached = (read.cached_tokens if read else None) or 0
    written = (read.cache_write_tokens if read else None) or 0
    reasoning = (said.reasoning_tokens if said else None) or 0
    heard = (read.audio_tokens if read else None) or 0
    spoken = (said.audio_tokens if said else None) or 0
    seen = (read.image_tokens if read else None) or 0
    if min(given, output, cached, written, reasoning, heard, spoken, seen) < 0 or given + output > MAX_TOKENS:
        return None
    output = max(output, reasoning)
    return Counts(
        given,
        output,
        min(cached, given),
        min(written, given),
        reasoning,
        input_audio_tokens=min(heard, given),
        output_audio_tokens=min(spoken, output),
        searches=searches,
        input_image_tokens=min(seen, given),
        service=service_named(service),
        tools=tools + (("server_side_tools",) if _has_used(usage.server_side_tool_usage_details) else ()),
    )


def _has_used(details: Any) -> bool:
    """xAI counts the calls of its own tools by kind; they are billed by the thousand."""
    return isinstance(details, dict) and any(isinstance(n, int) and n > 0 for n in details.values())


def counts_of(answer: Any) -> Counts | None:
    """The same of a decoded answer; None for what has no usage."""
    output = answer.get("output")
    items = output if isinstance(output, list) else []
    found = sum([is_search(item) for item in items])
    try:
        usage = msgspec.convert(answer.get("usage"), Usage | None, strict=False)
        return usage_counts(usage, answer.get("service_tier"), found, hosted_tools(items))
    except msgspec.ValidationError:
        return None


_HOSTED = {
    "file_search_call": "file_search",  # a fee per call
    "code_interpreter_call": "code_interpreter",  # per container
    "image_generation_call": "image_generation",  # tokens of another model, which the answer does not tell
}


def hosted_tools(items: list[Any]) -> tuple[str, ...]:
    """The hosted tools among an answer's items that have a fee beside tokens (OpenAI's pricing, "tools")."""
    kinds = [item.get("type") for item in items if isinstance(item, dict)]
    return tuple([name for kind, name in _HOSTED.items() if kind in kinds])


def is_search(item: Any) -> bool:
    """Whether an output item is a web search that is billed: one that looked for something.

    Opening a page, or finding a text in it, is not (OpenAI's guide on web search, "pricing").
    """
    if not isinstance(item, dict) or item.get("type") != "web_search_call":
        return False
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type") in (None, "search")


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
