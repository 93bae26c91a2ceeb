"""The exact grids of GGUF's block formats, in torch: what a weight becomes when it is exported.

A block is 32 neighbours of a row that share a scale `d` (float16) and, in the `_1` formats, a minimum `m`:
a weight is d * (code - zero) + m. Codes are found with the scale before it is rounded to float16, as the
reference does (ggml-quants.c, `quantize_row_*_ref`), so that training on this grid is training on what the
file will hold, bit for bit.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor

BLOCK = 32


class Grid(msgspec.Struct, frozen=True):
    """A format: codes from `low` to `high`, `zero` the code of nothing in the formats without a minimum."""

    name: str
    low: int
    high: int
    zero: int = 0
    has_minimum: bool = False

    @property
    def bits_per_weight(self) -> float:
        """Scales and minima included."""
        bits = (self.high - self.low).bit_length()
        return bits + (32 if self.has_minimum else 16) / BLOCK


GRIDS = {
    grid.name: grid
    for grid in (
        Grid("q8_0", -127, 127),
        Grid("q5_0", 0, 31, zero=16),
        Grid("q5_1", 0, 31, has_minimum=True),
        Grid("q4_0", 0, 15, zero=8),
        Grid("q4_1", 0, 15, has_minimum=True),
    )
}


class Scales(msgspec.Struct, frozen=True):
    """Of each block, (…, blocks, 1): `step` and `minimum` as found, `d` and `m` as the file holds them."""

    step: Tensor
    minimum: Tensor
    d: Tensor
    m: Tensor


def blocks_of(weight: Tensor) -> Tensor:
    """(rows, columns) as (rows, blocks, 32). Raises `ValueError` for rows that are no multiple of 32."""
    if weight.shape[-1] % BLOCK:
        raise ValueError(f"rows of {weight.shape[-1]} weights are no multiple of {BLOCK}")
    return weight.reshape(*weight.shape[:-1], -1, BLOCK)


def scales_of(grid: Grid, blocks: Tensor) -> Scales:
    """The scales that the reference gives to blocks: by their extremes."""
    if grid.has_minimum:
        minimum = blocks.amin(-1, keepdim=True)
        step = (blocks.amax(-1, keepdim=True) - minimum) / (grid.high - grid.low)
        return scales(step, minimum)
    if grid.zero:  # the extreme keeps its sign and gets the lowest code, which is one more than the highest
        extreme = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True))
        step = extreme / -grid.zero
    else:
        step = blocks.abs().amax(-1, keepdim=True) / grid.high
    return scales(step, torch.zeros_like(step))


def scales(step: Tensor, minimum: Tensor) -> Scales:
    """Scales with their roundings."""
    return Scales(step, minimum, step.half().float(), minimum.half().float())


def codes_of(grid: Grid, blocks: Tensor, by: Scales) -> Tensor:
    """The code of each weight, as floats."""
    inverse = torch.where(by.step == 0, 0.0, 1 / by.step)
    if grid.has_minimum:
        return ((blocks - by.minimum) * inverse + 0.5).trunc().clamp(grid.low, grid.high)
    if grid.zero:
        return (blocks * inverse + (grid.zero + 0.5)).trunc().clamp(grid.low, grid.high)
    scaled = blocks * inverse
    size = scaled.abs()
    whole = size.floor()  # halves go away from zero, as C's roundf does
    rounded = scaled.sign() * (whole + (2 * (size - whole)).floor())
    return rounded.clamp(grid.low, grid.high)


def values_of(grid: Grid, codes: Tensor, by: Scales) -> Tensor:
    """What the codes stand for."""
    return by.d * (codes - grid.zero) + by.m if grid.has_minimum else by.d * (codes - grid.zero)


def on_grid(grid: Grid, weight: Tensor) -> Tensor:
    """A matrix rounded to nearest on the grid, in float32: what export and engine make of it."""
    blocks = blocks_of(weight.float())
    by = scales_of(grid, blocks)
    return values_of(grid, codes_of(grid, blocks, by), by).reshape(weight.shape)


def straight_through(grid: Grid, weight: Tensor) -> Tensor:
    """`on_grid` forwards, the identity backwards (Bengio et al. 2013)."""
    return weight + (on_grid(grid, weight.detach()) - weight).detach()


def pack(grid: Grid, codes: Tensor, by: Scales) -> Tensor:
    """Codes (rows, blocks, 32) as the bytes of the format: (rows, bytes), uint8."""
    rows = codes.shape[0]
    parts = [by.d.half().contiguous().view(torch.uint8)]
    if grid.has_minimum:
        parts.append(by.m.half().contiguous().view(torch.uint8))
    if grid.low < 0:
        parts.append(codes.to(torch.int8).view(torch.uint8))
        return torch.cat(parts, -1).reshape(rows, -1)
    whole = codes.to(torch.uint8)
    if grid.high > 15:  # the fifth bits stand before the others, lowest weight first
        bits = (whole >> 4).reshape(*whole.shape[:-1], 4, 8)
        powers = torch.tensor([1 << place for place in range(8)], dtype=torch.uint8)
        parts.append((bits * powers).sum(-1, dtype=torch.uint8))
    low = whole & 15
    parts.append(low[..., : BLOCK // 2] | (low[..., BLOCK // 2 :] << 4))
    return torch.cat(parts, -1).reshape(rows, -1)
