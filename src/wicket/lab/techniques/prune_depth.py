"""Depth pruning: the layers that change their input least are left out (ShortGPT, Men et al. 2024).

A layer's influence is one minus the mean cosine between what goes in and what comes out, over the calibration
tokens.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from wicket.errors import OperatorFault
from wicket.lab.llama import Llama
from wicket.lab.material import Material


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many layers go; the first and the last `keep_ends` are never among them."""

    layers: int
    keep_ends: int = 1


class Report(msgspec.Struct, frozen=True):
    """Each layer's influence before, and which were left out, by their old numbers."""

    influence: list[float]
    removed: list[int]


def apply(model: Llama, options: Options, material: Material) -> Report:
    """Leave layers out, in place. Raises `OperatorFault` where too many are to go."""
    num = model.shape.num_layers
    if not 0 < options.layers <= num - 2 * options.keep_ends:
        message = f"{options.layers} of {num} layers can't go while {options.keep_ends} at each end stay."
        raise OperatorFault("bad_recipe", message)
    influence = block_influence(model, material)
    middle = range(options.keep_ends, num - options.keep_ends)
    removed = sorted(sorted(middle, key=lambda index: influence[index])[: options.layers])
    keep_layers(model, [index for index in range(num) if index not in removed])
    return Report(influence, removed)


def keep_layers(model: Llama, kept: list[int]) -> None:
    """Only these layers, in this order."""
    model.layers = nn.ModuleList([model.layers[index] for index in kept])
    model.shape = msgspec.structs.replace(model.shape, num_layers=len(kept))
    model.packed = {}


def block_influence(model: Llama, material: Material) -> list[float]:
    """Of each layer, 0 for one that does nothing."""
    num = model.shape.num_layers
    sums, count = [0.0] * num, 0

    def listen(index: int, x: Tensor, y: Tensor) -> None:
        sums[index] += float((1 - F.cosine_similarity(x.float(), y.float(), dim=-1)).sum())

    with torch.no_grad():
        for batch in material.calibration:
            turns = model.turns(batch.ids.shape[1])
            x = model.embedded(batch.ids)
            count += batch.ids.numel()
            for index, layer in enumerate(model.layers):
                y = model.block(layer, x, turns)
                listen(index, x, y)
                x = y
    return [total / count for total in sums]
