"""Sums over records: the row of a usage report, and the report that `wicket usage` prints."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import msgspec

from wicket.accounts.cost import format_usd
from wicket.accounts.record import OtherUsage, Record

DAY_MS = 86_400_000
GROUPS = ("day", "key", "team", "model", "deployment", "api", "organisation", "task")
CHECK_API = "chat.check"  # a mini's answer held against the large model's: nobody's request
_LAST_MS = (1 << 42) - 1  # an id keeps 42 bits of milliseconds
_PAST_ALL = (1 << 63) - 1


class UsageRow(msgspec.Struct, frozen=True, order=True):
    """What a group of requests used. Names outside the grouping are empty; `day` is an ISO date in UTC.

    `key` is the key's public id ("admin" for the operator's); `failed` counts outcomes other than "ok".
    Requests that nobody answered stand under the empty model, so that callers can't invent rows.
    `large_only_nanos` is what the routes' largest models alone would have cost; of `large_unknown` requests
    that is not known, and they count as having cost what they did.
    """

    day: str = ""
    key: str = ""
    key_name: str = ""
    team: str = ""
    model: str = ""
    deployment: str = ""
    api: str = ""
    organisation: str = ""
    task: str = ""
    requests: int = 0
    failed: int = 0
    estimated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanos: int = 0
    charge_nanos: int = 0
    cache_write_1h_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    images: int = 0
    audio_ms: int = 0
    characters: int = 0
    searches: int = 0
    large_only_nanos: int = 0
    large_unknown: int = 0


SUMS = UsageRow.__struct_fields__[UsageRow.__struct_fields__.index("requests") :]
NUM_SUMS = len(SUMS)
TOKEN_KINDS = SUMS[3:8]
OTHER_KINDS = SUMS[10:17]


def record_ms(record_id: int) -> int:
    """When a record's request began (Unix ms): its id says so, hence a span of time is a span of ids."""
    return record_id >> 21


def first_id(unix_ms: int) -> int:
    """The smallest id of that millisecond; times beyond what an id can tell count as the last one."""
    return min(max(unix_ms, 0), _LAST_MS) << 21


def iso_day(day: int) -> str:
    """Days since 1970 as an ISO date."""
    return datetime.date.fromordinal(719_163 + day).isoformat()


RollupKey = tuple[int, int, str, str, str]  # day, key id, api, model, deployment


def rollup(records: Iterable[Record]) -> dict[RollupKey, list[int]]:
    """The batch summed per day, key, api, model and deployment, in the order of `UsageRow`'s counts."""
    sums: dict[RollupKey, list[int]] = {}
    for record in records:
        deployment, usage = record.deployment, record.usage
        model = record.model if deployment else ""
        key = ((record.id >> 21) // DAY_MS, record.key_id, record.api, model, deployment)
        row = sums.get(key)
        if row is None:
            row = sums[key] = [0] * NUM_SUMS
        row[0] += 1
        if record.outcome != "ok":
            row[1] += 1
        if usage.is_estimated:
            row[2] += 1
        row[3] += usage.input_tokens
        row[4] += usage.output_tokens
        if usage.cached_tokens:
            row[5] += usage.cached_tokens
        if usage.cache_write_tokens:
            row[6] += usage.cache_write_tokens
        if usage.reasoning_tokens:
            row[7] += usage.reasoning_tokens
        row[8] += record.cost_nanos
        row[9] += record.charge_nanos
        if usage.other is not None:
            _add_other(row, usage.other)
        _add_large(row, record)
    return sums


def _add_other(row: list[int], other: OtherUsage) -> None:
    row[10] += other.cache_write_1h_tokens
    row[11] += other.input_audio_tokens + other.output_audio_tokens
    row[12] += other.input_image_tokens + other.output_image_tokens
    row[13] += other.images
    row[14] += other.audio_ms
    row[15] += other.characters
    row[16] += other.searches


def _add_large(row: list[int], record: Record) -> None:
    """With the large model alone there would be no checks; an unknown cost is taken to be what it was."""
    if record.api == CHECK_API:
        return
    if record.large_cost_nanos < 0:
        row[17] += record.cost_nanos
        row[18] += 1
    else:
        row[17] += record.large_cost_nanos


class Span(msgspec.Struct, frozen=True):
    """A span of time as whole days (first, past the last) and the ids of the edges that fill no day.

    `ids` are all of it.
    """

    days: tuple[int, int]
    head: tuple[int, int]
    tail: tuple[int, int]
    ids: tuple[int, int]


def span(since_ms: int = 0, until_ms: int = 0) -> Span:
    """Cut [since, until) into whole days and two edges; 0 leaves a side open."""
    first_day = -(-since_ms // DAY_MS)
    begin = first_id(since_ms)
    if not until_ms:
        return Span((first_day, 1 << 40), (begin, first_id(first_day * DAY_MS)), (0, 0), (begin, _PAST_ALL))
    past_day, end = until_ms // DAY_MS, first_id(max(since_ms, until_ms))
    if past_day < first_day:
        return Span((0, 0), (begin, end), (0, 0), (begin, end))
    return Span(
        (first_day, past_day),
        (begin, first_id(first_day * DAY_MS)),
        (first_id(past_day * DAY_MS), first_id(until_ms)),
        (begin, end),
    )


def usage_report(rows: Iterable[UsageRow], group_by: tuple[str, ...]) -> dict[str, Any]:
    """The document of `wicket usage --json`: totals, one row per group; dollars are exact texts."""
    listed = list(rows)
    shown = group_by + (("key_name",) if "key" in group_by else ())
    return {
        **_totals(listed),
        "rows": [{name: getattr(row, name) for name in shown} | _totals([row]) for row in listed],
    }


def _totals(rows: list[UsageRow]) -> dict[str, Any]:
    names = ("requests", "failed", "estimated", *TOKEN_KINDS, *OTHER_KINDS)
    totals: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in names}
    totals["cost_usd"] = format_usd(sum(row.cost_nanos for row in rows))
    totals["charge_usd"] = format_usd(sum(row.charge_nanos for row in rows))
    return totals
