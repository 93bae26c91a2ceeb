"""Padding: neurons that do nothing are added until the FFN's width is a multiple that block formats can hold.

A neuron whose row of `gate`, row of `up` and column of `down` are zero adds exactly nothing.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from wicket.errors import OperatorFault
from wicket.lab.grids import BLOCK
from wicket.lab.llama import Layer, Llama
from wicket.lab.material import Material

NEEDS = frozenset[str]()


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The FFN's width becomes the next multiple."""

    multiple: int = BLOCK


class Report(msgspec.Struct, frozen=True):
    """The FFN's width before and after."""

    before: int
    after: int


def apply(model: Llama, options: Options, material: Material) -> Report:
    """Pad, in place. Raises `OperatorFault` for a multiple below 1."""
    if options.multiple < 1:
        raise OperatorFault("bad_recipe", f"multiple = {options.multiple} must be at least 1.")
    before = model.shape.ffn
    more = -before % options.multiple
    model.settle()
    if more:
        for layer in dict.fromkeys(model.layers):
            assert isinstance(layer, Layer)
            for name, dim in (("gate", 0), ("up", 0), ("down", 1)):
                layer.parts[name] = nn.Parameter(_padded(layer.parts[name], more, dim))
        model.shape = msgspec.structs.replace(model.shape, ffn=before + more)
        model.packed = {}
    return Report(before, before + more)


def _padded(matrix: Tensor, more: int, dim: int) -> Tensor:
    size = list(matrix.shape)
    size[dim] = more
    return torch.cat((matrix.detach(), torch.zeros(size)), dim)
