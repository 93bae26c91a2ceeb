"""What the router costs: time to judge one request, by its size. `python bench/router.py`.

Thread time of one core, over the sample of tests/data/router and over texts of a given length.
"""

from __future__ import annotations

import csv
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from wicket.minis.question import question_of
from wicket.minis.router import shipped
from wicket.minis.suitability import BUILT_IN_KINDS, suitability

SAMPLE = Path(__file__).parents[1] / "tests" / "data" / "router"
SIZES = (100, 1_000, 6_000, 100_000, 1_000_000)
REPEATS = 300


def main() -> None:
    """Print one JSON document: microseconds, median and 99th percentile."""
    router = shipped()
    found = {}
    for name, texts in _cases():
        times = []
        for at in range(max(REPEATS, len(texts))):
            text = texts[at % len(texts)]
            start = time.thread_time_ns()
            suitability(router, BUILT_IN_KINDS, question_of(text))
            times.append((time.thread_time_ns() - start) / 1_000)
        times.sort()
        found[name] = {
            "p50_us": round(statistics.median(times)),
            "p99_us": round(times[int(0.99 * len(times))]),
        }
    print(json.dumps(found, indent=2))


def _cases() -> Iterator[tuple[str, list[str]]]:
    texts = []
    for path in sorted(SAMPLE.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            texts += [row[0] for row in list(csv.reader(file))[1:]]
    yield "MMLU questions (240, median 320 characters)", texts
    prose = "\n\n".join(texts)
    for size in SIZES:
        yield f"{size:,} characters", [(prose * (1 + size // len(prose)))[:size]]


if __name__ == "__main__":
    main()
