"""Post-training quantisation onto the exact grid of the export: rounding to nearest, or GPTQ.

GPTQ (Frantar et al. 2023) rounds a matrix column by column and moves each column's error onto the columns
that are still to come, by the inverse Hessian of the layer's own inputs. Here the codes land on GGUF's grid:
each block of 32 gets its scale from the weights as they are when its turn comes. Layers are done in order,
each on what the quantised ones before it give.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch import Tensor

from wicket.errors import OperatorFault
from wicket.lab.grids import (
    BLOCK,
    GRIDS,
    Grid,
    Scales,
    blocks_of,
    codes_of,
    pack,
    scales,
    scales_of,
    values_of,
)
from wicket.lab.listening import State, listened, starts
from wicket.lab.llama import MATRICES, Layer, Llama, Packed
from wicket.lab.material import Material

NEEDS = frozenset({"calibration"})
TRIED_SCALES = 17  # between 0.8 and 1.05 of the reference's


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`scales` "search" takes, per block, the scale with the least error, weighted by what the weights read;
    "extremes" those of the reference. `damping` is added to the Hessian's diagonal, in parts of its mean."""

    scheme: str = "q4_0"
    how: Literal["nearest", "gptq"] = "gptq"
    scales: Literal["extremes", "search"] = "search"
    damping: float = 0.01


class Report(msgspec.Struct, frozen=True):
    """`errors`: of each matrix, the squared error of its output on the calibration set, in parts of the
    output's square. `left` are matrices whose rows the format can't hold."""

    errors: dict[str, float]
    left: list[str]


def apply(model: Llama, options: Options, material: Material) -> Report:
    """Quantise every matrix of the layers, in place. Raises `OperatorFault` for an unknown scheme."""
    grid = GRIDS.get(options.scheme)
    if grid is None:
        known = ", ".join(sorted(GRIDS))
        raise OperatorFault("bad_recipe", f'scheme = "{options.scheme}" is none of {known}.')
    model.settle()
    report = Report({}, [])
    with torch.no_grad():
        states = starts(model, material.calibration)
        for index, layer in enumerate(model.layers):
            assert isinstance(layer, Layer)
            grams = _grams(model, layer, states)
            for name in MATRICES:
                key = f"{index}.{name}"
                weight = layer.parts[name]
                if weight.shape[1] % BLOCK:
                    report.left.append(key)
                    continue
                packed = quantised(grid, weight.detach().clone(), grams[name], options)
                error = packed.weight - weight
                report.errors[key] = _size(error, grams[name]) / max(_size(weight, grams[name]), 1e-30)
                weight.copy_(packed.weight)
                model.packed[key] = packed
            states = [(model.block(layer, x, turns), turns) for x, turns in states]
            material.tell((index + 1) / model.shape.num_layers, f"layer {index + 1}")
    return report


def quantised(grid: Grid, weight: Tensor, gram: Tensor, options: Options) -> Packed:
    """One matrix on the grid; `gram` (columns, columns) is the mean outer square of its inputs."""
    if options.how == "nearest":
        blocks = blocks_of(weight)
        importance = gram.diagonal().reshape(1, -1, BLOCK).expand_as(blocks)
        by = _scales(grid, blocks, importance, options)
        codes = codes_of(grid, blocks, by)
    else:
        codes, by = _gptq(grid, weight, gram, options)
    values = values_of(grid, codes, by).reshape(weight.shape)
    return Packed(grid.name, pack(grid, codes, by), values)


def _gptq(grid: Grid, weight: Tensor, gram: Tensor, options: Options) -> tuple[Tensor, Scales]:
    factor = _inverse_factor(gram, options.damping)
    importance = gram.diagonal()
    num_rows, num_columns = weight.shape
    codes = torch.zeros(num_rows, num_columns // BLOCK, BLOCK)
    found: list[Scales] = []
    for block in range(num_columns // BLOCK):
        start, end = block * BLOCK, (block + 1) * BLOCK
        part = weight[:, start:end].clone()
        by = _scales(grid, part, importance[start:end].expand_as(part), options)
        found.append(by)
        errors = torch.zeros_like(part)
        inner = factor[start:end, start:end]
        for at in range(BLOCK):
            column = part[:, at : at + 1]
            code = codes_of(grid, column, by)
            codes[:, block, at : at + 1] = code
            error = (column - values_of(grid, code, by)) / inner[at, at]
            part[:, at:] -= error * inner[at, at:]
            errors[:, at : at + 1] = error
        weight[:, end:] -= errors @ factor[start:end, end:]
    joined = [torch.stack([getattr(by, name) for by in found], 1) for name in Scales.__struct_fields__]
    return codes, Scales(*joined)


def _inverse_factor(gram: Tensor, damping: float) -> Tensor:
    """The upper Cholesky factor of the damped Hessian's inverse; dead inputs count as one."""
    hessian = gram.double().clone()
    diagonal = hessian.diagonal()
    diagonal[diagonal == 0] = 1.0
    size = float(diagonal.mean())
    while True:
        damped = hessian + torch.eye(len(hessian), dtype=torch.float64) * (damping * size)
        lower, info = torch.linalg.cholesky_ex(damped)
        if not int(info):
            break
        damping *= 10
    inverse = torch.cholesky_inverse(lower)
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor.float()


def _scales(grid: Grid, blocks: Tensor, importance: Tensor, options: Options) -> Scales:
    reference = scales_of(grid, blocks)
    if options.scales == "extremes":
        return reference
    best, least = reference, _error(grid, blocks, importance, reference)
    for factor in torch.linspace(0.8, 1.05, TRIED_SCALES).tolist():
        middle = (blocks.amax(-1, keepdim=True) + blocks.amin(-1, keepdim=True)) / 2
        minimum = middle + (reference.minimum - middle) * factor if grid.has_minimum else reference.minimum
        tried = scales(reference.step * factor, minimum)
        error = _error(grid, blocks, importance, tried)
        better = error < least
        least = torch.where(better, error, least)
        best = Scales(
            *(
                torch.where(better, getattr(tried, name), getattr(best, name))
                for name in Scales.__struct_fields__
            )
        )
    return best


def _error(grid: Grid, blocks: Tensor, importance: Tensor, by: Scales) -> Tensor:
    off = blocks - values_of(grid, codes_of(grid, blocks, by), by)
    return (off.square() * importance).sum(-1, keepdim=True)


def _grams(model: Llama, layer: Layer, states: list[State]) -> dict[str, Tensor]:
    """Of each matrix of the layer, the mean outer square of its inputs."""
    sums: dict[str, Tensor] = {}
    count = 0

    def listen(name: str, x: Tensor) -> None:
        square = x.T @ x
        sums[name] = sums[name] + square if name in sums else square

    for x, turns in states:
        count += x.shape[0] * x.shape[1]
        with listened(layer, listen):
            model.block(layer, x, turns)
    return {name: total / count for name, total in sums.items()}


def _size(weight: Tensor, gram: Tensor) -> float:
    """The mean square of weight times inputs."""
    return float(((weight @ gram) * weight).sum())
