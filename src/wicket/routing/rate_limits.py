"""What is left of a provider's rate limits, from the headers of its answers. Pure.

Three spellings: `x-ratelimit-{limit,remaining,reset}-KIND` (OpenAI, Azure, Groq, Cerebras, Mistral and most
others; KIND such as "requests", "tokens", "tokens-minute", or none at all),
`anthropic-ratelimit-KIND-{limit,remaining,reset}` (https://docs.anthropic.com/en/api/rate-limits), and
the fields `ratelimit` and `ratelimit-policy` of the IETF's draft (draft-ietf-httpapi-ratelimit-headers).

A reset is a Go duration ("6m0s", "8.64s", "6ms"; https://pkg.go.dev/time#ParseDuration), seconds, a Unix time
in seconds or milliseconds, or RFC 3339. Points in time are measured from the answer's own `date`.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

DEFAULT_RESET_US = 60_000_000  # Azure and Mistral don't say; their windows are minutes
MAX_RESET_US = 86_400_000_000
MAX_KINDS = 12
_MAX_CHARS = 40
_ROLES = ("limit", "remaining", "reset")
_DURATION = re.compile(rb"(?:\d+(?:\.\d+)?(?:h|ms|us|ns|m|s))+")
_PART = re.compile(rb"(\d+(?:\.\d+)?)(h|ms|us|ns|m|s)")
_UNITS_US = {b"h": 3.6e9, b"m": 6e7, b"s": 1e6, b"ms": 1e3, b"us": 1.0, b"ns": 1e-3}
_DRAFT = re.compile(rb'"[^"]{0,80}"\s*;\s*(.*)')
_DRAFT_PARAMETER = re.compile(rb"\b([a-z]+)=(\d{1,15})\b")
UNIX_S = 1_000_000_000  # a number from here on is a point in time, not a length
UNIX_MS = 1_000_000_000_000


class Limit(msgspec.Struct, frozen=True):
    """One limit: the share that is left, and in how many microseconds it is whole again."""

    kind: str
    share: float
    reset_us: int


def has_limits(headers: Mapping[bytes, bytes]) -> bool:
    """Whether it is worth reading them."""
    return (
        b"x-ratelimit-remaining-requests" in headers
        or b"anthropic-ratelimit-requests-remaining" in headers
        or b"ratelimit" in headers
        or any(name.startswith(b"x-ratelimit-remaining") for name in headers)
    )


def read_limits(headers: Mapping[bytes, bytes]) -> list[Limit]:
    """Every limit with a readable "limit" and "remaining"; header names are lower-cased. Never raises."""
    found: dict[str, dict[str, bytes]] = {}
    for name, value in headers.items():
        if b"ratelimit" not in name or len(value) > _MAX_CHARS:
            continue
        role, kind = _parse_name(name.decode("latin-1"))
        if role and (kind in found or len(found) < MAX_KINDS):
            found.setdefault(kind, {})[role] = value
    limits = [_limit(kind, said, headers.get(b"date")) for kind, said in found.items()]
    return [limit for limit in [*limits, _draft(headers)] if limit is not None]


def _parse_name(name: str) -> tuple[str, str]:
    """(role, kind) of a header's name; ("", "") if it is none of ours."""
    if name.startswith("x-ratelimit-"):
        role, _, kind = name.removeprefix("x-ratelimit-").partition("-")
    elif name.startswith("anthropic-ratelimit-"):
        kind, _, role = name.removeprefix("anthropic-ratelimit-").rpartition("-")
    else:
        return "", ""
    return (role, kind) if role in _ROLES else ("", "")


def _limit(kind: str, said: Mapping[str, bytes], date: bytes | None) -> Limit | None:
    most, left = _count(said.get("limit")), _count(said.get("remaining"))
    if not most or left is None:
        return None
    reset_us = parse_reset(said.get("reset", b""), date)
    return Limit(kind, min(1.0, left / most), DEFAULT_RESET_US if reset_us is None else reset_us)


def _draft(headers: Mapping[bytes, bytes]) -> Limit | None:
    now, policy = _DRAFT.fullmatch(headers.get(b"ratelimit", b"")), headers.get(b"ratelimit-policy", b"")
    told = _DRAFT.fullmatch(policy)
    if now is None or told is None:
        return None
    left = dict(_DRAFT_PARAMETER.findall(now[1]))
    most = dict(_DRAFT_PARAMETER.findall(told[1]))
    if b"r" not in left or not int(most.get(b"q", b"0")):
        return None
    reset_us = min(int(left.get(b"t", b"60")) * 1_000_000, MAX_RESET_US)
    return Limit("draft", min(1.0, int(left[b"r"]) / int(most[b"q"])), reset_us)


def parse_reset(value: bytes, date: bytes | None) -> int | None:
    """Microseconds until then, from 0 to a day; None if unreadable."""
    if _DURATION.fullmatch(value):
        length = sum(float(number) * _UNITS_US[unit] for number, unit in _PART.findall(value))
        return int(min(length, MAX_RESET_US))
    try:
        number = float(value)
    except ValueError:
        return _until(_rfc3339(value), date)
    if not 0 <= number < 1e15:
        return None
    if number >= UNIX_S:
        return _until(number / 1_000 if number >= UNIX_MS else number, date)
    return int(min(number * 1e6, MAX_RESET_US))


def _until(moment: float | None, date: bytes | None) -> int | None:
    since = _http_date(date)
    if moment is None or since is None:
        return None
    return int(max(0.0, min((moment - since) * 1e6, MAX_RESET_US)))


def _rfc3339(value: bytes) -> float | None:
    try:
        moment = datetime.fromisoformat(value.decode("ascii"))
        return moment.timestamp() if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _http_date(value: bytes | None) -> float | None:
    try:
        return email.utils.parsedate_to_datetime((value or b"").decode("latin-1")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _count(value: bytes | None) -> int | None:
    return int(value) if value is not None and value.isdigit() and len(value) <= 15 else None
