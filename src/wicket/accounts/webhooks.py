"""What the webhook is told, and how: events as JSON, signed, tried again until they are old. Pure.

An event is delivered at least once: whoever receives it knows it again by its `id`. The signature covers the
time of sending and the body, so that an old message can't be played back:
`t=UNIX_SECONDS,v1=HEX`, where HEX is HMAC-SHA256 (RFC 2104) of `UNIX_SECONDS.BODY` with the secret.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from wicket.accounts.cost import format_usd

SIGNATURE_HEADER = "wicket-signature"
EVENT_HEADER = "wicket-event-id"
DEADLINE_MS = 3 * 86_400_000  # then an event is given up
_FIRST_PAUSE_MS = 5_000
_LAST_PAUSE_MS = 3_600_000


def signature(secret: str, unix_s: int, body: bytes) -> str:
    """The value of `SIGNATURE_HEADER`."""
    signed = f"{unix_s}.".encode() + body
    return f"t={unix_s},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def pause_ms(tries: int) -> int:
    """How long to wait after the `tries`-th failure: 5 s, then twice as long each time, an hour at most."""
    return min(_LAST_PAUSE_MS, _FIRST_PAUSE_MS << min(tries - 1, 20)) if tries > 0 else _FIRST_PAUSE_MS


def event(id: str, kind: str, created_at: str, facts: dict[str, Any]) -> dict[str, Any]:
    """An event as it is sent. `kind` is such as "credit.low" or "budget.warning"."""
    return {"id": id, "type": kind, "created_at": created_at, "data": facts}


def low_balance(kind: str, name: str, balance_nanos: int, below_nanos: int) -> dict[str, Any]:
    """The facts of a "credit.low"; `kind` and `name` say whose credit."""
    return {
        "scope": kind,
        "name": name,
        "balance_usd": format_usd(balance_nanos),
        "below_usd": format_usd(below_nanos),
    }


def turned(balance_nanos: int, below_nanos: int | None, is_low: bool) -> bool | None:
    """Whether a balance is low now, if that is another answer than `is_low` was; None if it is the same."""
    now = below_nanos is not None and balance_nanos < below_nanos
    return None if now == is_low else now
