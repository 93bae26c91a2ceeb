"""Linear classifiers fitted to the minimum of their loss, by L-BFGS (Liu & Nocedal 1989)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

LOGISTIC_COST = 10.0  # C: what a wrong answer costs beside large weights
MAX_STEPS = 200


def logistic(rows: Tensor, targets: Tensor, labels: int) -> Tensor:
    """Weights (labels, inputs) of multinomial logistic regression, ridge and all; `rows` (texts, inputs)."""

    def loss(weights: Tensor) -> Tensor:
        missed = F.cross_entropy(rows @ weights.T, targets, reduction="sum")
        return 0.5 * (weights**2).sum() + LOGISTIC_COST * missed

    return minimised(loss, rows.shape[1], labels)


def with_ones(rows: Tensor) -> Tensor:
    """With a last column for the bias."""
    return F.pad(rows, (0, 1), value=1.0)


def minimised(loss: Callable[[Tensor], Tensor], inputs: int, labels: int) -> Tensor:
    """Weights (labels, inputs) where a convex loss is least, from zero on."""
    weights = torch.zeros(labels, inputs, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=MAX_STEPS, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(weights)
        torch.autograd.backward(value)
        return value

    step: Callable[[Callable[[], Tensor]], object] = optimizer.step  # its types are not given
    step(closure)
    return weights.detach()
