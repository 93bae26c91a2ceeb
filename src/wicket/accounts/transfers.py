"""A ledger entry: one movement of money between two accounts. Debit and credit in one row can't disagree.

Accounts are names. What we have or spend: `cash`, `cost`, `promotions`, `receivable:SCOPE`; what we owe or
earn: `provider:NAME`, `credit:SCOPE` (prepaid), `grant:NUMBER` (promotional, of a scope), `revenue`.
"""

from __future__ import annotations

import msgspec

CASH = "cash"
COST = "cost"
PROMOTIONS = "promotions"
REVENUE = "revenue"


class Transfer(msgspec.Struct, frozen=True, array_like=True):
    """`amount_nanos` (1e-9 USD, positive) from `debit` to `credit` at `at_ms` (Unix time).

    `record_id` is the request it belongs to (0: none), `price_row` the price that made the amount.
    """

    at_ms: int
    kind: str  # "cost", "charge", "top_up", "grant", "refund", "expiry", "correction"
    debit: str
    credit: str
    amount_nanos: int
    record_id: int = 0
    price_row: str = ""
    memo: str = ""
