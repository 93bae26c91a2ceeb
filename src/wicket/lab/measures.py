"""What an answer is worth beside the expected one, by name, and how much of the teacher's worth is kept.

Pure. A measure takes (expected, given) and returns a number, 1 for an answer that is as good as the expected
one and less for others. Another one is a function and its rows in `MEASURES` and `SAID`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.lab.shell_words import command_score, flags_score
from wicket.minis.paired import difference

Measure = Callable[[str, str], float]
Floats = NDArray[np.float64]
MEASURES: dict[str, Measure] = {"command": command_score, "flags": flags_score}
RESAMPLES = 4_000
SEED = 1_979
SAID = {
    "exact": "of exact answers",
    "command": "the utility right, then F1 of the other words",
    "flags": "of NLC2CMD, over utilities and flags",
}


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """Mean scores of both sides over the same requests; `kept` the student's in parts of the teacher's,
    `gain` the difference; both with 95 % intervals by the paired bootstrap over requests (Efron 1979)."""

    teacher: float
    student: float
    kept: tuple[float, float, float]
    gain: tuple[float, float, float]


def worth(teacher: Sequence[float], student: Sequence[float]) -> Worth:
    """Of the scores of two models on the same requests. Of a teacher worth nothing, nothing is kept."""
    theirs, ours = np.array(teacher, dtype=float), np.array(student, dtype=float)
    gain = difference(list(teacher), list(student))
    return Worth(
        teacher=float(theirs.mean()),
        student=float(ours.mean()),
        kept=_kept(theirs, ours),
        gain=(gain.mean, gain.low, gain.high),
    )


def _kept(theirs: Floats, ours: Floats) -> tuple[float, float, float]:
    if theirs.mean() <= 0:
        return (0.0, 0.0, 0.0)
    chance = np.random.default_rng(SEED)
    drawn = [chance.integers(len(theirs), size=len(theirs)) for _ in range(RESAMPLES)]
    ratios = [ours[places].mean() / max(theirs[places].mean(), 1e-9) for places in drawn]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return (float(ours.mean() / theirs.mean()), float(low), float(high))
