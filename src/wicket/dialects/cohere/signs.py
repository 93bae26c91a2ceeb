"""How a request of the chat API shows what it needs of a model. Files and sound have no place in one."""

from __future__ import annotations

import re

from wicket.dialects.contract import NOT_EMPTY, Sign, Signs, member

SIGNS = Signs(
    turns="messages",
    features={
        "vision": (Sign("messages", member(b"type", b'image_url"')),),
        "tools": (Sign("tools", NOT_EMPTY),),
        "json_schema": (Sign("response_format", re.compile(rb'"json_schema"\s*:\s*\{')),),
        "reasoning": (Sign("thinking", member(b"type", b'enabled"')),),
    },
    media=re.compile(rb";base64,"),
    limits=(("max_tokens",),),
)
