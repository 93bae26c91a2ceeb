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

SCHEMES = ("int8_g32", "int8_g64", "int8", "f16", "f32")


def linear_weights(matrix: Floats, scheme: str) -> Any:
    """A node whose value is `matrix` (outputs, inputs) in float32, stored as `scheme` says."""
    if scheme == "f32":
        return ops.constant(np.ascontiguousarray(matrix))
    if scheme == "f16":
        return ops.convert(ops.constant(matrix.astype(np.float16)), "f32")
    if scheme == "int8":
        codes, scales = symmetric_int8(matrix, matrix.shape[1])
        return _scaled(ops.constant(codes.reshape(matrix.shape)), scales.reshape(-1, 1))
    if scheme.startswith("int8_g"):
        return _grouped_int8(matrix, int(scheme[6:]))
    raise ValueError(scheme)


def symmetric_int8(matrix: Floats, group: int) -> tuple[NDArray[np.int8], Floats]:
    """Codes (rows, groups, group) and float32 scales (rows, groups, 1); the zero is exact."""
    grouped = matrix.reshape(matrix.shape[0], -1, group)
    scales = np.abs(grouped).max(axis=2, keepdims=True) / 127.0
    scales[scales == 0] = 1.0
    return np.rint(grouped / scales).astype(np.int8), scales


def _scaled(codes: Any, scales: Floats) -> Any:
    return ops.multiply(ops.convert(codes, "f32"), ops.constant(scales))


def _grouped_int8(matrix: Floats, group: int) -> Any:
    codes, scales = symmetric_int8(matrix, group)
    shape = ops.constant(np.array(matrix.shape, dtype=np.int64))
    return ops.reshape(_scaled(ops.constant(codes), scales), shape, False)
