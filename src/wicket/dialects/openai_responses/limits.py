"""How long a response may be. Source: OpenAI API reference (responses: `max_output_tokens`)."""

from __future__ import annotations

import msgspec

from wicket.dialects.contract import Api
from wicket.dialects.openai_chat.limits import allowance_lines
from wicket.dialects.openai_responses.apis import INPUT_TOKENS
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields, at_least_one

__all__ = ["OUTPUT_FIELDS", "allowance_lines", "limited", "output_limit"]

OUTPUT_FIELDS = frozenset(("max_output_tokens",))


def output_limit(fields: Fields, api: Api) -> tuple[int, int]:
    """Tokens that the response may have, 0 if nothing is said, and how many there will be."""
    if api is INPUT_TOKENS:
        return 0, 0
    return at_least_one(fields, "max_output_tokens") or 0, 1


def limited(fields: Fields, api: Api, tokens: int, deployment: Deployment) -> Fields:
    """The fields with this output limit; `compact` takes none."""
    if not api.can_stream:
        return fields
    return {**fields, "max_output_tokens": msgspec.Raw(b"%d" % tokens)}
