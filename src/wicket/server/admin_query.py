"""Bodies and query strings of the administration, checked: every refusal names its field.

The command line uses the same functions when it reads the database itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from wicket.accounts.usage_rows import GROUPS
from wicket.errors import CallerFault

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BODY_BYTES = 64 * 1024
MAX_LIMIT = 10_000
DEFAULT_LIMIT = 100
MAX_LIFETIME_S = 100 * 366 * 86_400
MAX_UNIX_S = 9_999_999_999
_MAX_AGE_DIGITS = 9
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_AGE = re.compile(r"([0-9]+)([smhdw])")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
T = TypeVar("T")


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that makes a key. Of two ends the earlier counts; `expires_at` is ISO 8601 or Unix seconds."""

    name: Name
    team: Annotated[str, msgspec.Meta(max_length=100)] = ""
    organisation: Annotated[str, msgspec.Meta(max_length=100)] = ""
    models: Annotated[list[Name], msgspec.Meta(max_length=1000)] = []
    networks: Annotated[list[Annotated[str, msgspec.Meta(max_length=100)]], msgspec.Meta(max_length=200)] = []
    routes: Annotated[list[Annotated[str, msgspec.Meta(max_length=100)]], msgspec.Meta(max_length=100)] = []
    expires_at: Annotated[float, msgspec.Meta(ge=0, le=MAX_UNIX_S)] | str | None = None
    expires_in_s: Annotated[float, msgspec.Meta(ge=1, le=MAX_LIFETIME_S)] | None = None

    def arguments(self, now_ms: int) -> dict[str, Any]:
        """What the supervisor's verb `keys.create` takes. Raises `CallerFault`."""
        return {
            "name": self.name,
            "team": self.team,
            "organisation": self.organisation,
            "models": self.models,
            "networks": self.networks,
            "expires_ms": expiry_ms(self.expires_at, self.expires_in_s, now_ms),
        }


class BackupTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that asks for a backup: a file on the server's machine, `kept_path` a folder; both are new."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    kept_path: Annotated[str, msgspec.Meta(max_length=4096)] = ""


class LogFilter(msgspec.Struct, frozen=True):
    """Which records to show. `key` is a key's id or name, or "admin"; times are Unix ms, 0 for open."""

    key: str = ""
    model: str = ""
    outcome: str = ""
    since_ms: int = 0
    until_ms: int = 0
    limit: int = DEFAULT_LIMIT
    is_following: bool = False


class UsageQuery(msgspec.Struct, frozen=True):
    """What to sum and how to group it; times are Unix ms, 0 for open."""

    by: tuple[str, ...] = ()
    since_ms: int = 0
    until_ms: int = 0


def expiry_ms(at: float | str | None, in_s: float | None, now_ms: int) -> int:
    """The earlier of two ends, Unix ms; 0 for never; at most `MAX_LIFETIME_S` ahead. Raises `CallerFault`."""
    ends: list[int] = []
    if in_s is not None:
        ends.append(now_ms + int(in_s * 1000))
    if isinstance(at, str):
        ends.append(moment_ms(at, "expires_at", now_ms))
    elif at is not None:
        ends.append(int(at * 1000))
    if not ends:
        return 0
    if min(ends) <= now_ms:
        message = "'expires_at' is in the past."
        raise CallerFault("invalid_value", message, status=409, param="expires_at")
    return min(*ends, now_ms + MAX_LIFETIME_S * 1000)


async def optional_body(request: Request, kind: type[T]) -> T:
    """As `read_body`; no body at all is an empty object."""
    return parse_body(await _whole(request) or b"{}", kind)


async def read_body(request: Request, kind: type[T], max_bytes: int = MAX_BODY_BYTES) -> T:
    """The JSON body as `kind`. Raises `CallerFault`: 413 when too long, 400 naming the field otherwise."""
    return parse_body(await _whole(request, max_bytes), kind)


async def _whole(request: Request, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            message = f"The body is longer than this route's limit of {max_bytes} bytes."
            raise CallerFault("body_too_large", message, status=413)
        parts.append(part)
    return b"".join(parts)


def parse_body(body: bytes, kind: type[T]) -> T:
    """`body` as `kind`. Raises `CallerFault` naming the field."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        text = str(error)
        raise CallerFault("invalid_value", f"{text}.", param=_field_of(text)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CallerFault("invalid_json", f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise CallerFault("invalid_json", "The body is nested too deeply.") from None


def log_filter(query: Mapping[str, str], now_ms: int) -> LogFilter:
    """`key`, `model`, `outcome`, `since`, `until`, `limit`, `follow`. Raises `CallerFault`."""
    refuse_unknown(query, ("key", "model", "outcome", "since", "until", "limit", "follow"))
    return LogFilter(
        key=query.get("key", ""),
        model=query.get("model", ""),
        outcome=query.get("outcome", ""),
        since_ms=_moment(query, "since", now_ms),
        until_ms=_moment(query, "until", now_ms),
        limit=limit_of(query["limit"]) if "limit" in query else DEFAULT_LIMIT,
        is_following=_flag(query, "follow"),
    )


def group_query(query: Mapping[str, str], known: tuple[str, ...], now_ms: int) -> UsageQuery:
    """`by` (a comma list of `known`), `since`, `until`. Raises `CallerFault`."""
    refuse_unknown(query, ("by", "since", "until"))
    by = tuple(dict.fromkeys(part.strip() for part in query["by"].split(","))) if "by" in query else ()
    for group in by:
        if group not in known:
            message = f"'by' has no {group[:40]!r}; there are {', '.join(known)}."
            raise CallerFault("invalid_value", message, param="by")
    return UsageQuery(by, _moment(query, "since", now_ms), _moment(query, "until", now_ms))


def usage_query(query: Mapping[str, str], now_ms: int) -> UsageQuery:
    """`group_query` with all the groups of `usage`."""
    return group_query(query, GROUPS, now_ms)


def moment_ms(text: str, field: str, now_ms: int) -> int:
    """An age ("90s", "15m", "1h", "7d", "2w"), an ISO 8601 time (UTC unless it says so), or Unix seconds.

    Raises `CallerFault` naming `field`.
    """
    age = _AGE.fullmatch(text)
    if age and len(age[1]) <= _MAX_AGE_DIGITS:
        return max(0, now_ms - int(age[1]) * _UNIT_MS[age[2]])
    if text.isdecimal() and text.isascii() and len(text) <= _MAX_AGE_DIGITS + 2:
        return int(text) * 1000
    try:
        moment = datetime.fromisoformat("" if text.isdecimal() else text)
        stamp = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        message = f"'{field}' must be an age like 1h or 7d, an ISO 8601 time, or Unix seconds."
        raise CallerFault("invalid_value", message, param=field) from None
    return max(0, int(stamp * 1000))


def _moment(query: Mapping[str, str], field: str, now_ms: int) -> int:
    return moment_ms(query[field], field, now_ms) if field in query else 0


def limit_of(text: str) -> int:
    """A page's length. Raises `CallerFault`."""
    limit = int(text) if text.isdecimal() and text.isascii() and len(text) <= _MAX_AGE_DIGITS else 0
    if not 1 <= limit <= MAX_LIMIT:
        message = f"'limit' must be a whole number from 1 to {MAX_LIMIT}."
        raise CallerFault("invalid_value", message, param="limit")
    return limit


def _flag(query: Mapping[str, str], field: str) -> bool:
    text = query.get(field, "0")
    if text in ("0", "1"):
        return text == "1"
    raise CallerFault("invalid_value", f"'{field}' must be 1 or 0.", param=field)


def refuse_unknown(query: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raises `CallerFault` for a parameter that is not `known`."""
    for field in query:
        if field not in known:
            message = f"There is no parameter {field[:40]!r} here; there are {', '.join(known)}."
            raise CallerFault("unknown_parameter", message, param=field[:40])


def _field_of(message: str) -> str | None:
    """The field that a msgspec message speaks of: "… - at `$.models[0]`" or "… field `name`"."""
    place = re.search(r"at `\$\.([A-Za-z_]+)", message) or re.search(r"field `([^`]{1,40})`", message)
    return place[1] if place else None
