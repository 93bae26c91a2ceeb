"""Bodies and query strings of the routes for money, checked: every refusal names its field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from wicket.accounts.movements import parse_amount
from wicket.accounts.request_ids import parse_id
from wicket.errors import CallerFault
from wicket.server.admin_query import (
    DEFAULT_LIMIT,
    MAX_LIFETIME_S,
    MAX_UNIX_S,
    limit_of,
    moment_ms,
    refuse_unknown,
)
from wicket.wire.json import dumps

SCOPES = ("team", "key", "organisation")
KINDS = ("cost", "charge", "top_up", "grant", "refund", "correction", "expiry")
_MARK = re.compile(r"([0-9]{1,19})-([0-9]{1,9})", re.ASCII)

Named = Annotated[str, msgspec.Meta(max_length=100)]
Memo = Annotated[str, msgspec.Meta(max_length=500)]
IdempotencyKey = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Amount = Annotated[str, msgspec.Meta(max_length=40)] | Annotated[int, msgspec.Meta(le=1 << 62)]


class _Scoped(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A body that names one scope."""

    team: Named = ""
    key: Named = ""
    organisation: Named = ""

    def scope(self) -> dict[str, str]:
        """`kind` and `name`. Raises `CallerFault` unless exactly one is named."""
        return _one_scope({kind: getattr(self, kind) for kind in SCOPES})


class NewCredit(_Scoped, frozen=True, kw_only=True):
    """The body that tops up a credit, or grants one that may expire. `usd` is a decimal text."""

    usd: Amount
    idempotency_key: IdempotencyKey
    currency: str = "USD"
    kind: Literal["top_up", "grant"] = "top_up"
    expires_in_s: Annotated[float, msgspec.Meta(ge=1, le=MAX_LIFETIME_S)] | None = None
    expires_at: Annotated[float, msgspec.Meta(ge=0, le=MAX_UNIX_S)] | str | None = None
    memo: Memo = ""

    def arguments(self, now_ms: int) -> dict[str, Any]:
        """What the verb `credits.add` takes. Raises `CallerFault`."""
        scope, nanos = self.scope(), parse_amount(self.usd)
        _check_currency(self.currency)
        _check_text(self.idempotency_key, "idempotency_key")
        _check_text(self.memo, "memo")
        asked = [self.kind, nanos, self.expires_in_s, self.expires_at, self.memo]
        order = {
            "kind": self.kind,
            "idempotency_key": self.idempotency_key,
            "asked": dumps(asked),
            "amount_nanos": nanos,
            "expires_ms": self._expires_ms(now_ms),
            "memo": self.memo,
        }
        return {**scope, "order": order}

    def _expires_ms(self, now_ms: int) -> int:
        fields = ("expires_in_s", "expires_at")
        given = [field for field in fields if getattr(self, field) is not None]
        if not given:
            return 0
        if self.kind != "grant":
            message = f"Only a grant expires: leave '{given[0]}' out, or let 'kind' be grant."
            raise CallerFault("invalid_value", message, param=given[0])
        if len(given) > 1:
            raise CallerFault("invalid_value", "Give one of 'expires_in_s', 'expires_at'.", param=given[1])
        if self.expires_in_s is not None:
            return now_ms + int(self.expires_in_s * 1000)
        at = self.expires_at
        ends = moment_ms(at, "expires_at", now_ms) if isinstance(at, str) else int((at or 0) * 1000)
        if ends <= now_ms:
            raise CallerFault("invalid_value", "'expires_at' is in the past.", param="expires_at")
        return min(ends, now_ms + MAX_LIFETIME_S * 1000)


class NewRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body that takes money back: of the top-up `of`, or of the request `request_id`.

    Without `usd` all that is left.
    """

    idempotency_key: IdempotencyKey
    of: Annotated[str, msgspec.Meta(max_length=100)] = ""
    request_id: Annotated[str, msgspec.Meta(max_length=100)] = ""
    usd: Amount | None = None
    currency: str = "USD"
    memo: Memo = ""

    def arguments(self) -> dict[str, Any]:
        """What the verb `credits.refund` takes. Raises `CallerFault`."""
        if bool(self.of) == bool(self.request_id):
            raise CallerFault("invalid_value", "Give 'of' or 'request_id', one of them.", param="of")
        nanos = parse_amount(self.usd) if self.usd is not None else 0
        _check_currency(self.currency)
        _check_text(self.idempotency_key, "idempotency_key")
        _check_text(self.memo, "memo")
        order = {
            "kind": "refund",
            "idempotency_key": self.idempotency_key,
            "asked": dumps(["refund", self.of, self.request_id, nanos, self.memo]),
            "amount_nanos": nanos,
            "record_id": _request_id(self.request_id),
            "memo": self.memo,
        }
        return {"order": order, "of": self.of}


class CreditThreshold(_Scoped, frozen=True, kw_only=True):
    """The body that says where a low balance is told; null for what is configured."""

    below_usd: Amount | None

    def arguments(self) -> dict[str, Any]:
        """What the verb `credits.threshold` takes. Raises `CallerFault`."""
        below = None if self.below_usd is None else parse_amount(self.below_usd, "below_usd")
        return {**self.scope(), "below_nanos": below}


def scope_query(query: Mapping[str, str]) -> dict[str, Any]:
    """`team`, `key` or `organisation`, or none of them. Raises `CallerFault`."""
    refuse_unknown(query, SCOPES)
    return _one_scope(query) if query else {}


def transfer_query(query: Mapping[str, str], now_ms: int) -> dict[str, Any]:
    """A scope, `account`, `kind`, `request_id`, `since`, `until`, `limit`, `before`. Raises `CallerFault`."""
    refuse_unknown(query, (*SCOPES, "account", "kind", "request_id", "since", "until", "limit", "before"))
    kind = query.get("kind", "")
    if kind and kind not in KINDS:
        message = f"'kind' has no {kind[:40]!r}; there are {', '.join(KINDS)}."
        raise CallerFault("invalid_value", message, param="kind")
    scope = _one_scope(query) if any(name in query for name in SCOPES) else {}
    return {
        **scope,
        "account": query.get("account", ""),
        "transfer_kind": kind,
        "record_id": _request_id(query.get("request_id", "")),
        "since_ms": moment_ms(query["since"], "since", now_ms) if "since" in query else 0,
        "until_ms": moment_ms(query["until"], "until", now_ms) if "until" in query else 0,
        "limit": limit_of(query["limit"]) if "limit" in query else DEFAULT_LIMIT,
        "before": _parse_mark(query["before"]) if "before" in query else None,
    }


def mark_of(before: tuple[int, int]) -> str:
    """Where the next page begins, as text for `before`."""
    return f"{before[0]}-{before[1]}"


def _parse_mark(text: str) -> list[int]:
    match = _MARK.fullmatch(text)
    if match is None or int(match[1]) >= 1 << 63:
        raise CallerFault("invalid_value", "'before' is the 'next' of a page before.", param="before")
    return [int(match[1]), int(match[2])]


def _one_scope(named: Mapping[str, str]) -> dict[str, str]:
    found = [(kind, named[kind]) for kind in SCOPES if named.get(kind)]
    if len(found) != 1:
        message = "Give one of 'team', 'key' and 'organisation': whose credit it is."
        raise CallerFault("invalid_value", message, param=found[1][0] if found else "team")
    [(kind, name)] = found
    _check_text(name, kind)
    return {"kind": kind, "name": name}


def _request_id(text: str) -> int:
    if not text:
        return 0
    try:
        return parse_id(text)
    except CallerFault as fault:
        raise CallerFault(fault.code, fault.message, param="request_id") from None


def _check_currency(currency: str) -> None:
    if currency != "USD":
        message = f"'currency' is USD: the ledger keeps no other, such as {currency[:10]!r}."
        raise CallerFault("invalid_currency", message, param="currency")


def _check_text(text: str, field: str) -> None:
    if not text.isprintable():
        raise CallerFault("invalid_value", f"'{field}' is printable text.", param=field)
