"""All queries of the SQLite store. Values are always bound; only names from fixed lists are put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wicket.accounts.usage_rows import CHECK_API, GROUPS, SUMS, Span, first_id, span
from wicket.store.bulk import bulk
from wicket.store.contract import MAX_RECORDS, RecordFilter

_MAX_ID = (1 << 63) - 1
_OF_KEYS = "key_id IN (SELECT value FROM json_each(?))"

# ON CONFLICT and not OR IGNORE: the latter would drop a row with a NULL in silence as well
_KEEP_FIRST = " ON CONFLICT (id) DO NOTHING"
INSERT_RECORD = bulk("INSERT INTO records", f"({','.join('?' * 29)})", _KEEP_FIRST)
INSERT_PLAIN_RECORD = bulk(  # nothing unusual
    "INSERT INTO records", f"({','.join('?' * 23)},NULL,NULL,'',?,NULL,?)", _KEEP_FIRST
)
HAS_RECORD = "SELECT 1 FROM records WHERE id = ?"
ONE_RECORD = "SELECT * FROM records WHERE id = ?"
ADD_USAGE = (
    f"INSERT INTO usage_daily VALUES ({','.join('?' * (5 + len(SUMS)))})"  # noqa: S608
    " ON CONFLICT (day, key_id, api, model, deployment) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
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
    "organisation": "CASE WHEN key_id = 0 THEN '' ELSE COALESCE((SELECT o.name FROM keys k"
    " JOIN teams t ON t.id = k.team_id JOIN organisations o ON o.id = t.organisation_id WHERE k.id = key_id),"
    " (SELECT name FROM organisations WHERE id = 1)) END",
    "task": "task",
}
_SUMMED = "day, key_id, api, model, deployment, '' AS task, " + ", ".join(SUMS)


def _other(*places: int) -> str:
    """A count of `record.OtherUsage`, or the sum of several, by their places there."""
    return " + ".join(f"COALESCE(json_extract(other_usage, '$[{place}]'), 0)" for place in places)


_AS_SUMMED = (
    "(id >> 21) / 86400000 AS day, key_id, api, CASE deployment WHEN '' THEN '' ELSE model END AS model,"
    " deployment, task, 1, outcome <> 'ok', is_estimated, input_tokens, output_tokens, cached_tokens,"
    " cache_write_tokens, reasoning_tokens, cost_nanos, charge_nanos,"
    f" {_other(0)}, {_other(1, 3)}, {_other(4, 5)}, {_other(6)}, {_other(7)}, {_other(8)}, {_other(9)},"
    f" CASE WHEN api = '{CHECK_API}' THEN 0 WHEN large_cost_nanos < 0 THEN cost_nanos"
    " ELSE large_cost_nanos END,"
    f" api <> '{CHECK_API}' AND large_cost_nanos < 0"
)
_PARTS = (
    f"SELECT {_SUMMED} FROM usage_daily WHERE day >= ? AND day < ?"  # noqa: S608
    f" UNION ALL SELECT {_AS_SUMMED} FROM records WHERE id >= ? AND id < ?"
    f" UNION ALL SELECT {_AS_SUMMED} FROM records WHERE id >= ? AND id < ?"
)
# The sums know no task, so those by task come from the records alone; no days and no second edge, then.
_RECORDS = (
    f"SELECT {_SUMMED} FROM usage_daily WHERE day >= ? AND day < ? AND 0"  # noqa: S608
    f" UNION ALL SELECT {_AS_SUMMED} FROM records WHERE id >= ? AND id < ?"
)


def usage(group_by: tuple[str, ...], over: Span, key_id: int | None) -> tuple[str, list[int]]:
    """The query for sums by group, and what to bind; columns are the groups, then `usage_rows.SUMS`."""
    values, parts = [*over.days, *over.head, *over.tail], _PARTS
    if "task" in group_by:
        values, parts = [0, 0, *over.ids], _RECORDS
    names = [_GROUP_COLUMNS[name] for name in GROUPS if name in group_by]
    sums = [f"SUM({name})" for name in SUMS]
    query = f"SELECT {', '.join(names + sums)} FROM ({parts})"  # noqa: S608
    if key_id is not None:
        query += " WHERE key_id = ?"
        values.append(key_id)
    if names:
        query += " GROUP BY " + ", ".join(str(place + 1) for place in range(len(names)))
    return query, values


_UNPRICED = (  # the place of `OtherUsage.unpriced` in its array; tokens where there is no price row at all
    f"SELECT {_GROUP_COLUMNS['team']}, model, kind, COUNT(*) FROM ("  # noqa: S608
    "SELECT key_id, model, each.value AS kind FROM records, json_each(other_usage, '$[12]') AS each"
    " WHERE records.id >= ?1 AND records.id < ?2 AND other_usage IS NOT NULL"
    " UNION ALL SELECT key_id, model, 'tokens' FROM records WHERE id >= ?1 AND id < ?2 AND price_row = ''"
    " AND deployment <> '' AND (input_tokens > 0 OR output_tokens > 0)"
    ") WHERE ?3 IS NULL OR key_id = ?3 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)


def unpriced(since_ms: int, until_ms: int, key_id: int | None) -> tuple[str, list[Any]]:
    """The query for `unpriced.UnpricedRow`'s columns, and what to bind."""
    return _UNPRICED, [*span(since_ms, until_ms).ids, key_id]


def spent(over: Span) -> tuple[str, list[int]]:
    """The query for the columns of `Spent`, and what to bind. A check is nobody's request."""
    query = (
        "SELECT key_id, model, deployment,"  # noqa: S608
        " SUM(requests), SUM(input_tokens + output_tokens), SUM(charge_nanos)"
        f" FROM ({_PARTS}) WHERE api <> 'chat.check' GROUP BY 1, 2, 3"
    )
    return query, [*over.days, *over.head, *over.tail]


SAVINGS = (
    "SELECT task, SUM(api <> 'chat.check'), SUM(api <> 'chat.check' AND deployment = 'mini/' || task),"
    " SUM(api = 'chat.check'), SUM(api <> 'chat.check' AND large_cost_nanos < 0), SUM(cost_nanos),"
    " SUM(CASE WHEN api = 'chat.check' THEN 0"
    " WHEN large_cost_nanos < 0 THEN cost_nanos ELSE large_cost_nanos END),"
    " SUM(CASE WHEN api = 'chat.check' THEN cost_nanos ELSE 0 END)"
    " FROM records WHERE task <> '' AND id >= ? AND id < ?"
)


def savings(since_ms: int, until_ms: int, key_ids: Sequence[int] | None) -> tuple[str, list[Any]]:
    """The query for the sums of `SavingsRow`, and what to bind."""
    values: list[Any] = [first_id(since_ms), first_id(until_ms) if until_ms else _MAX_ID]
    of_keys = ""
    if key_ids is not None:
        of_keys = f" AND {_OF_KEYS}"
        values.append(_listed(key_ids))
    return f"{SAVINGS}{of_keys} GROUP BY task ORDER BY task", values


def _listed(numbers: Iterable[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"


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
    if wanted.key_ids is not None:
        conditions.append(_OF_KEYS)
        found.append(_listed(wanted.key_ids))
    if wanted.outcome == "failed":
        conditions.append("outcome <> 'ok'")
    order = "DESC" if wanted.is_newest_first else "ASC"
    found.append(max(0, min(wanted.limit, MAX_RECORDS)))
    query = f"SELECT * FROM records WHERE {' AND '.join(conditions)} ORDER BY id {order} LIMIT ?"  # noqa: S608
    return query, found
