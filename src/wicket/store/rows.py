"""A record as a row and back, without loss.

Nearly all requests have one attempt, which repeats what the record says; then only its two times are kept
(`sent_us`, `answered_us`) and `attempts` is NULL. All other histories are kept as JSON. Only requests of
cascades have a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wicket.accounts.record import Attempt, Record, Usage

_encode = msgspec.json.Encoder().encode
_decode_attempts = msgspec.json.Decoder(list[Attempt]).decode
_decode_texts = msgspec.json.Decoder(list[str]).decode

Row = tuple[Any, ...]
NUM_PLAIN = 23  # columns that every row binds; attempts, dropped, task and large_cost_nanos come after them


def record_row(record: Record) -> Row:
    """In the order of the table's columns; only the first `NUM_PLAIN` if the others would be NULL.

    Whole numbers stand for booleans, and NULLs are left out, since the driver is slow to bind either.
    """
    usage = record.usage
    sent_us = answered_us = told = None
    attempts = record.attempts
    if len(attempts) == 1 and _repeats(attempts[0], record):
        sent_us, answered_us = attempts[0].started_us, attempts[0].ended_us
    elif attempts:
        told = _encode(attempts).decode()
    row = (
        record.id,
        record.started_ms,
        record.key_id,
        record.api,
        record.model,
        record.deployment,
        record.served_model,
        record.status,
        record.outcome,
        1 if record.is_stream else 0,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        1 if usage.is_estimated else 0,
        record.cost_nanos,
        record.charge_nanos,
        record.first_token_us,
        record.total_us,
        record.price_row,
        sent_us,
        answered_us,
    )
    if told is None and not record.dropped and not record.task:
        return row
    dropped = _encode(record.dropped).decode() if record.dropped else None
    return (*row, told, dropped, record.task, record.large_cost_nanos)


def _repeats(attempt: Attempt, record: Record) -> bool:
    return (
        not attempt.reason
        and not attempt.is_probe
        and attempt.status == record.status
        and attempt.first_token_us == record.first_token_us
        and attempt.cost_nanos == record.cost_nanos
        and attempt.deployment == record.deployment
        and attempt.usage == record.usage
    )


def row_record(row: Sequence[Any]) -> Record:
    """The record of a row that has all the table's columns."""
    usage = Usage(row[10], row[11], row[12], row[13], row[14], bool(row[15]))
    attempts: list[Attempt] = []
    if row[23] is not None:
        attempts = _decode_attempts(row[23])
    elif row[21] is not None:
        attempts = [Attempt(row[5], row[7], "", row[21], row[18], row[22], row[16], usage)]
    return Record(
        id=row[0],
        started_ms=row[1],
        key_id=row[2],
        api=row[3],
        model=row[4],
        deployment=row[5],
        served_model=row[6],
        status=row[7],
        outcome=row[8],
        is_stream=bool(row[9]),
        usage=usage,
        cost_nanos=row[16],
        charge_nanos=row[17],
        first_token_us=row[18],
        total_us=row[19],
        attempts=attempts,
        price_row=row[20],
        dropped=_decode_texts(row[24]) if row[24] is not None else [],
        task=row[25],
        large_cost_nanos=row[26],
    )
