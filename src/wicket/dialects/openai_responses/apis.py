"""The APIs of Responses that callers reach. What a provider keeps (answers by their id) is not among them."""

from __future__ import annotations

from wicket.dialects.contract import Api, Way

NAME = "openai_responses"


def _api(name: str, path: str, *, can_stream: bool = False) -> Api:
    ways = (Way("/v1" + path), Way("/openai/v1" + path))
    return Api(name, path, can_stream=can_stream, dialect=NAME, counts=("max_output_tokens",), ways=ways)


RESPONSES = _api("responses", "/responses", can_stream=True)
INPUT_TOKENS = _api("responses.input_tokens", "/responses/input_tokens")
COMPACT = _api("responses.compact", "/responses/compact")
APIS = (RESPONSES, INPUT_TOKENS, COMPACT)
