"""What members of OpenAI's family take beyond, or short of, OpenAI's own API. Data, by the provider's name.

Only callers of other dialects are concerned: their requests are written anew. Sources: the providers' API
references (DeepSeek "thinking mode", Moonshot "thinking", Z.ai "thinking.type", Alibaba Model Studio
`enable_thinking`, OpenRouter "reasoning tokens" and "prompt caching", Groq and Mistral "chat completions").
"""

from __future__ import annotations

import re

import msgspec

from wicket.routing.deployment import Deployment

_NEW_LIMIT = re.compile(r"(^|/)(o[1-9]|gpt-[5-9]|codex)", re.IGNORECASE)


class Quirks(msgspec.Struct, frozen=True):
    """`limit` is the output limit's name. `thoughts`: how earlier thoughts are sent back: "details"
    (OpenRouter's), "content" (`reasoning_content`) or not. `switch`: how thinking is asked for.
    """

    limit: str = "max_tokens"
    thoughts: str = ""
    switch: str = "effort"  # "effort" | "openrouter" | "type" | "enable"
    has_top_k: bool = True
    has_cache_marks: bool = False


_STRICT = (
    "openai",
    "azure",
    "groq",
    "mistral",
    "xai",
    "cerebras",
    "deepseek",
    "moonshot",
    "gemini",
    "anthropic",
)
_CONTENT = (
    "deepseek",
    "moonshot",
    "zai",
    "zhipu",
    "alibaba",
    "minimax",
    "siliconflow",
    "fireworks",
    "xiaomi",
)
_TYPE = ("deepseek", "moonshot", "zai", "zhipu")


def quirks_of(deployment: Deployment) -> Quirks:
    """How this deployment is spoken to."""
    name = deployment.provider
    is_new = name in ("openai", "azure") or _NEW_LIMIT.search(deployment.model) is not None
    limit = (
        "max_completion_tokens"
        if is_new and "max_completion_tokens" not in deployment.rename
        else "max_tokens"
    )
    if name == "openrouter":
        return Quirks(limit, "details", "openrouter", has_cache_marks=True)
    return Quirks(
        limit,
        thoughts="content" if name in _CONTENT else "",
        switch="type" if name in _TYPE else "enable" if name == "alibaba" else "effort",
        has_top_k=name not in _STRICT,
    )
