"""What was saved: spent, and what the large model alone would have cost. Whole nano-USD.

Of cascades by task, with the share that their minis answered; of all requests by whatever they are grouped.

Spent is every cent: failed attempts and checks as well. Where it is not known what the large model would have
cost (nobody answered, or its price is unknown), the request counts as having saved nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.accounts.record import Record
from wicket.accounts.usage_rows import CHECK_API, UsageRow

SAVINGS_GROUPS = ("day", "key", "team", "model", "task", "organisation")


class SavingsRow(msgspec.Struct, frozen=True, order=True):
    """One task's sums. `requests` are the callers', without checks; `mini_requests` those its mini answered.

    `unknown` requests are those whose cost at the large model alone is not known.
    """

    task: str
    requests: int = 0
    mini_requests: int = 0
    checks: int = 0
    unknown: int = 0
    spent_nanos: int = 0
    large_only_nanos: int = 0
    check_nanos: int = 0


def savings_rows(records: Iterable[Record]) -> list[SavingsRow]:
    """The sums of records that belong to a task, by task."""
    sums: dict[str, list[int]] = {}
    for record in records:
        if not record.task:
            continue
        row = sums.setdefault(record.task, [0] * 7)
        cost = record.cost_nanos
        row[4] += cost
        if record.api == CHECK_API:
            row[2] += 1
            row[6] += cost
            continue
        is_known = record.large_cost_nanos >= 0
        row[0] += 1
        row[1] += record.deployment == f"mini/{record.task}"
        row[3] += not is_known
        row[5] += record.large_cost_nanos if is_known else cost
    return [SavingsRow(task, *row) for task, row in sorted(sums.items())]


def savings_report(
    rows: Iterable[SavingsRow], groups: Iterable[UsageRow] = (), group_by: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The document of `wicket savings --json`, money still in whole nano-USD (`…_nanos`).

    What stands at its top and in `tasks` is of cascades (`rows`); `all` and its `rows` are of all requests,
    by `group_by`.
    """
    listed = list(rows)
    everything = list(groups)
    shown = group_by + (("key_name",) if "key" in group_by else ())
    requests = sum(row.requests for row in listed)
    return {
        "requests": requests,
        "mini_share": _share(sum(row.mini_requests for row in listed), requests),
        "spent_nanos": sum(row.spent_nanos for row in listed),
        "large_only_nanos": sum(row.large_only_nanos for row in listed),
        "tasks": [_task(row) for row in listed],
        "all": _saved(everything),
        "rows": [{name: getattr(row, name) for name in shown} | _saved([row]) for row in everything]
        if group_by
        else [],
    }


def _saved(rows: list[UsageRow]) -> dict[str, Any]:
    """What some groups came to; `requests` has the checks of cascades in it, as usage has."""
    spent, large = sum(row.cost_nanos for row in rows), sum(row.large_only_nanos for row in rows)
    return {
        "requests": sum(row.requests for row in rows),
        "unknown_requests": sum(row.large_unknown for row in rows),
        "spent_nanos": spent,
        "large_only_nanos": large,
        "saved_nanos": large - spent,
    }


def _task(row: SavingsRow) -> dict[str, Any]:
    return {
        "task": row.task,
        "requests": row.requests,
        "mini_requests": row.mini_requests,
        "mini_share": _share(row.mini_requests, row.requests),
        "spent_nanos": row.spent_nanos,
        "large_only_nanos": row.large_only_nanos,
        "saved_nanos": row.large_only_nanos - row.spent_nanos,
        "checks": row.checks,
        "check_nanos": row.check_nanos,
        "unknown_requests": row.unknown,
        "is_estimated": row.mini_requests > 0,
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
