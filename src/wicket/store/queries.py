"""All queries of the SQLite store. Values are always bound; only names from fixed lists are put together."""

from __future__ import annotations

from typing import Any

from wicket.accounts.usage_rows import GROUPS, Span, first_id
from wicket.store.contract import MAX_RECORDS, RecordFilter

_SUMS = (
    "requests",
    "failed",
    "estimated",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nanos",
    "charge_nanos",
)
_MAX_ID = (1 << 63) - 1

# ON CONFLICT and not OR IGNORE: the latter would drop a row with a NULL in silence as well
_INSERT = "INSERT INTO records VALUES ({}) ON CONFLICT (id) DO NOTHING"
INSERT_RECORD = _INSERT.format(",".join("?" * 27) + ",NULL")
INSERT_PLAIN_RECORD = _INSERT.format(",".join("?" * 23) + ",NULL,NULL,'',-1,NULL")  # nothing unusual
HAS_RECORD = "SELECT 1 FROM records WHERE id = ?"
ONE_RECORD = "SELECT * FROM records WHERE id = ?"
ADD_USAGE = (
    f"INSERT INTO usage_daily VALUES ({','.join('?' * 15)})"  # noqa: S608
    " ON CONFLICT (day, key_id, api, model, deployment) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)
)

PRUNE = "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id < ? ORDER BY id LIMIT ?)"
HORIZON = "SELECT value FROM meta WHERE name = 'pruned_before_id'"
SET_HORIZON = (
    "INSERT INTO meta VALUES ('pruned_before_id', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)

_GROUP_COLUMNS = {
    "day": "day",
    "key": "key_id",
    "team": "CASE WHEN key_id = 0 THEN '' ELSE COALESCE((SELECT team FROM keys WHERE id = key_id), '') END",
    "model": "model",
    "deployment": "deployment",
    "api": "api",
}
_SUMMED = "day, key_id, api, model, deployment, " + ", ".join(_SUMS)
_AS_SUMMED = (
    "(id >> 21) / 86400000, key_id, api, CASE deployment WHEN '' THEN '' ELSE model END, deployment,"
    " 1, outcome <> 'ok', is_estimated, input_tokens, output_tokens, cached_tokens, cache_write_tokens,"
    " reasoning_tokens, cost_nanos, charge_nanos"
)
_PARTS = (
    f"SELECT {_SUMMED} FROM usage_daily WHERE day >= ? AND day < ?"  # noqa: S608
    f" UNION ALL SELECT {_AS_SUMMED} FROM records WHERE id >= ? AND id < ?"
    f" UNION ALL SELECT {_AS_SUMMED} FROM records WHERE id >= ? AND id < ?"
)


def usage(group_by: tuple[str, ...], over: Span, key_id: int | None) -> tuple[str, list[int]]:
    """The query for sums by group, and what to bind; columns are the groups, then the ten sums."""
    values = [*over.days, *over.head, *over.tail]
    names = [_GROUP_COLUMNS[name] for name in GROUPS if name in group_by]
    sums = [f"SUM({name})" for name in _SUMS]
    query = f"SELECT {', '.join(names + sums)} FROM ({_PARTS})"  # noqa: S608
    if key_id is not None:
        query += " WHERE key_id = ?"
        values.append(key_id)
    if names:
        query += " GROUP BY " + ", ".join(str(place + 1) for place in range(len(names)))
    return query, values


SAVINGS = (
    "SELECT task, SUM(api <> 'chat.check'), SUM(api <> 'chat.check' AND deployment = 'mini/' || task),"
    " SUM(api = 'chat.check'), SUM(api <> 'chat.check' AND large_cost_nanos < 0), SUM(cost_nanos),"
    " SUM(CASE WHEN api = 'chat.check' THEN 0"
    " WHEN large_cost_nanos < 0 THEN cost_nanos ELSE large_cost_nanos END),"
    " SUM(CASE WHEN api = 'chat.check' THEN cost_nanos ELSE 0 END)"
    " FROM records WHERE task <> '' AND id >= ? AND id < ? GROUP BY task ORDER BY task"
)


def savings(since_ms: int, until_ms: int) -> tuple[str, list[int]]:
    """The query for the sums of `SavingsRow`, and what to bind."""
    return SAVINGS, [first_id(since_ms), first_id(until_ms) if until_ms else _MAX_ID]


def records(wanted: RecordFilter) -> tuple[str, list[Any]]:
    """The query for a page of records, and what to bind."""
    low = max(first_id(wanted.since_ms), wanted.after_id + 1 if wanted.after_id else 0)
    high = _MAX_ID if not wanted.until_ms else first_id(wanted.until_ms) - 1
    if wanted.before_id:
        high = min(high, wanted.before_id - 1)
    conditions, values = ["id BETWEEN ? AND ?"], [low, high]
    exact = {
        "key_id": wanted.key_id,
        "model": wanted.model or None,
        "deployment": wanted.deployment or None,
        "api": wanted.api or None,
        "outcome": None if wanted.outcome == "failed" else wanted.outcome or None,
        "status / 100": wanted.status_class or None,
    }
    found: list[Any] = [*values]
    for column, value in exact.items():
        if value is not None:
            conditions.append(f"{column} = ?")
            found.append(value)
    if wanted.outcome == "failed":
        conditions.append("outcome <> 'ok'")
    order = "DESC" if wanted.is_newest_first else "ASC"
    found.append(max(0, min(wanted.limit, MAX_RECORDS)))
    query = f"SELECT * FROM records WHERE {' AND '.join(conditions)} ORDER BY id {order} LIMIT ?"  # noqa: S608
    return query, found
