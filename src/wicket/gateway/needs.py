"""What a request needs of whoever answers, read off its bytes: only where it tells candidates apart."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wicket.dialects.contract import Api
from wicket.dialects.openai_chat import CHAT
from wicket.routing.deployment import Route
from wicket.routing.estimate import BYTES_PER_TOKEN_AT_MOST
from wicket.routing.filters import Needs
from wicket.routing.preferences import OURS, Preferences
from wicket.wire import fields as top
from wicket.wire.fields import Fields

# A content part's type. Inside a text every quotation mark is escaped, so this can't be a caller's prose.
_PART = rb'(?<!\\)"type"\s*:\s*"%b"'
_PARTS = {
    "vision": (b"image_url", re.compile(_PART % b"image_url")),
    "audio": (b"input_audio", re.compile(_PART % b"input_audio")),
    "pdf": (b'"file"', re.compile(_PART % b"file")),
}
_EMPTY = (b"null", b"[]")
_COUNTS = ("max_completion_tokens", "max_tokens")
_ALWAYS_KNOWN = OURS | {"model", "messages", "prompt", "input", "stream"}


def read_needs(
    fields: Fields, api: Api, num_bytes: int, route: Route, preferences: Preferences | None
) -> Needs:
    """The needs that may keep somebody out on this route; messages are searched, never decoded."""
    is_chat = api is CHAT
    features = _features(route.questions, fields) if is_chat and route.questions else ()
    if api.ability in route.questions:
        features = (api.ability,)
    has_all = preferences is not None and preferences.require_parameters
    return Needs(
        features=features,
        least_input_tokens=_least_input(fields, num_bytes, route.least_context_tokens) if is_chat else 0,
        output_tokens=output_limit(fields) if route.least_output_tokens else 0,
        parameters=tuple([name for name in fields if name not in _ALWAYS_KNOWN]) if has_all else (),
    )


def output_limit(fields: Fields) -> int:
    """The caller's limit on output tokens, 0 for none; admission has checked it."""
    for name in _COUNTS:
        if name in fields:
            return top.at_least_one(fields, name) or 0
    return 0


def _features(asked: Sequence[str], fields: Fields) -> tuple[str, ...]:
    messages = bytes(fields.get("messages", b""))
    if b'"type"' not in messages:  # no parts: texts only
        messages = b""
    return tuple([name for name in asked if _needs(name, fields, messages)])


def _needs(feature: str, fields: Fields, messages: bytes) -> bool:
    if feature in _PARTS:
        mark, pattern = _PARTS[feature]
        return mark in messages and pattern.search(messages) is not None
    if feature == "tools":
        raw = fields.get("tools")
        return raw is not None and bytes(memoryview(raw)[:8]) not in _EMPTY
    if feature == "json_schema":
        raw = fields.get("response_format")
        return raw is not None and b'"json_schema"' in bytes(raw)
    if feature == "reasoning":
        raw = fields.get("reasoning_effort")
        return raw is not None and bytes(raw) not in (b"null", b'"none"', b'"minimal"')
    return False  # whoever refuses a prefill says so, and the walk goes on


def _least_input(fields: Fields, num_bytes: int, least_context_tokens: int) -> int:
    """Tokens that the request surely has, 0 if they fit everywhere or nobody's context tells.

    Images and files in it are no text, so nothing is sure then.
    """
    tokens = num_bytes // BYTES_PER_TOKEN_AT_MOST
    if not least_context_tokens or tokens <= least_context_tokens:
        return 0
    return 0 if b";base64," in bytes(fields["messages"]) else tokens
