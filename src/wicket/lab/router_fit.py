"""Fits a router's judges: a linear model by Newton's method and boosted trees, averaged in logits.

Logistic regression with a ridge, and gradient boosting with second-order steps (Friedman 2001; Chen and
Guestrin 2016) on binned signals. The two err in different ways; their mean is better than either.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.lab.router_data import Flags, Floats, Results
from wicket.minis.router import LIMIT, Judge, Router, Source, Tree

Ints = NDArray[np.int64]
NO_SPLIT = 1e300
_BINS = 32
_NEWTON_STEPS = 10


class Recipe(msgspec.Struct, frozen=True):
    """How judges are fitted. `seed` decides which rows and signals each tree sees."""

    ridge: float = 300.0
    num_trees: int = 300
    depth: int = 3
    rate: float = 0.03
    tree_ridge: float = 20.0
    least_rows: int = 60
    row_share: float = 0.5
    signal_share: float = 0.2
    linear_share: float = 1 / 3  # of the linear model in the mean of logits
    seed: int = 0


def fit_router(results: Results, recipe: Recipe) -> Router:
    """Both judges on all rows. `typical` is filled in from what they say of these rows."""
    means = results.values.mean(0)
    deviations = results.values.std(0)
    deviations[deviations < 1e-6] = 1.0
    scaled = np.clip((results.values - means) / deviations, -LIMIT, LIMIT)
    small, large = (
        fit_judge(results.values, scaled, right, recipe) for right in (results.small, results.large)
    )
    source = Source(
        name="RouteLLM, routellm/evals/mmlu/responses",
        licence="Apache-2.0",
        small=results.models[0],
        large=results.models[1],
        num_rows=len(results.small),
        num_subjects=len(set(results.subjects.tolist())),
        sha256=results.sha256,
        seed=recipe.seed,
    )
    router = Router(
        names=results.names,
        means=means.tolist(),
        deviations=deviations.tolist(),
        small=small,
        large=large,
        source=source,
    )
    return msgspec.structs.replace(router, typical=_typical(router, results))


def logits(judge: Judge, values: Floats, scaled: Floats) -> Floats:
    """`minis.router.judged` for many rows at once."""
    grown = np.full(len(values), judge.base)
    for tree in judge.trees:
        node = np.zeros(len(values), dtype=np.int64)
        signals, thresholds = np.array(tree.signals), np.array(tree.thresholds)
        while node[0] < len(signals):
            right = values[np.arange(len(values)), signals[node]] > thresholds[node]
            node = 2 * node + 1 + right
        grown += np.array(tree.leaves)[node - len(signals)]
    linear = judge.bias + scaled @ np.array(judge.weights)
    mean = judge.linear_share * linear + (1 - judge.linear_share) * grown
    total: Floats = judge.offset + judge.slope * mean
    return total


def chances(router: Router, values: Floats) -> tuple[Floats, Floats]:
    """What the router says of many rows: the chances of the small and of the large model."""
    scaled = np.clip((values - np.array(router.means)) / np.array(router.deviations), -LIMIT, LIMIT)
    return _chance(logits(router.small, values, scaled)), _chance(logits(router.large, values, scaled))


def fit_judge(values: Floats, scaled: Floats, right: Flags, recipe: Recipe) -> Judge:
    """One model's judge."""
    weights, bias = fit_linear(scaled, right.astype(np.float64), np.zeros(len(right)), recipe.ridge)
    share = float(right.mean())
    base = float(np.log(share / (1 - share)))
    trees = list(_Forest(values, right.astype(np.float64), recipe).grow(base))
    return Judge(
        weights=weights.tolist(), bias=bias, base=base, trees=trees, linear_share=recipe.linear_share
    )


def fit_linear(scaled: Floats, targets: Floats, offsets: Floats, ridge: float) -> tuple[Floats, float]:
    """Weights and bias of logistic regression on top of `offsets` (logits); the bias is free.

    Targets may be any shares from 0 to 1.
    """
    matrix = np.column_stack([scaled, np.ones(len(scaled))])
    penalty = np.full(matrix.shape[1], ridge)
    penalty[-1] = 1e-3
    found = np.zeros(matrix.shape[1])
    for _ in range(_NEWTON_STEPS):
        share = _chance(offsets + matrix @ found)
        slope = matrix.T @ (share - targets) + penalty * found
        curve = (matrix * (share * (1 - share))[:, None]).T @ matrix + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        found -= step * min(1.0, 4.0 / max(1e-12, float(np.abs(step).max())))
    return found[:-1], float(found[-1])


def _chance(values: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(values, -30.0, 30.0)))
    return found


def _typical(router: Router, results: Results) -> dict[str, float]:
    difficulty = -np.log(chances(router, results.values)[0] / (1 - chances(router, results.values)[0]))
    kinds = np.array(results.kinds)
    found = {kind: float(difficulty[kinds == kind].mean()) for kind in sorted(set(results.kinds))}
    return {"": float(difficulty.mean())} | found


class _Forest:
    """Grows boosted trees on binned signals."""

    def __init__(self, values: Floats, targets: Floats, recipe: Recipe) -> None:
        self._recipe = recipe
        self._targets = targets
        quantiles = np.linspace(0, 1, _BINS)[1:-1]
        self._edges = [np.unique(np.quantile(column, quantiles)) for column in values.T]
        bins = [
            np.searchsorted(edges, column, "left")
            for edges, column in zip(self._edges, values.T, strict=True)
        ]
        self._bins: Ints = np.column_stack(bins)

    def grow(self, base: float) -> Iterator[Tree]:
        """One tree after the other, each on what the ones before left."""
        recipe, (rows, signals) = self._recipe, self._bins.shape
        random = np.random.default_rng(recipe.seed)
        logit = np.full(rows, base)
        for _ in range(recipe.num_trees):
            share = _chance(logit)
            seen: Flags = np.less(random.random(rows), recipe.row_share)
            chosen = np.sort(
                random.choice(signals, max(1, int(signals * recipe.signal_share)), replace=False)
            )
            tree, added = self._tree(share - self._targets, share * (1 - share), seen, chosen)
            logit += added
            yield tree

    def _tree(self, slope: Floats, curve: Floats, seen: Flags, chosen: Ints) -> tuple[Tree, Floats]:
        recipe = self._recipe
        num_splits = 2**recipe.depth - 1
        signals, thresholds = [0] * num_splits, [NO_SPLIT] * num_splits
        node = np.zeros(len(slope), dtype=np.int64)
        for at in range(num_splits):
            here = node == at
            split = self._split(slope, curve, np.flatnonzero(here & seen), chosen)
            if split is None:
                node[here] = 2 * at + 1
                continue
            signal, bin = split
            signals[at], thresholds[at] = signal, float(self._edges[signal][bin])
            node[here] = 2 * at + 1 + (self._bins[here, signal] > bin)
        leaves = [0.0] * (num_splits + 1)
        for leaf in range(num_splits + 1):
            mine = (node == num_splits + leaf) & seen
            leaves[leaf] = float(-recipe.rate * slope[mine].sum() / (curve[mine].sum() + recipe.tree_ridge))
        return Tree(signals, thresholds, leaves), np.array(leaves)[node - num_splits]

    def _split(self, slope: Floats, curve: Floats, rows: Ints, chosen: Ints) -> tuple[int, int] | None:
        """The signal and the last bin of the left side that gain most; None if nothing is gained."""
        least, ridge = self._recipe.least_rows, self._recipe.tree_ridge
        if len(rows) < 2 * least:
            return None
        size = len(chosen) * _BINS
        flat = (self._bins[np.ix_(rows, chosen)] + np.arange(len(chosen)) * _BINS).ravel()

        def sums(weights: Floats | None) -> Floats:
            each = None if weights is None else np.repeat(weights[rows], len(chosen))
            found: Floats = np.bincount(flat, each, size).reshape(-1, _BINS).cumsum(1)
            return found

        g, h, n = sums(slope), sums(curve), sums(None)
        all_g, all_h, all_n = g[:, -1:], h[:, -1:], n[:, -1:]
        gain = g**2 / (h + ridge) + (all_g - g) ** 2 / (all_h - h + ridge) - all_g**2 / (all_h + ridge)
        gain[(n < least) | (all_n - n < least)] = -1.0
        best = int(gain.argmax())
        if gain.flat[best] <= 0.1:
            return None
        return int(chosen[best // _BINS]), best % _BINS
