"""A ledger entry: movements of money between two accounts each. Debit and credit in one row can't disagree.

Accounts are names. What we have or spend: `cash`, `cost`, `promotions`, `receivable:SCOPE`; what we owe or
earn: `provider:NAME`, `credit:SCOPE` (prepaid), `grant:NUMBER` (promotional, of a scope), `revenue`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

CASH = "cash"
COST = "cost"
PROMOTIONS = "promotions"
REVENUE = "revenue"
CREDIT = "credit:"
GRANT = "grant:"
PROVIDER = "provider:"


class Transfer(msgspec.Struct, frozen=True, array_like=True):
    """`amount_nanos` (1e-9 USD, positive) from `debit` to `credit`.

    `entry_id` is what it is booked with, a record's or a movement's id; `place` its place there. `price_row`
    is the price that made a cost.
    """

    entry_id: int
    place: int
    kind: str  # "cost", "charge", "top_up", "grant", "refund", "correction", "expiry"
    debit: str
    credit: str
    amount_nanos: int
    price_row: str = ""

    @property
    def at_ms(self) -> int:
        """When it was booked, or its request began (Unix ms)."""
        return self.entry_id >> 21


class Balance(msgspec.Struct):
    """What an account's transfers come to, nano-USD: what left it and what came in."""

    debits_nanos: int = 0
    credits_nanos: int = 0

    @property
    def nanos(self) -> int:
        """What is left on an account that money comes to before it goes, such as a credit."""
        return self.credits_nanos - self.debits_nanos


def add_to(balances: dict[str, Balance], transfers: Iterable[Transfer]) -> None:
    """Count transfers into the balances of their accounts."""
    for transfer in transfers:
        balances.setdefault(transfer.debit, Balance()).debits_nanos += transfer.amount_nanos
        balances.setdefault(transfer.credit, Balance()).credits_nanos += transfer.amount_nanos
