"""The figures of a router as one document: over folds and seeds with intervals, or on other results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from wicket.lab.router_data import Flags, Floats, Results
from wicket.lab.router_figures import (
    Figures,
    baselines,
    brier,
    calibration_error,
    figures,
    leave_subjects_out,
)
from wicket.lab.router_fit import Recipe, chances
from wicket.minis.router import Judge, Router, Tree

_RESAMPLES = 400
_DIGITS = 5


def cross_validated(results: Results, recipe: Recipe, num_folds: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Whole subjects left out, once per seed. Intervals are 95 %, over subjects drawn anew (bootstrap)."""
    rounds = []
    means = np.zeros(len(results.small))
    for seed in seeds:
        said = leave_subjects_out(results, recipe, num_folds, seed)
        rounds.append(_round(said.small, said.large, results))
        means += (said.large - said.small) / len(seeds)
    return {
        **_facts(results),
        "folds": num_folds,
        "seeds": list(seeds),
        "router": {name: _spread([each[name] for each in rounds]) for name in rounds[0]},
        "interval_over_subjects": _bootstrap(means, results),
        "baselines": _baselines(results),
    }


def scored(router: Router, results: Results) -> dict[str, Any]:
    """A router on results that it was, or was not, learned from: `same_source` says which."""
    small, large = chances(router, results.values)
    return {
        **_facts(results),
        "same_source": results.sha256 == router.source.sha256,
        "router": {name: round(value, 4) for name, value in _round(small, large, results).items()},
        "interval_over_subjects": _bootstrap(large - small, results),
        "baselines": _baselines(results),
    }


def rounded(router: Router) -> Router:
    """The same router with five digits: a third of the bytes, and no figure changes."""

    def judge(one: Judge) -> Judge:
        trees = [Tree(tree.signals, _short(tree.thresholds), _short(tree.leaves)) for tree in one.trees]
        return msgspec.structs.replace(one, weights=_short(one.weights), trees=trees)

    return msgspec.structs.replace(router, small=judge(router.small), large=judge(router.large))


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.{_DIGITS + 1}g}") for value in values]


def _facts(results: Results) -> dict[str, Any]:
    return {
        "rows": len(results.small),
        "subjects": len(set(results.subjects.tolist())),
        "sha256": results.sha256,
        "small": {"name": results.models[0], "right": round(float(results.small.mean()), 4)},
        "large": {"name": results.models[1], "right": round(float(results.large.mean()), 4)},
    }


def _round(small: Floats, large: Floats, results: Results) -> dict[str, float]:
    by_gain = figures(large - small, results.small, results.large)
    by_small = figures(-small, results.small, results.large)
    return {
        **msgspec.structs.asdict(by_gain),
        "calls_by_small_alone": by_small.calls,
        "apgr_by_small_alone": by_small.apgr,
        "ece_small": calibration_error(small, results.small),
        "ece_large": calibration_error(large, results.large),
        "brier_small": brier(small, results.small),
        "brier_of_share": brier(np.full(len(small), results.small.mean()), results.small),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Mean over seeds with its least and most."""
    return {
        "mean": round(math.fsum(values) / len(values), 4),
        "low": round(min(values), 4),
        "high": round(max(values), 4),
    }


def _bootstrap(score: Floats, results: Results) -> Mapping[str, tuple[float, float]]:
    """Subjects drawn with replacement, so that what they have in common counts once."""
    random = np.random.default_rng(0)
    groups = [np.flatnonzero(results.subjects == name) for name in np.unique(results.subjects)]
    found: list[Figures] = []
    for _ in range(_RESAMPLES):
        rows = np.concatenate([groups[at] for at in random.integers(0, len(groups), len(groups))])
        found.append(figures(score[rows], _at(results.small, rows), _at(results.large, rows)))
    return {name: _between([getattr(each, name) for each in found]) for name in Figures.__struct_fields__}


def _at(flags: Flags, rows: Any) -> Flags:
    picked: Flags = flags[rows]
    return picked


def _between(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(np.array(values), (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def _baselines(results: Results) -> dict[str, dict[str, float]]:
    return {
        name: {key: round(value, 4) for key, value in msgspec.structs.asdict(each).items()}
        for name, each in baselines(results)
    }
