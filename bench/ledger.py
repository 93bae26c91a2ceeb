"""What the ledger costs: CPU microseconds per record of each step, on a real file.

    .venv/bin/python bench/ledger.py [--records N] [--batch N] [--folder DIR]

CPU time is that of the whole process (user and system), so checkpoints count; wall time shows the disk.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from wicket.accounts.record import Attempt, Record, Usage
from wicket.accounts.request_ids import RequestIds
from wicket.accounts.usage_rows import rollup
from wicket.store import sqlite
from wicket.store.bulk import Bulk
from wicket.store.contract import RecordFilter
from wicket.store.rows import record_row
from wicket.store.sqlite import SqliteStore
from wicket.telemetry.metrics import Gauges, Metrics

START_MS = 1_780_000_000_000


def made(number: int) -> list[Record]:
    """Records like those of a busy minute: 20 keys, 4 models, mostly one attempt, some with a fallback."""
    ids = RequestIds(1)
    records = []
    for place in range(number):
        model = f"model-{place % 4}"
        usage = Usage(600 + place % 50, 120, 512 if place % 3 == 0 else 0)
        attempts = [Attempt(f"provider/{model}", 200, "", 60, 9_000, 90_000, 52_000, usage)]
        if place % 50 == 0:
            attempts.insert(0, Attempt("other/first-choice", 503, "upstream_5xx", 55, -1, 3_000))
        records.append(
            Record(
                id=ids.next(START_MS + place // 5),
                started_ms=START_MS + place // 5,
                key_id=1 + place % 20,
                api="chat.completions",
                model=model,
                deployment=f"provider/{model}",
                served_model=f"{model}-2026-01-01",
                status=200,
                outcome="ok",
                is_stream=place % 2 == 0,
                usage=usage,
                cost_nanos=52_000,
                charge_nanos=57_200,
                first_token_us=9_000,
                total_us=90_100,
                attempts=attempts,
                price_row=f"provider/{model}@2026-01-01",
                payer=f"credit:team:{place % 5}",
            )
        )
    return records


def batches(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    return [records[start : start + size] for start in range(0, len(records), size)]


def each(work: Callable[[Any], object], items: Sequence[Any]) -> None:
    for item in items:
        work(item)


def timed(work: Callable[[], object], number: int) -> tuple[float, float]:
    """(CPU, wall) microseconds per record."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return (time.process_time() - cpu) * 1e6 / number, (time.perf_counter() - wall) * 1e6 / number


def one_by_one(connection: sqlite3.Connection, statement: Bulk, rows: Sequence[Sequence[Any]]) -> int:
    """Rows inserted with a statement each."""
    return connection.executemany(statement.one, rows).rowcount if rows else 0


@contextmanager
def without_transfers(insert: Callable[..., int]) -> Iterator[None]:
    """While it runs, stores keep records and daily sums only: what the ledger's part costs is the rest."""
    before = sqlite.post_records, sqlite.insert
    sqlite.post_records, sqlite.insert = lambda connection, fresh: None, insert
    try:
        yield
    finally:
        sqlite.post_records, sqlite.insert = before


def insert_us(parts: Sequence[Sequence[Record]], folder: Path) -> float:
    """CPU microseconds per record of inserting into a new store."""
    with closing(SqliteStore(folder / f"{time.monotonic_ns()}.db")) as store:
        return timed(lambda: each(store.insert_records, parts), sum(map(len, parts)))[0]


def measure(records: Sequence[Record], size: int, folder: Path) -> dict[str, float]:
    """One round of every step; the store is new."""
    parts = batches(records, size)
    number = len(records)
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(list[Record])
    coded = [encoder.encode(part) for part in parts]
    metrics = Metrics()
    gc.collect()
    gc.freeze()  # the records made here would weigh on every collection, those of a server are gone by then
    found: dict[str, float] = {
        "decode_us": timed(lambda: each(decoder.decode, coded), number)[0],
        "rows_us": timed(lambda: each(record_row, records), number)[0],
        "rollup_us": timed(lambda: each(rollup, parts), number)[0],
        "metrics_us": timed(lambda: each(metrics.observe, parts), number)[0],
    }
    with without_transfers(sqlite.insert):
        found["insert_without_transfers_us"] = insert_us(parts, folder)
    with without_transfers(one_by_one):
        found["insert_row_by_row_without_transfers_us"] = insert_us(parts, folder)
    found["render_ms"] = timed(lambda: metrics.render(Gauges()), 1)[0] / 1_000
    path = folder / f"{time.monotonic_ns()}.db"
    with closing(SqliteStore(path)) as store:
        found["insert_us"], found["insert_wall_us"] = timed(lambda: each(store.insert_records, parts), number)
        num_known = sum(map(len, parts[:20]))
        found["insert_known_us"] = timed(lambda: each(store.insert_records, parts[:20]), num_known)[0]
        found["usage_all_ms"] = timed(lambda: store.usage(["day", "key", "model"]), 1)[1] / 1_000
        found["usage_edge_ms"] = timed(lambda: store.usage(["key"], since_ms=START_MS + 1), 1)[1] / 1_000
        found["newest_100_ms"] = timed(lambda: store.records(RecordFilter()), 1)[1] / 1_000
        found["backup_ms"] = timed(lambda: store.backup(path.with_suffix(".copy")), 1)[1] / 1_000
    found["bytes_per_record"] = path.stat().st_size / number
    found["message_bytes_per_record"] = sum(map(len, coded)) / number
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    records = made(options.records)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rounds = [measure(records, options.batch, Path(folder)) for _ in range(options.rounds)]
    median = {name: round(statistics.median(one[name] for one in rounds), 2) for name in rounds[0]}
    facts = {
        "records": options.records,
        "batch": options.batch,
        "rounds": options.rounds,
        "cpus": os.cpu_count(),
    }
    print(json.dumps({**facts, "median": median}, indent=2))


if __name__ == "__main__":
    main()
