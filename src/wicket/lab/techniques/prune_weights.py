"""Unstructured pruning: the least important weights of each row, or of each matrix, become zero.

By magnitude, or by magnitude times the norm of what the weight reads (Wanda, Sun et al. 2024), measured layer
by layer on what the pruned layers before it give, as the paper's own code does (locuslab/wanda,
`lib/prune.py`). There Wanda compares the weights of a row and its baseline, magnitude, those of a matrix.
`pattern` "2:4" leaves two of any four neighbours. No CPU kernel that we know makes such a model faster, and
no format makes it smaller: it is for research, and the report says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import msgspec
import torch
from torch import Tensor, nn

from wicket.errors import OperatorFault
from wicket.lab.listening import input_norms, starts
from wicket.lab.llama import MATRICES, Layer, Llama
from wicket.lab.material import Material

NEEDS = frozenset({"calibration"})
NOTE = "Zeros among weights make no model faster or smaller on a CPU: formats and kernels ignore them."


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`share` of the weights of each `among` becomes zero; with a `pattern` like "2:4" the pattern decides.

    `is_kept`: zeros stay zeros through later training.
    """

    by: Literal["magnitude", "wanda"] = "wanda"
    share: float = 0.5
    among: Literal["row", "matrix"] = "row"
    pattern: str = ""
    is_kept: bool = True


class Report(msgspec.Struct, frozen=True):
    """The share of the layers' weights that are zero now."""

    zeros: float
    note: str = NOTE


class Mask(nn.Module):
    """Zeros that stay."""

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        self.register_buffer("kept", kept, persistent=False)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight without what was pruned."""
        return weight * self.kept


def apply(model: Llama, options: Options, material: Material) -> Report:
    """Prune every matrix of the layers, in place. Raises `OperatorFault` for a bad share or pattern."""
    model.settle()
    keep_of = _rule(options)
    zeros = total = 0
    with torch.no_grad():
        states = starts(model, material.calibration) if options.by == "wanda" else []
        for layer in model.layers:
            assert isinstance(layer, Layer)
            norms = input_norms(model, layer, states)
            for name in MATRICES:
                weight = layer.parts[name]
                kept = keep_of(weight.abs() * norms[name] if states else weight.abs())
                weight.mul_(kept)
                if options.is_kept:
                    layer.through[name] = Mask(kept)
                zeros += int((weight == 0).sum())
                total += weight.numel()
            states = [(model.block(layer, x, turns), turns) for x, turns in states]
    model.packed = {}
    return Report(zeros / total)


def _rule(options: Options) -> Callable[[Tensor], Tensor]:
    if not options.pattern:
        if not 0 < options.share < 1:
            raise OperatorFault("bad_recipe", f"share = {options.share} must lie between 0 and 1.")
        if options.among == "matrix":
            return lambda importance: row_mask(importance.reshape(1, -1), options.share).view_as(importance)
        return lambda importance: row_mask(importance, options.share)
    match = re.fullmatch(r"([1-9]):([1-9][0-9]?)", options.pattern)
    if match is None or int(match[1]) >= int(match[2]):
        raise OperatorFault("bad_recipe", f'pattern = "{options.pattern}" must be like "2:4".')
    return lambda importance: pattern_mask(importance, int(match[1]), int(match[2]))


def row_mask(importance: Tensor, share: float) -> Tensor:
    """1 where a weight stays, 0 for the least important `share` of its row."""
    num = int(importance.shape[1] * share)
    least = importance.argsort(dim=1, stable=True)[:, :num]
    return torch.ones_like(importance).scatter_(1, least, 0.0)


def pattern_mask(importance: Tensor, kept: int, of: int) -> Tensor:
    """1 for the `kept` most important of every `of` neighbours. Rows must be a multiple of `of`."""
    rows, columns = importance.shape
    if columns % of:
        raise OperatorFault("bad_recipe", f"rows of {columns} weights can't be cut into groups of {of}.")
    groups = importance.reshape(rows, -1, of)
    least = groups.argsort(dim=-1, stable=True)[..., : of - kept]
    return torch.ones_like(groups).scatter_(-1, least, 0.0).reshape(rows, columns)
