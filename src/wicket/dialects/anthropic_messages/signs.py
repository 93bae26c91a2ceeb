"""How a request of the Messages API shows what it needs of a model."""

from __future__ import annotations

from wicket.dialects.contract import NOT_EMPTY, Sign, Signs, member

_SCHEMA = member(b"type", b'json_schema"')
SIGNS = Signs(
    turns="messages",
    features={
        "vision": (Sign("messages", member(b"type", b'image"')),),
        "pdf": (Sign("messages", member(b"type", b'document"')),),
        "tools": (Sign("tools", NOT_EMPTY),),
        "json_schema": (Sign("output_config", _SCHEMA), Sign("output_format", _SCHEMA)),
        "reasoning": (Sign("thinking", member(b"type", b'(?:enabled|adaptive)"')),),
    },
    media=member(b"type", b'base64"'),
    limits=(("max_tokens",),),
)
