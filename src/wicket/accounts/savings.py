"""What cascades saved: spent, and what the large model alone would have cost, by task. Whole nano-USD.

Spent is every cent: failed attempts and checks as well. Where it is not known what the large model would have
cost (nobody answered, or its price is unknown), the request counts as having saved nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.accounts.record import Record

CHECK_API = "chat.check"


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


def savings_report(rows: Iterable[SavingsRow]) -> dict[str, Any]:
    """The document of `wicket savings --json`, money still in whole nano-USD (`…_nanos`)."""
    listed = list(rows)
    requests = sum(row.requests for row in listed)
    return {
        "requests": requests,
        "mini_share": _share(sum(row.mini_requests for row in listed), requests),
        "spent_nanos": sum(row.spent_nanos for row in listed),
        "large_only_nanos": sum(row.large_only_nanos for row in listed),
        "tasks": [_task(row) for row in listed],
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
