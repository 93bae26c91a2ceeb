"""Weight formats ("schemes") as OpenVINO constants: how a float matrix is stored and brought back.

The CPU plugin recognises `Constant → Convert → (Subtract) → Multiply` before a MatMul and multiplies with
the compressed weights directly, quantising activations on the way where that is switched on
(https://docs.openvino.ai, "LLM weight compression" and "dynamic quantization").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from openvino import opset15 as ops

Floats = NDArray[np.float32]

# int8: 8 bits on an affine grid for each 32 weights of a row, which also holds the grids of GGUF's 4-bit
# types; int8_g64: a symmetric grid for each 64, a little faster and less exact.
SCHEMES = ("int8", "int8_g64", "f16", "f32")
# As many activations share a scale as weights do.
GROUPS = {"int8": 32, "int8_g64": 64}


def linear_weights(matrix: Floats, scheme: str) -> Any:
    """A node whose value is `matrix` (outputs, inputs) in float32, stored as `scheme` says."""
    if scheme == "f32":
        return ops.constant(np.ascontiguousarray(matrix))
    if scheme == "f16":
        return ops.convert(ops.constant(matrix.astype(np.float16)), "f32")
    columns = matrix.shape[1]
    group = GROUPS[scheme] if columns % GROUPS[scheme] == 0 else columns
    if scheme == "int8":
        codes, zeros, scales = affine_uint8(matrix, group)
        shifted = ops.subtract(_float(codes), _float(zeros))
        return _reshaped(ops.multiply(shifted, ops.constant(scales)), matrix.shape)
    signed, scales = symmetric_int8(matrix, group)
    return _reshaped(ops.multiply(_float(signed), ops.constant(scales)), matrix.shape)


def affine_uint8(matrix: Floats, group: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Floats]:
    """Codes (rows, groups, group), zero points and float32 scales (rows, groups, 1); zero is on the grid."""
    grouped = matrix.reshape(matrix.shape[0], -1, group)
    low = np.minimum(grouped.min(axis=2, keepdims=True), 0)
    high = np.maximum(grouped.max(axis=2, keepdims=True), 0)
    scales = (high - low) / np.float32(255.0)
    scales[scales == 0] = 1.0
    zeros = np.clip(np.rint(-low / scales), 0, 255)
    codes = grouped / scales
    np.rint(codes, out=codes)
    codes += zeros
    np.clip(codes, 0, 255, out=codes)
    return codes.astype(np.uint8), zeros.astype(np.uint8), scales


def symmetric_int8(matrix: Floats, group: int) -> tuple[NDArray[np.int8], Floats]:
    """Codes (rows, groups, group) and float32 scales (rows, groups, 1); the zero is exact."""
    grouped = matrix.reshape(matrix.shape[0], -1, group)
    scales = np.abs(grouped).max(axis=2, keepdims=True) / 127.0
    scales[scales == 0] = 1.0
    return np.rint(grouped / scales).astype(np.int8), scales


def _float(codes: NDArray[Any]) -> Any:
    return ops.convert(ops.constant(codes), "f32")


def _reshaped(node: Any, shape: tuple[int, ...]) -> Any:
    return ops.reshape(node, ops.constant(np.array(shape, dtype=np.int64)), False)
