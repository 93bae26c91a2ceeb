"""Layer sharing: neighbours use one set of weights (MobileLLM, Liu et al. 2024: immediate block-wise).

A shared pair holds the mean of both; training brings it back. Files have no word for sharing, so an export
writes the weights once per place: sharing saves memory in training and parameters in count, not bytes on
disk.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch import nn

from wicket.errors import OperatorFault
from wicket.lab.llama import Layer, Llama
from wicket.lab.material import Material


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`times`: how many neighbours share. With "repeat" there are `times` as many layers as before; with
    "merge" as many as before, with fewer weights."""

    times: int = 2
    how: Literal["repeat", "merge"] = "merge"


class Report(msgspec.Struct, frozen=True):
    """Layers that are computed, and sets of weights behind them."""

    num_layers: int
    num_distinct: int


def apply(model: Llama, options: Options, material: Material) -> Report:
    """Share, in place. Raises `OperatorFault` where the layers don't fall into groups."""
    num, times = model.shape.num_layers, options.times
    if times < 2 or (options.how == "merge" and num % times):
        message = f"{num} layers can't be shared {times} by {times}."
        raise OperatorFault("bad_recipe", message)
    model.settle()
    if options.how == "repeat":
        layers = [layer for layer in model.layers for _ in range(times)]
    else:
        merged = [_mean(list(model.layers[at : at + times])) for at in range(0, num, times)]
        layers = [layer for layer in merged for _ in range(times)]
    model.layers = nn.ModuleList(layers)
    model.shape = msgspec.structs.replace(model.shape, num_layers=len(layers))
    model.packed = {}
    return Report(len(layers), len(dict.fromkeys(layers)))


def unshare(model: Llama) -> None:
    """A set of weights for every layer, so that they may part."""
    layers = [Layer({name: part.detach().clone() for name, part in _parts(layer)}) for layer in model.layers]
    model.layers = nn.ModuleList(layers)


def _parts(layer: nn.Module) -> list[tuple[str, nn.Parameter]]:
    assert isinstance(layer, Layer)
    return list(layer.parts.items())


def _mean(layers: list[nn.Module]) -> Layer:
    with torch.no_grad():
        parts = [dict(_parts(layer)) for layer in layers]
        return Layer({name: torch.stack([each[name] for each in parts]).mean(0) for name in parts[0]})
