"""GGUF's K formats, Q6_K and Q4_K, written: super-blocks of 256 weights with scales of their own scales.

Layouts as in ggml's block_q6_K and block_q4_K (ggml-common.h); the search for scales is ours. Q6_K has 16
groups of 16 weights, each d * scale * (code - 32); Q4_K has 8 groups of 32, each d * scale * code less
dmin * minimum, scales and minima of 6 bits. Scales are searched per group for the least squared error, then d
per super-block, and codes are chosen last, with the scales as the file holds them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SUPER = 256
_Q6_GROUP, _Q4_GROUP = 16, 32
_ROWS = 4096  # super-blocks at a time: the search takes some copies of each
_TINY = 1e-30

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


def quantise(matrix: Floats, scheme: str) -> Bytes:
    """A matrix (rows, columns) as bytes (rows, bytes of a row). Raises `ValueError` where rows don't fit."""
    rows, columns = matrix.shape
    if columns % SUPER:
        raise ValueError(f"rows of {columns} weights are no multiple of {SUPER}")
    write = {"q6_k": _q6_k, "q4_k": _q4_k}[scheme]
    blocks = np.ascontiguousarray(matrix, dtype=np.float32).reshape(-1, SUPER)
    parts = [write(blocks[at : at + _ROWS]) for at in range(0, len(blocks), _ROWS)]
    return np.concatenate(parts).reshape(rows, -1)


def _q6_k(blocks: Floats) -> Bytes:
    num = len(blocks)
    groups = blocks.reshape(num, -1, _Q6_GROUP)
    best = _signed_scales(groups)
    best_codes, best_error, best_d, best_scales = None, None, None, None
    extreme = np.take_along_axis(best, np.abs(best).argmax(1, keepdims=True), 1)
    for most in (-128.0, -127.0, -124.0, -120.0, 127.0):
        d = (extreme / most).astype(np.float16)
        scales = np.rint(_divided(best, d.astype(np.float32))).clip(-128, 127)
        step = (d.astype(np.float32) * scales)[..., None]
        codes = np.rint(_divided(groups, step)).clip(-32, 31)
        error = ((groups - step * codes) ** 2).sum((1, 2))
        if best_codes is None or best_error is None or best_d is None or best_scales is None:
            best_codes, best_error, best_d, best_scales = codes, error, d, scales
            continue
        better = error < best_error
        best_codes[better], best_error[better] = codes[better], error[better]
        best_d[better], best_scales[better] = d[better], scales[better]
    assert best_codes is not None and best_d is not None and best_scales is not None
    whole = (best_codes.reshape(num, SUPER) + 32).astype(np.uint8)
    low = (whole & 15).reshape(num, 2, 2, 64)
    high = (whole >> 4).reshape(num, 2, 4, 32)
    ql = (low[:, :, 0] | (low[:, :, 1] << 4)).reshape(num, -1)
    qh = (high[:, :, 0] | (high[:, :, 1] << 2) | (high[:, :, 2] << 4) | (high[:, :, 3] << 6)).reshape(num, -1)
    return np.concatenate([ql, qh, best_scales.astype(np.int8).view(np.uint8), best_d.view(np.uint8)], 1)


def _signed_scales(groups: Floats) -> Floats:
    """Of each group (num, groups, size) the scale with the least error: around its extreme, then by least
    squares."""
    extreme = np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1)
    best = extreme[..., 0] / -32
    best_error = np.full(best.shape, np.inf, dtype=np.float32)
    for most in np.arange(-35.0, -26.0, 0.75, dtype=np.float32):
        codes = np.rint(_divided(groups, extreme / most)).clip(-32, 31)
        scale = (groups * codes).sum(-1) / np.maximum((codes**2).sum(-1), _TINY)
        error = ((groups - scale[..., None] * codes) ** 2).sum(-1)
        better = error < best_error
        best, best_error = np.where(better, scale, best), np.where(better, error, best_error)
    return best.astype(np.float32)


def _q4_k(blocks: Floats) -> Bytes:
    num = len(blocks)
    groups = blocks.reshape(num, -1, _Q4_GROUP)
    step, minimum = _steps_and_minima(groups)
    found: tuple[Floats, ...] | None = None
    for most in (63.0, 61.0, 59.0, 56.0):
        for most_minimum in (63.0, 60.0):
            tried = _q4_codes(groups, (step, most), (minimum, most_minimum))
            if found is None:
                found = tried
                continue
            better = tried[0] < found[0]
            for kept, new in zip(found, tried, strict=True):
                kept[better] = new[better]
    assert found is not None
    _, codes, scales, minima, d, dmin = found
    halves = codes.reshape(num, 4, 2, _Q4_GROUP).astype(np.uint8)
    qs = (halves[:, :, 0] | (halves[:, :, 1] << 4)).reshape(num, -1)
    packed = _six_bits(scales.astype(np.uint8), minima.astype(np.uint8))
    parts = [d.astype(np.float16).view(np.uint8), dmin.astype(np.float16).view(np.uint8), packed, qs]
    return np.concatenate(parts, 1)


def _q4_codes(
    groups: Floats, steps: tuple[Floats, float], minima: tuple[Floats, float]
) -> tuple[Floats, ...]:
    """Error, codes, scales, minima, d and dmin where the largest scale becomes `steps[1]` and so on."""
    (step, most), (minimum, most_minimum) = steps, minima
    d = (step.max(1, keepdims=True) / most).astype(np.float16).astype(np.float32)
    dmin = (minimum.max(1, keepdims=True) / most_minimum).astype(np.float16).astype(np.float32)
    scales = np.rint(_divided(step, d)).clip(0, 63)
    wholes = np.rint(_divided(minimum, dmin)).clip(0, 63)
    each, less = (d * scales)[..., None], (dmin * wholes)[..., None]
    codes = np.rint(_divided(groups + less, each)).clip(0, 15)
    error = ((groups - (each * codes - less)) ** 2).sum((1, 2))
    return error, codes, scales, wholes, d, dmin


def _steps_and_minima(groups: Floats) -> tuple[Floats, Floats]:
    """Of each group the step and the minimum (what is taken off, never negative) with the least error: from
    its extremes with the range cut by some parts, each followed by least squares."""
    low = np.minimum(groups.min(-1, keepdims=True), 0)
    width = groups.max(-1, keepdims=True) - low
    size = groups.shape[-1]
    best_step, best_minimum = (width / 15)[..., 0], -low[..., 0]
    best_error = np.full(best_step.shape, np.inf, dtype=np.float32)
    for most in np.arange(14.0, 18.5, 0.5, dtype=np.float32):
        step, minimum = width / most, -low
        for _ in range(2):
            codes = np.rint(_divided(groups + minimum, step)).clip(0, 15)
            sums, squares = codes.sum(-1, keepdims=True), (codes**2).sum(-1, keepdims=True)
            values, products = groups.sum(-1, keepdims=True), (groups * codes).sum(-1, keepdims=True)
            spread = size * squares - sums**2
            fitted = _divided(size * products - sums * values, spread)
            taken = (fitted * sums - values) / size
            alone = _divided(products, squares)  # where the minimum would be negative: nothing is taken off
            is_negative = taken < 0
            step = np.maximum(np.where(is_negative, alone, fitted), 0)
            minimum = np.where(is_negative, 0, taken)
            codes = np.rint(_divided(groups + minimum, step)).clip(0, 15)
            error = ((groups - (step * codes - minimum)) ** 2).sum(-1)
            better = error < best_error
            best_step = np.where(better, step[..., 0], best_step)
            best_minimum = np.where(better, minimum[..., 0], best_minimum)
            best_error = np.where(better, error, best_error)
    return best_step.astype(np.float32), best_minimum.astype(np.float32)


def _six_bits(scales: Bytes, minima: Bytes) -> Bytes:
    """Eight scales and eight minima of 6 bits in twelve bytes; the last four have their upper bits apart."""
    first = (scales[:, :4] & 63) | ((scales[:, 4:] >> 4) << 6)
    second = (minima[:, :4] & 63) | ((minima[:, 4:] >> 4) << 6)
    third = (scales[:, 4:] & 15) | ((minima[:, 4:] & 15) << 4)
    return np.concatenate([first, second, third], 1)


def _divided(above: Floats, below: Floats) -> Floats:
    """A quotient that is 0 where there is nothing to divide by."""
    nothing = np.abs(below) < _TINY
    return np.where(nothing, 0, above / np.where(nothing, 1, below)).astype(np.float32)
