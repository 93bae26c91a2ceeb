"""The APIs of OpenAI's family that callers reach, and what each of them must be asked with.

`classify` is our own: local models with labels answer it and no provider does.
"""

from __future__ import annotations

import re

from wicket.dialects.contract import NOT_EMPTY, Api, Sign, Signs, Way, member

NAME = "openai_chat"


def _ways(path: str) -> tuple[Way, ...]:
    return (Way("/v1" + path), Way("/openai/v1" + path))


SIGNS = Signs(
    turns="messages",
    features={
        "vision": (Sign("messages", member(b"type", b'image_url"')),),
        "audio": (Sign("messages", member(b"type", b'input_audio"')),),
        "pdf": (Sign("messages", member(b"type", b'file"')),),
        "tools": (Sign("tools", NOT_EMPTY), Sign("functions", NOT_EMPTY)),
        "json_schema": (Sign("response_format", member(b"type", b'json_schema"')),),
        "reasoning": (Sign("reasoning_effort", re.compile(rb'^"(?!none"|minimal")')),),
    },
    media=re.compile(rb";base64,"),
    limits=(("max_completion_tokens",), ("max_tokens",)),
)
CHAT = Api(
    "chat.completions",
    "/chat/completions",
    can_stream=True,
    dialect=NAME,
    needs=("messages",),
    arrays=("messages",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/chat/completions"),
    signs=SIGNS,
)
COMPLETIONS = Api(
    "completions",
    "/completions",
    can_stream=True,
    dialect=NAME,
    needs=("prompt",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/completions"),
)
EMBEDDINGS = Api(
    "embeddings",
    "/embeddings",
    can_stream=False,
    dialect=NAME,
    needs=("input",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/embeddings"),
)
CLASSIFY = Api(
    "classify",
    "/classify",
    can_stream=False,
    dialect=NAME,
    needs=("input",),
    counts=("max_tokens", "max_completion_tokens"),
    ways=_ways("/classify"),
)
APIS = (CHAT, COMPLETIONS, EMBEDDINGS, CLASSIFY)
OF_DATA = (EMBEDDINGS.name, CLASSIFY.name)  # these answer with `data`, the others with `choices`
