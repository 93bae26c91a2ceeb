"""How long answers may be, and how a caller hears of limits on requests and tokens.

Source: OpenAI API reference (chat/completions: `max_completion_tokens`, `max_tokens`, `n`; completions:
`best_of`, several prompts) and its guide "Rate limits" (headers; durations such as `1s`, `6m0s`, `12ms`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.dialects.contract import Api
from wicket.dialects.openai_chat.apis import COMPLETIONS, MODERATIONS, OF_DATA
from wicket.dialects.openai_chat.quirks import limit_name
from wicket.dialects.translation import Allowance
from wicket.routing.deployment import Deployment
from wicket.wire import json
from wicket.wire.fields import Fields, at_least_one

OUTPUT_FIELDS = frozenset(("max_completion_tokens", "max_tokens", "n", "best_of", "prompt"))
_NAMES = ("max_completion_tokens", "max_tokens")


def output_limit(fields: Fields, api: Api) -> tuple[int, int]:
    """Tokens that an answer may have, 0 if nothing is said, and how many answers there will be."""
    if api.name in OF_DATA or api is MODERATIONS:
        return 0, 0
    if api.is_media:
        return 0, (at_least_one(fields, "n") or 1) if "n" in fields else 1
    limit = 0
    for name in _NAMES:
        if name in fields:
            said = at_least_one(fields, name) or 0
            limit = min(limit, said) if limit and said else limit or said
    number = (at_least_one(fields, "n") or 1) if "n" in fields else 1
    if api is COMPLETIONS:
        if "best_of" in fields:
            number = max(number, at_least_one(fields, "best_of") or 1)
        number *= _num_prompts(fields.get("prompt"))
    return limit, number


def _num_prompts(raw: msgspec.Raw | None) -> int:
    """Several texts, or lists of tokens, are several prompts; one list of tokens is one."""
    if raw is None or bytes(memoryview(raw)[:1]) != b"[":
        return 1
    try:
        prompts: list[Any] = json.decode(raw)
    except json.DecodeError:
        return 1
    return len(prompts) if prompts and isinstance(prompts[0], str | list) else 1


def limited(fields: Fields, api: Api, tokens: int, deployment: Deployment) -> Fields:
    """The fields with this output limit, under the name that the caller uses or the deployment knows."""
    names = [name for name in _NAMES if name in fields and bytes(fields[name]) != b"null"]
    if not names:
        names = ["max_tokens" if api is COMPLETIONS else limit_name(deployment)]
    return {**fields, **dict.fromkeys(names, msgspec.Raw(b"%d" % tokens))}


def allowance_lines(requests: Allowance | None, tokens: Allowance | None, unix_ms: int) -> bytes:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`."""
    lines = b""
    for name, one in ((b"requests", requests), (b"tokens", tokens)):
        if one is not None:
            lines += (
                b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %b\r\n"
                % (name, one.limit, name, one.remaining, name, _duration(one.reset_ms))
            )
    return lines


def _duration(ms: int) -> bytes:
    if ms < 1_000:
        return b"%dms" % ms
    seconds = -(-ms // 1_000)
    if seconds < 60:
        return b"%ds" % seconds
    hours, rest = divmod(seconds, 3_600)
    return b"%dh%dm%ds" % (hours, *divmod(rest, 60)) if hours else b"%dm%ds" % divmod(rest, 60)
