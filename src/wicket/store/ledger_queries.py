"""All queries of the ledger in SQLite. Values are always bound; only fixed names are put together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from wicket.accounts.usage_rows import first_id
from wicket.store.bulk import bulk
from wicket.store.ledger_contract import MAX_TRANSFERS, TransferFilter

_MAX_ID = (1 << 63) - 1

_COLUMNS = "(entry_id, place, kind, debit, credit, amount_nanos, price_row)"
ADD_COST = bulk(f"INSERT INTO transfers {_COLUMNS}", "(?,?,'cost','cost',?,?,?)")
ADD_CHARGE = bulk(f"INSERT INTO transfers {_COLUMNS}", "(?,?,'charge',?,'revenue',?,'')")
ADD_TRANSFER = f"INSERT INTO transfers {_COLUMNS} VALUES (?,?,?,?,?,?,?)"  # noqa: S608
ADD_BALANCE = (
    "INSERT INTO balances (account, debits_nanos, credits_nanos) VALUES (?, ?, ?)"
    " ON CONFLICT (account) DO UPDATE SET debits_nanos = debits_nanos + excluded.debits_nanos,"
    " credits_nanos = credits_nanos + excluded.credits_nanos"
)
BALANCES = "SELECT account, debits_nanos, credits_nanos FROM balances"
BALANCE = "SELECT credits_nanos - debits_nanos FROM balances WHERE account = ?"

HAS_OPEN_GRANTS = "SELECT 1 FROM grants WHERE is_open = 1 LIMIT 1"
_GRANT = (
    "SELECT number, scope, COALESCE((SELECT credits_nanos - debits_nanos FROM balances"
    " WHERE account = 'grant:' || number), 0), expires_ms FROM grants"
)
OPEN_GRANTS_OF = f"{_GRANT} WHERE is_open = 1 AND scope = ? ORDER BY number"
OPEN_GRANTS = f"{_GRANT} WHERE is_open = 1 ORDER BY number"
ENDED_GRANTS = f"{_GRANT} WHERE is_open = 1 AND expires_ms > 0 AND expires_ms <= ? ORDER BY number"
GRANT_ENDS = "SELECT expires_ms FROM grants WHERE number = ?"
GRANT_SCOPES = "SELECT number, scope FROM grants"
NEXT_GRANT = "SELECT COALESCE(max(number), 0) + 1 FROM grants"
ADD_GRANT = "INSERT INTO grants (number, scope, amount_nanos, expires_ms) VALUES (?, ?, ?, ?)"
SET_OPEN = "UPDATE grants SET is_open = ? WHERE number = ?"

_MOVEMENT = (
    "SELECT id, kind, scope, amount_nanos, grant_number, expires_ms, of_id, record_id, idempotency_key,"
    " asked, memo FROM movements"
)
ADD_MOVEMENT = f"INSERT INTO movements VALUES ({','.join('?' * 11)})"  # noqa: S608
MOVEMENT = f"{_MOVEMENT} WHERE id = ?"
MOVEMENT_BY_KEY = f"{_MOVEMENT} WHERE idempotency_key = ? AND idempotency_key <> ''"
ALL_MOVEMENTS = f"{_MOVEMENT} ORDER BY id"
NEWEST_MOVEMENTS = f"{_MOVEMENT} WHERE ? IN ('', scope) ORDER BY id DESC LIMIT ?"
HAS_MOVEMENT = "SELECT 1 FROM movements WHERE id = ?"
REFUNDED = "SELECT COALESCE(SUM(amount_nanos), 0) FROM movements WHERE of_id = ? AND of_id <> 0"
CHARGED = "SELECT debit, amount_nanos FROM transfers WHERE entry_id = ? AND kind = 'charge' ORDER BY place"
RETURNED = (
    "SELECT credit, SUM(amount_nanos) FROM transfers WHERE kind = 'correction' AND entry_id IN"
    " (SELECT id FROM movements WHERE record_id = ? AND record_id <> 0) GROUP BY credit"
)

ADD_CREDIT = "INSERT INTO credits (scope, created_ms) VALUES (?, ?) ON CONFLICT (scope) DO NOTHING"
_CREDIT = (
    "SELECT scope, COALESCE((SELECT credits_nanos - debits_nanos FROM balances"
    " WHERE account = 'credit:' || scope), 0), created_ms, below_nanos, is_low FROM credits"
)
CREDITS = f"{_CREDIT} ORDER BY scope"
CREDIT_OF = f"{_CREDIT} WHERE scope = ?"
CREDIT_BALANCE = (
    "SELECT scope, COALESCE((SELECT credits_nanos - debits_nanos FROM balances"
    " WHERE account = 'credit:' || scope), 0)"
    " + COALESCE((SELECT SUM(credits_nanos - debits_nanos) FROM grants"
    " JOIN balances ON account = 'grant:' || number WHERE grants.scope = credits.scope AND is_open = 1), 0)"
    " FROM credits"
)
CREDIT_BALANCE_OF = f"{CREDIT_BALANCE} WHERE scope = ?"
SET_LOW = "UPDATE credits SET is_low = ? WHERE scope = ?"
SET_BELOW = "UPDATE credits SET below_nanos = ?, is_low = 0 WHERE scope = ?"

ADD_NOTICE = "INSERT INTO notices (event_id, at_ms, body, next_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
DUE_NOTICES = (
    "SELECT event_id, at_ms, body, tries, next_ms FROM notices WHERE ended_ms = 0 AND next_ms <= ?"
    " ORDER BY id LIMIT ?"
)
NOTICE_TRIED = (
    "UPDATE notices SET tries = tries + 1, next_ms = ?, ended_ms = ?, outcome = ? WHERE event_id = ?"
)
FORGET_NOTICES = "DELETE FROM notices WHERE ended_ms > 0 AND ended_ms < ?"

TRANSFERS_IN_ORDER = (
    "SELECT entry_id, place, kind, debit, credit, amount_nanos, price_row FROM transfers"
    " ORDER BY entry_id, place"
)
RECORDS_IN_ORDER = "SELECT * FROM records ORDER BY id"
META = "SELECT name, value FROM meta WHERE name IN ('ledger_from_id', 'pruned_before_id')"

_NAMED = (
    "SELECT id FROM {} WHERE public_id = ?1 OR (name = ?1 AND status <> 'deleted')"
    " ORDER BY public_id <> ?1, id LIMIT 1"
)
SCOPE_NAMED = {
    "team": _NAMED.format("teams"),
    "organisation": _NAMED.format("organisations"),
    "key": (
        "SELECT id FROM keys WHERE public_id = ?1 OR name = ?1"
        " ORDER BY public_id <> ?1, revoked_ms <> 0, id DESC LIMIT 1"
    ),
}
SCOPE_NAMES = (
    "SELECT 'team:' || id, name FROM teams UNION ALL SELECT 'key:' || id, name FROM keys"
    " UNION ALL SELECT 'organisation:' || id, name FROM organisations"
)


def transfers(wanted: TransferFilter) -> tuple[str, list[Any]]:
    """The query for a page of transfers, and what to bind."""
    low = first_id(wanted.since_ms)
    high = first_id(wanted.until_ms) - 1 if wanted.until_ms else _MAX_ID
    conditions, values = ["entry_id BETWEEN ? AND ?"], [low, high]
    found: list[Any] = [*values]
    if wanted.before is not None:
        conditions.append("(entry_id, place) < (?, ?)")
        found += wanted.before
    if wanted.kind:
        conditions.append("kind = ?")
        found.append(wanted.kind)
    if wanted.account:
        conditions.append("(debit = ? OR credit = ?)")
        found += [wanted.account] * 2
    if wanted.record_id:
        conditions.append(
            "(entry_id = ? OR entry_id IN (SELECT id FROM movements WHERE record_id = ? AND record_id <> 0))"
        )
        found += [wanted.record_id] * 2
    if wanted.scopes is not None:
        conditions.append(f"(debit IN ({_OF_SCOPES}) OR credit IN ({_OF_SCOPES}))")
        found += of_scopes(wanted.scopes) * 2
    found.append(max(0, min(wanted.limit, MAX_TRANSFERS)))
    query = (
        "SELECT entry_id, place, kind, debit, credit, amount_nanos, price_row FROM transfers"  # noqa: S608
        f" WHERE {' AND '.join(conditions)} ORDER BY entry_id DESC, place DESC LIMIT ?"
    )
    return query, found


def of_scopes(scopes: Iterable[str]) -> list[str]:
    """What to bind where the accounts of these scopes are meant."""
    return [json.dumps(list(scopes))] * 3


_OF_SCOPES = (
    "SELECT 'credit:' || value FROM json_each(?) UNION ALL SELECT 'receivable:' || value FROM json_each(?)"
    " UNION ALL SELECT 'grant:' || number FROM grants WHERE scope IN (SELECT value FROM json_each(?))"
)
BALANCES_OF = f"{BALANCES} WHERE account IN ({_OF_SCOPES})"
