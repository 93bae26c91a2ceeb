"""Money that moves other than by a request: top-ups, grants, refunds, corrections, the end of a grant.

What an order comes to is decided here, from values; a store looks the values up and keeps the outcome, both
in one transaction.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from wicket.accounts.cost import NANOS_PER_USD, format_usd
from wicket.accounts.split import Grant
from wicket.accounts.transfers import CASH, CREDIT, GRANT, PROMOTIONS, REVENUE, Transfer
from wicket.errors import CallerFault

MAX_NANOS = 10_000_000 * NANOS_PER_USD  # of one movement: a slip of the finger is likelier than more
MOVEMENTS_SPACE = 0x7F << 14  # in their ids: they are no worker's requests (see `request_ids`)
PREFIX = "mov_"
_DIGITS = 16
_AMOUNT = re.compile(r"[0-9]{1,8}(\.[0-9]{1,9})?", re.ASCII)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants: a "top_up" or a "grant" for `scope`, or a "refund".

    A refund is of the movement `of_id`, or of the request `record_id`. `amount_nanos` 0 is all that is left
    to refund. `asked` is the whole wish as text: two orders with one idempotency key must have the same.
    """

    kind: str
    idempotency_key: str
    asked: str
    scope: str = ""
    amount_nanos: int = 0
    expires_ms: int = 0
    of_id: int = 0
    record_id: int = 0
    memo: str = ""


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """What was done. `kind` is "top_up", "grant", "refund", "correction" (of a request) or "expiry"."""

    id: int
    kind: str
    scope: str
    amount_nanos: int
    grant_number: int = 0
    expires_ms: int = 0
    of_id: int = 0
    record_id: int = 0
    idempotency_key: str = ""
    asked: str = ""
    memo: str = ""


class Moved(msgspec.Struct, frozen=True):
    """What an order came to; `is_new` is False if it had been carried out before."""

    movement: Movement
    is_new: bool


class Charged(msgspec.Struct, frozen=True):
    """What a request was charged, as (account, nano-USD) in the order of paying, and what came back since."""

    parts: Sequence[tuple[str, int]]
    returned: Mapping[str, int]
    scope: str


def parse_amount(usd: str | int, field: str = "usd") -> int:
    """An amount of US dollars above zero as nano-USD: "5", "0.25", 5.

    Raises `CallerFault` naming `field` for signs, exponents, more than nine decimals, and for more than
    10,000,000 USD at once.
    """
    text = str(usd)
    nanos = 0
    if _AMOUNT.fullmatch(text):
        whole, _, rest = text.partition(".")
        nanos = int(whole) * NANOS_PER_USD + int(rest.ljust(9, "0"))
    if not 0 < nanos <= MAX_NANOS:
        message = (
            f"'{field}' is a decimal number of US dollars above 0 and at most 10000000, such as 5 or 0.25."
        )
        raise CallerFault("invalid_amount", message, param=field)
    return nanos


def format_movement_id(number: int) -> str:
    """`mov_` and 16 hexadecimal digits."""
    return f"{PREFIX}{number:016x}"


def parse_movement_id(text: str) -> int:
    """The number behind an id; raises `CallerFault` for anything else."""
    digits = text.removeprefix(PREFIX)
    is_one = text.startswith(PREFIX) and len(digits) == _DIGITS and not set(digits) - set("0123456789abcdef")
    if not is_one or not 0 < int(digits, 16) < 1 << 63:
        message = "'of' is a movement's id, mov_ and 16 hexadecimal digits; `wicket credits show` lists them."
        raise CallerFault("invalid_value", message, param="of")
    return int(digits, 16)


def same_as_before(known: Movement, order: Order) -> Moved:
    """The first answer again. Raises `CallerFault` 409 if the key stood for something else."""
    if known.asked != order.asked:
        raise CallerFault(
            "idempotency_conflict",
            "The idempotency key was used for another order before"
            f" ({format_movement_id(known.id)}): take a new one.",
            status=409,
            param="idempotency_key",
        )
    return Moved(known, is_new=False)


def credited(order: Order, id: int, grant_number: int) -> Movement:
    """A top-up or a grant as a movement; `grant_number` is the next free one, for a grant."""
    return Movement(
        id=id,
        kind=order.kind,
        scope=order.scope,
        amount_nanos=order.amount_nanos,
        grant_number=grant_number if order.kind == "grant" else 0,
        expires_ms=order.expires_ms if order.kind == "grant" else 0,
        idempotency_key=order.idempotency_key,
        asked=order.asked,
        memo=order.memo,
    )


def refund_of_top_up(
    order: Order, id: int, top_up: Movement | None, refunded_nanos: int, balance_nanos: int
) -> Movement:
    """Money back out: of that top-up no more than it brought, and no more than is still prepaid.

    Raises `CallerFault` 404 without such a top-up, 409 for more than there is.
    """
    if top_up is None or top_up.kind != "top_up":
        message = "There is no top-up with that id; `wicket credits show` lists them."
        raise CallerFault("unknown_movement", message, status=404, param="of")
    left = min(top_up.amount_nanos - refunded_nanos, max(0, balance_nanos))
    wanted = order.amount_nanos or left
    if not 0 < wanted <= left:
        message = f"At most {format_usd(left)} USD of this top-up can be refunded now."
        raise CallerFault("not_enough_credit", message, status=409, param="usd")
    return _taken_back(order, id, "refund", top_up.scope, wanted)


def correction_of(order: Order, id: int, charged: Charged) -> Movement:
    """A request's charge taken back, whole or in part.

    Raises `CallerFault` 404 for a request that was charged nothing, 409 for more than is left of the charge.
    """
    total = sum(nanos for _, nanos in charged.parts)
    if not total:
        message = "There is no charge for that request."
        raise CallerFault("unknown_charge", message, status=404, param="request_id")
    left = total - sum(charged.returned.values())
    wanted = order.amount_nanos or left
    if not 0 < wanted <= left:
        message = f"At most {format_usd(left)} USD of this request's charge can be refunded."
        raise CallerFault("more_than_charged", message, status=409, param="usd")
    return _taken_back(order, id, "correction", charged.scope, wanted)


def expiry_of(grant: Grant, id: int) -> Movement:
    """What is left of a grant at its end."""
    return Movement(
        id=id,
        kind="expiry",
        scope=grant.scope,
        amount_nanos=grant.left_nanos,
        grant_number=grant.number,
        expires_ms=grant.expires_ms,
    )


def movement_transfers(movement: Movement) -> list[Transfer]:
    """The one transfer of a movement of any kind but "correction"."""
    credit, grant = f"{CREDIT}{movement.scope}", f"{GRANT}{movement.grant_number}"
    debit, to = {
        "top_up": (CASH, credit),
        "grant": (PROMOTIONS, grant),
        "refund": (credit, CASH),
        "expiry": (grant, PROMOTIONS),
    }[movement.kind]
    return [Transfer(movement.id, 0, movement.kind, debit, to, movement.amount_nanos)]


def correction_transfers(movement: Movement, charged: Charged, expired: set[str]) -> list[Transfer]:
    """Back to who had paid, the last to pay first. What an expired grant had paid expires again at once."""
    found: list[Transfer] = []
    rest = movement.amount_nanos
    for account, nanos in reversed(charged.parts):
        back = min(rest, nanos - charged.returned.get(account, 0))
        if back <= 0:
            continue
        rest -= back
        found.append(Transfer(movement.id, len(found), "correction", REVENUE, account, back))
        if account in expired:
            found.append(Transfer(movement.id, len(found), "expiry", account, PROMOTIONS, back))
    return found


def scope_of_parts(parts: Sequence[tuple[str, int]], grants: Mapping[int, str]) -> str:
    """Whose money a charge was taken from; "" for a receivable of the operator."""
    for account, _ in parts:
        kind, _, rest = account.partition(":")
        return grants.get(int(rest), "") if kind == "grant" else rest.replace("operator", "")
    return ""


def _taken_back(order: Order, id: int, kind: str, scope: str, amount_nanos: int) -> Movement:
    return Movement(
        id=id,
        kind=kind,
        scope=scope,
        amount_nanos=amount_nanos,
        of_id=order.of_id,
        record_id=order.record_id,
        idempotency_key=order.idempotency_key,
        asked=order.asked,
        memo=order.memo,
    )
