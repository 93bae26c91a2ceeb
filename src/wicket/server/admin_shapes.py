"""Records, keys and sums as the JSON that callers and `--json` see; used by HTTP and command line alike.

Dollars are JSON numbers: a nano-USD count divided by 1e9, which a double holds exactly enough to give the
same count back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from wicket.accounts.record import Attempt, OtherUsage, Record, Usage
from wicket.accounts.request_ids import format_id
from wicket.accounts.unpriced import unpriced_kinds

_NANOS = 1_000_000_000


def usd(nanos: int) -> float:
    """Nano-USD as USD."""
    return nanos / _NANOS


def iso(unix_ms: int) -> str | None:
    """Unix ms as ISO 8601 in UTC; None for 0 (never)."""
    if not unix_ms:
        return None
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now_ms() -> int:
    """Unix time in ms."""
    return int(time.time() * 1000)


def record_json(record: Record) -> dict[str, Any]:
    """One request's record. `key_id` 0 is the admin key."""
    return {
        "id": format_id(record.id),
        "object": "request",
        "started_at": iso(record.started_ms),
        "key_id": record.key_id,
        "api": record.api,
        "model": record.model,
        "deployment": record.deployment,
        "served_model": record.served_model,
        "status": record.status,
        "outcome": record.outcome,
        "is_stream": record.is_stream,
        **usage_json(record.usage),
        "cost_usd": usd(record.cost_nanos),
        "charge_usd": usd(record.charge_nanos),
        "first_token_ms": _ms(record.first_token_us),
        "total_ms": _ms(record.total_us),
        "price_row": record.price_row,
        "dropped": list(record.dropped),
        "unpriced": list(unpriced_kinds(record)),
        "task": record.task,
        "estimate_usd": usd(record.estimate_nanos) if record.estimate_nanos >= 0 else None,
        "large_cost_usd": usd(record.large_cost_nanos) if record.large_cost_nanos >= 0 else None,
        "attempts": [attempt_json(attempt) for attempt in record.attempts],
    }


def records_json(records: Iterable[Any]) -> list[dict[str, Any]]:
    """Records as they come over the control channel, shaped."""
    return [record_json(msgspec.convert(record, Record)) for record in records]


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """One try of one deployment; times count from the request's start."""
    return {
        "deployment": attempt.deployment,
        "status": attempt.status,
        "reason": attempt.reason or "ok",
        "kind": attempt.kind,
        "started_ms": _ms(attempt.started_us),
        "first_token_ms": _ms(attempt.first_token_us),
        "ended_ms": _ms(attempt.ended_us),
        "cost_usd": usd(attempt.cost_nanos),
        "is_probe": attempt.is_probe,
        **usage_json(attempt.usage),
    }


def usage_json(usage: Usage) -> dict[str, Any]:
    """Token counts by kind; `other` has those that few answers have, and the class of service."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "is_estimated": usage.is_estimated,
        "other": _other_json(usage.other),
    }


def _other_json(other: OtherUsage | None) -> dict[str, Any]:
    """What there is of it."""
    if other is None:
        return {}
    return {name: value for name, value in msgspec.structs.asdict(other).items() if value}


def report_json(report: Mapping[str, Any]) -> dict[str, Any]:
    """A usage report with its dollars as numbers, in its rows too."""
    shown = {name: float(value) if name.endswith("_usd") else value for name, value in report.items()}
    shown["rows"] = [report_row(row) for row in report.get("rows", ())]
    return shown


def savings_json(report: Mapping[str, Any]) -> dict[str, Any]:
    """A savings report with its money as dollars, in its tasks too."""
    shown = _in_dollars(report)
    for name in ("tasks", "rows"):
        shown[name] = [_in_dollars(row) for row in report[name]]
    shown["all"] = _in_dollars(report["all"])
    return shown


def statement_json(document: Mapping[str, Any]) -> dict[str, Any]:
    """A statement with its dollars as numbers, in its lists too."""
    lists = ("models", "days", "rows", "movements")
    return report_row(document) | {name: [report_row(row) for row in document[name]] for name in lists}


def _in_dollars(row: Mapping[str, Any]) -> dict[str, Any]:
    suffix = "_nanos"
    return {
        name.removesuffix(suffix) + "_usd" if name.endswith(suffix) else name: (
            usd(value) if name.endswith(suffix) else value
        )
        for name, value in row.items()
    }


def report_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """One group of a usage report."""
    return {name: float(value) if name.endswith("_usd") else value for name, value in row.items()}


def _ms(micros: int) -> float | None:
    """Microseconds as ms; None where there is none."""
    return None if micros < 0 else micros / 1000
