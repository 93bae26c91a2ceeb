"""What is measured of a classifier beside its accuracy: how it orders requests, and how long one takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from wicket.engines import minilm
from wicket.engines.contract import Classify

LEAST_TEXTS = 2  # of which percentiles can be taken


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of one request after the other, with one thread: wall time, which other work on the
    machine lengthens, and the processor's."""

    num: int
    wall_ms_p50: float
    wall_ms_p99: float
    cpu_ms_p50: float
    cpu_ms_p99: float


def speed(folder: Path, texts: Sequence[str]) -> Speed:
    """Of an exported folder in the engine that will serve it, one text (of at least two) at a time."""
    if len(texts) < LEAST_TEXTS:
        raise ValueError("one text has no percentiles")
    engine = minilm.load(folder, threads=1, cache_dir=None)
    walls, cpus = [], []
    try:
        for number, text in enumerate(texts):
            wall, cpu = time.perf_counter(), time.process_time()
            engine.submit(Classify(number + 1, [text], 1))
            engine.step()
            walls.append(1e3 * (time.perf_counter() - wall))
            cpus.append(1e3 * (time.process_time() - cpu))
    finally:
        engine.close()
    wall_cuts, cpu_cuts = statistics.quantiles(walls, n=100), statistics.quantiles(cpus, n=100)
    return Speed(
        num=len(texts),
        wall_ms_p50=wall_cuts[49],
        wall_ms_p99=wall_cuts[98],
        cpu_ms_p50=cpu_cuts[49],
        cpu_ms_p99=cpu_cuts[98],
    )


def area(scores: Sequence[float], positive: Sequence[bool]) -> float | None:
    """Area under the ROC curve, ties counted half; None unless there are both kinds."""
    values, is_positive = np.asarray(scores), np.asarray(positive, dtype=np.bool_)
    if is_positive.all() or not is_positive.any():
        return None
    ordered = np.sort(values[~is_positive])
    below = np.searchsorted(ordered, values[is_positive], "left")
    up_to = np.searchsorted(ordered, values[is_positive], "right")
    return float(((below + up_to) / 2).mean() / len(ordered))
