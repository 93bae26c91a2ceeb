"""How long a message may be, and how a caller hears of limits on requests and tokens.

Source: Anthropic API reference (messages: `max_tokens`; "Rate limits", response headers: the time of a reset
in RFC 3339).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from wicket.dialects.contract import Api
from wicket.dialects.translation import Allowance
from wicket.routing.deployment import Deployment
from wicket.wire.fields import Fields, at_least_one


def output_limit(fields: Fields, api: Api) -> tuple[int, int]:
    """Tokens that the message may have, 0 if nothing is said, and how many there will be."""
    if "max_tokens" not in api.needs:
        return 0, 0
    return at_least_one(fields, "max_tokens") or 0, 1


def limited(fields: Fields, api: Api, tokens: int, deployment: Deployment) -> Fields:
    """The fields with this output limit."""
    return {**fields, "max_tokens": msgspec.Raw(b"%d" % tokens)}


def allowance_lines(requests: Allowance | None, tokens: Allowance | None, unix_ms: int) -> bytes:
    """`anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}`."""
    lines = b""
    for name, one in ((b"requests", requests), (b"tokens", tokens)):
        if one is not None:
            prefix = b"anthropic-ratelimit-" + name
            moment = datetime.fromtimestamp(-(-(unix_ms + one.reset_ms) // 1_000), UTC)
            reset = moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
            lines += b"%b-limit: %d\r\n%b-remaining: %d\r\n%b-reset: %b\r\n" % (
                *(prefix, one.limit, prefix, one.remaining),
                *(prefix, reset),
            )
    return lines
