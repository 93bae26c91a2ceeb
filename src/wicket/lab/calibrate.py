"""From evidence and outcomes on a validation slice to a calibration: logistic regression and a curve.

Newton's method on the penalised likelihood (ridge 1 on standardised evidence), with Platt's smoothed targets
(Platt 1999) so that a slice that is all right does not give certainty.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.errors import CallerFault
from wicket.minis.confidence import Calibration, confidence, interval, points_of

RIDGE = 1.0
NUM_FOLDS = 10
_STEPS = 50
_BINS = 10

Floats = NDArray[np.float64]


def calibrate(
    evidence: Sequence[Sequence[float]],
    is_right: Sequence[bool],
    num: int,
    weights: Sequence[float] = (),
) -> Calibration:
    """The calibration that maps evidence to the probability of being right.

    `num` is the size of the slice, answers included that are broken and so never taken; `weights` say how
    often each answer counts, once if left out. The curve is made of confidences that each come from a fit to
    the other folds: a fit flatters the data that it was made of.
    Raises `CallerFault` if nothing is left to learn from.
    """
    if not evidence:
        message = "Not one answer of the validation slice could be given: the mini has learned nothing."
        raise CallerFault("nothing_learned", message)
    rows = np.asarray(evidence, dtype=np.float64)
    right = np.asarray(is_right, dtype=np.bool_)
    counts = np.asarray(weights or [1.0] * len(rows), dtype=np.float64)
    found = _fit(rows, right, counts, num)
    confidences = np.zeros(len(rows))
    for fold in range(NUM_FOLDS):
        held = np.arange(len(rows)) % NUM_FOLDS == fold
        is_part = 0 < held.sum() < len(rows)
        fitted = _fit(rows[~held], right[~held], counts[~held], num) if is_part else found
        confidences[held] = [confidence(fitted, row) for row in rows[held].tolist()]
    return msgspec.structs.replace(found, points=points_of(confidences.tolist(), is_right, counts.tolist()))


def _fit(rows: Floats, right: NDArray[np.bool_], counts: Floats, num: int) -> Calibration:
    means = np.average(rows, axis=0, weights=counts)
    deviations = np.sqrt(np.average((rows - means) ** 2, axis=0, weights=counts))
    deviations[deviations < 1e-9] = 1.0
    num_right, num_all = float(counts[right].sum()), float(counts.sum())
    smoothed = np.where(right, (num_right + 1) / (num_right + 2), 1 / (num_all - num_right + 2))
    weights = _logistic((rows - means) / deviations, smoothed, counts)
    return Calibration(means.tolist(), deviations.tolist(), weights[1:].tolist(), float(weights[0]), num)


def _logistic(rows: Floats, targets: Floats, counts: Floats) -> Floats:
    """Bias and weights by Newton's method."""
    x = np.hstack([np.ones((len(rows), 1)), rows])
    penalty = np.full(x.shape[1], RIDGE)
    penalty[0] = 1e-6
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -60, 60)))
        gradient = x.T @ (counts * (p - targets)) + penalty * weights
        curvature = (x * (counts * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def reliability(confidences: Sequence[float], is_right: Sequence[bool]) -> dict[str, object]:
    """How well confidence says how often one is right: Brier score, expected calibration error, its bins."""
    claimed, right = np.asarray(confidences), np.asarray(is_right, dtype=np.float64)
    edges = np.minimum((claimed * _BINS).astype(int), _BINS - 1)
    bins, error = [], 0.0
    for index in range(_BINS):
        chosen = edges == index
        count = int(chosen.sum())
        if count:
            mean, share = float(claimed[chosen].mean()), float(right[chosen].mean())
            low, high = interval(int(right[chosen].sum()), count)
            bins.append({"claimed": mean, "right": share, "num": count, "low": low, "high": high})
            error += abs(mean - share) * count / len(right)
    brier = float(((claimed - right) ** 2).mean()) if len(right) else 0.0
    return {"brier": brier, "calibration_error": error, "bins": bins}
