"""What a router is worth: strong calls for a quality, the areas under its curve, and how calibrated it is.

CPT and APGR are RouteLLM's measures (Ong et al. 2024): the performance gap recovered, PGR, is 0 where the
small model answers everything and 1 where the large one does. CPT(50 %) is the share of strong calls at
which half of the gap is recovered, APGR the mean of PGR over all shares.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.lab.router_data import Flags, Floats, Results
from wicket.lab.router_fit import Ints, Recipe, chances, fit_router

Texts = NDArray[np.str_]
QUALITY = 0.95
_BINS = 10
_DRAWS = 20


class Figures(msgspec.Struct, frozen=True):
    """Shares of strong calls (0 to 1) at 95 % of the large model's quality and at 50 % and 80 % PGR; APGR."""

    calls: float
    cpt50: float
    cpt80: float
    apgr: float


class Folds(msgspec.Struct, frozen=True):
    """One round of leaving subjects out: what a router that saw none of its subject said of each row."""

    small: Floats
    large: Floats
    fold: Ints


def figures(score: Floats, small: Flags, large: Flags) -> Figures:
    """The higher the score, the sooner a row goes to the large model."""
    order = np.argsort(-score, kind="stable")
    gained = np.concatenate([[0], np.cumsum(large[order].astype(int) - small[order].astype(int))])
    right = small.sum() + gained
    gap = gained / max(1, int(large.sum()) - int(small.sum()))

    def first(reached: Flags) -> float:
        return float(np.argmax(reached)) / len(small) if reached.any() else 1.0

    return Figures(
        calls=first(right >= QUALITY * large.sum() - 1e-9),
        cpt50=first(gap >= 0.5 - 1e-12),
        cpt80=first(gap >= 0.8 - 1e-12),
        apgr=float(np.trapezoid(gap, dx=1 / len(small))),
    )


def folds_of(subjects: Texts, count: int, seed: int) -> Ints:
    """A fold for each row: whole subjects, drawn at random, each into the smallest fold so far."""
    names, sizes = np.unique(subjects, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    filled = np.zeros(count, dtype=np.int64)
    fold = {}
    for at in order:
        fold[names[at]] = int(filled.argmin())
        filled[fold[names[at]]] += sizes[at]
    return np.array([fold[name] for name in subjects])


def leave_subjects_out(results: Results, recipe: Recipe, num_folds: int, seed: int) -> Folds:
    """Fit a router for each fold on the others' subjects, and let it judge the fold."""
    fold = folds_of(results.subjects, num_folds, seed)
    small, large = np.zeros(len(fold)), np.zeros(len(fold))
    for number in range(num_folds):
        held = fold == number
        router = fit_router(results.part(~held), recipe)
        small[held], large[held] = chances(router, results.values[held])
    return Folds(small, large, fold)


def brier(said: Floats, right: Flags) -> float:
    """The mean squared error of probabilities."""
    return float(np.mean((said - right) ** 2))


def calibration_error(said: Floats, right: Flags) -> float:
    """ECE over ten bins of equal size: how far what is said is from what happens, on average."""
    bins = np.array_split(np.argsort(said, kind="stable"), _BINS)
    return float(
        sum(len(rows) * abs(said[rows].mean() - right[rows].mean()) for rows in bins if len(rows))
    ) / len(said)


def baselines(results: Results) -> Iterator[tuple[str, Figures]]:
    """Random, by length, and two that know what no router can: each row's, and each subject's, mean gain."""
    draws = [np.random.default_rng(seed).random(len(results.small)) for seed in range(_DRAWS)]
    noise = draws[0]
    gain = results.large.astype(np.float64) - results.small
    by_subject = {name: gain[results.subjects == name].mean() for name in np.unique(results.subjects)}
    subject_gain = np.array([by_subject[name] for name in results.subjects])
    length = results.values[:, results.names.index("characters")]
    yield "random", _mean([figures(draw, results.small, results.large) for draw in draws])
    for name, score in (
        ("long questions first", length + 1e-9 * noise),
        ("oracle of subjects", subject_gain + 1e-9 * noise),
        ("oracle", gain + 1e-9 * noise),
    ):
        yield name, figures(score, results.small, results.large)


def _mean(drawn: list[Figures]) -> Figures:
    names = Figures.__struct_fields__
    return Figures(*(float(np.mean([getattr(each, name) for each in drawn])) for name in names))
