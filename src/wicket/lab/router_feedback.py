"""Learns a correction from feedback: logistic regression whose prior is what the router and the card say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from wicket.lab.router_data import Feedback, Floats
from wicket.lab.router_figures import brier
from wicket.lab.router_fit import fit_linear
from wicket.minis.capability import KindScore
from wicket.minis.correction import Correction, limited
from wicket.minis.router import Router
from wicket.minis.signals import signals
from wicket.minis.suitability import suitability

LEAST_FEEDBACK = 20
RIDGE = 30.0  # a weight of 0.3 is as dear as one and a half answers of surprise
_FLOOR = 0.01  # what was never measured starts here, so that feedback can raise it
_FOLDS = 5


def fit_correction(
    router: Router, kinds: Mapping[str, KindScore], feedback: Feedback, model: str, created_ms: int
) -> tuple[Correction, dict[str, Any]]:
    """The correction on all feedback, and its figures on feedback that it was not fitted on."""
    matrix = np.array([limited(router, signals(question)) for question in feedback.questions])
    before = np.array([suitability(router, kinds, question).chance for question in feedback.questions])
    offsets = np.array([_logit(chance) for chance in before])
    scores = np.array(feedback.scores)
    weights, bias = fit_linear(matrix, scores, offsets, RIDGE)
    after = _held_out(matrix, scores, offsets)
    correction = Correction(
        model=model,
        created_ms=created_ms,
        names=router.names,
        weights=[round(weight, 5) for weight in weights.tolist()],
        bias=round(bias, 5),
        num_feedback=len(scores),
    )
    figures = {
        "feedback": len(scores),
        "mean_score": round(float(scores.mean()), 4),
        "brier_before": round(brier(before, scores), 4),
        "brier_after": round(brier(after, scores), 4),
    }
    return correction, figures


def _held_out(matrix: Floats, scores: Floats, offsets: Floats) -> Floats:
    fold = np.arange(len(scores)) % _FOLDS
    said = np.zeros(len(scores))
    for number in range(_FOLDS):
        held = fold == number
        weights, bias = fit_linear(matrix[~held], scores[~held], offsets[~held], RIDGE)
        said[held] = 1 / (1 + np.exp(-(offsets[held] + matrix[held] @ weights + bias)))
    return said


def _logit(chance: float) -> float:
    inside = min(1 - _FLOOR, max(_FLOOR, chance))
    return math.log(inside / (1 - inside))
