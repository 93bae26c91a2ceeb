"""The APIs of Responses that callers reach. What a provider keeps (answers by their id) is not among them."""

from __future__ import annotations

import re

from wicket.dialects.contract import NOT_EMPTY, Api, Sign, Signs, Way, member

NAME = "openai_responses"


SIGNS = Signs(
    turns="input",
    features={
        "vision": (Sign("input", member(b"type", b'input_image"')),),
        "audio": (Sign("input", member(b"type", b'input_audio"')),),
        "pdf": (Sign("input", member(b"type", b'input_file"')),),
        "tools": (Sign("tools", NOT_EMPTY),),
        "json_schema": (Sign("text", member(b"type", b'json_schema"')),),
        "reasoning": (Sign("reasoning", member(b"effort", b'(?!none"|minimal")')),),
    },
    media=re.compile(rb";base64,"),
    limits=(("max_output_tokens",),),
)


def _api(name: str, path: str, *, can_stream: bool = False, signs: Signs | None = None) -> Api:
    ways = (Way("/v1" + path), Way("/openai/v1" + path))
    counts = ("max_output_tokens",)
    return Api(name, path, can_stream=can_stream, dialect=NAME, counts=counts, ways=ways, signs=signs)


RESPONSES = _api("responses", "/responses", can_stream=True, signs=SIGNS)
INPUT_TOKENS = _api("responses.input_tokens", "/responses/input_tokens")
COMPACT = _api("responses.compact", "/responses/compact")
APIS = (RESPONSES, INPUT_TOKENS, COMPACT)
