"""How a request of `generateContent` shows what it needs of a model. Members come in two spellings."""

from __future__ import annotations

import re

from wicket.dialects.contract import NOT_EMPTY, Sign, Signs, member

_TYPE = b"mimeType|mime_type"
_SCHEMA = re.compile(rb'"response(?:_json_schema|JsonSchema|_schema|Schema)"\s*:\s*[{"]')
_THINKING = re.compile(
    rb'"thinking(?:Budget|_budget)"\s*:\s*-?[1-9]|"thinking(?:Level|_level)"\s*:\s*"(?!minimal|MINIMAL)'
)


def _configured(pattern: re.Pattern[bytes]) -> tuple[Sign, ...]:
    return Sign("generationConfig", pattern), Sign("generation_config", pattern)


SIGNS = Signs(
    turns="contents",
    features={
        "vision": (Sign("contents", member(_TYPE, b"image/")),),
        "audio": (Sign("contents", member(_TYPE, b"audio/")),),
        "pdf": (Sign("contents", member(_TYPE, b"application/pdf")),),
        "tools": (Sign("tools", NOT_EMPTY),),
        "json_schema": _configured(_SCHEMA),
        "reasoning": _configured(_THINKING),
    },
    media=re.compile(rb'"(?<!\\")(?:inlineData|inline_data)"\s*:'),
    limits=(
        ("generationConfig", "maxOutputTokens"),
        ("generationConfig", "max_output_tokens"),
        ("generation_config", "max_output_tokens"),
        ("generation_config", "maxOutputTokens"),
    ),
)
