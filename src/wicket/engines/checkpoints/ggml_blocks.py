"""GGML's block formats, dequantised to float32 in numpy.

A block holds 32 (or 256) neighbouring weights of a row with their scales. Layouts: `ggml-common.h` of
https://github.com/ggml-org/ggml. Numbers of types are GGML's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 = 0, 1, 2, 3, 6, 7, 8
Q4_K, Q5_K, Q6_K, BF16 = 12, 13, 14, 30


def _half(blocks: Bytes, at: int) -> Floats:
    """The float16 at byte `at` of each block, as a column."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view(np.float16).astype(np.float32)


def _nibbles(packed: Bytes) -> Bytes:
    """Low halves of all bytes, then the high halves."""
    return np.concatenate([packed & 15, packed >> 4], axis=1)


def _fifth_bits(blocks: Bytes, at: int) -> Bytes:
    """32 single bits from the four bytes at `at`, each already moved to bit 4."""
    bits = np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little")
    return np.left_shift(bits, 4, dtype=np.uint8)


def _f32(blocks: Bytes) -> Floats:
    return blocks.view(np.float32)


def _f16(blocks: Bytes) -> Floats:
    return blocks.view(np.float16).astype(np.float32)


def _bf16(blocks: Bytes) -> Floats:
    return (blocks.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def _q4_0(blocks: Bytes) -> Floats:
    return (_nibbles(blocks[:, 2:]).astype(np.float32) - 8) * _half(blocks, 0)


def _q4_1(blocks: Bytes) -> Floats:
    return _nibbles(blocks[:, 4:]).astype(np.float32) * _half(blocks, 0) + _half(blocks, 2)


def _q5_0(blocks: Bytes) -> Floats:
    codes = _nibbles(blocks[:, 6:]) | _fifth_bits(blocks, 2)
    return (codes.astype(np.float32) - 16) * _half(blocks, 0)


def _q5_1(blocks: Bytes) -> Floats:
    codes = _nibbles(blocks[:, 8:]) | _fifth_bits(blocks, 4)
    return codes.astype(np.float32) * _half(blocks, 0) + _half(blocks, 2)


def _q8_0(blocks: Bytes) -> Floats:
    return blocks[:, 2:].view(np.int8).astype(np.float32) * _half(blocks, 0)


def _six_bit_scales(packed: Bytes) -> tuple[Floats, Floats]:
    """The eight scales and eight minima that Q4_K and Q5_K pack into twelve bytes, each (blocks, 8)."""
    low, middle, high = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = np.concatenate([low & 63, (high & 15) | ((low >> 6) << 4)], axis=1)
    minima = np.concatenate([middle & 63, (high >> 4) | ((middle >> 6) << 4)], axis=1)
    return scales.astype(np.float32), minima.astype(np.float32)


def _k_values(blocks: Bytes, codes: Bytes) -> Floats:
    """Codes (blocks, 8, 32) to values with the super-block's scales."""
    scales, minima = _six_bit_scales(blocks[:, 4:16])
    scales *= _half(blocks, 0)
    minima *= _half(blocks, 2)
    values = codes.astype(np.float32) * scales[:, :, None] - minima[:, :, None]
    return values.reshape(len(blocks), 256)


def _pairs(packed: Bytes) -> Bytes:
    """128 bytes as eight groups of 32 codes: of each 32 bytes first the low halves, then the high."""
    grouped = packed.reshape(len(packed), 4, 1, 32)
    return np.concatenate([grouped & 15, grouped >> 4], axis=2).reshape(len(packed), 8, 32)


def _q4_k(blocks: Bytes) -> Floats:
    return _k_values(blocks, _pairs(blocks[:, 16:144]))


def _q5_k(blocks: Bytes) -> Floats:
    shifts = np.arange(8, dtype=np.uint8)[None, :, None]
    fifth = (blocks[:, None, 16:48] >> shifts) & 1
    return _k_values(blocks, _pairs(blocks[:, 48:176]) | np.left_shift(fifth, 4, dtype=np.uint8))


def _q6_k(blocks: Bytes) -> Floats:
    count = len(blocks)
    low = blocks[:, :128].reshape(count, 2, 1, 64)
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(count, 2, 4, 32)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[None, None, :, None]
    high = (blocks[:, 128:192].reshape(count, 2, 1, 32) >> shifts) & 3
    codes = (low | (high << 4)).astype(np.float32).reshape(count, 16, 16) - 32
    scales = blocks[:, 192:208].view(np.int8).astype(np.float32) * _half(blocks, 208)
    return (codes * scales[:, :, None]).reshape(count, 256)


Dequantise = Callable[[Bytes], Floats]

BLOCKS: dict[int, tuple[int, int, Dequantise]] = {
    F32: (1, 4, _f32),
    F16: (1, 2, _f16),
    BF16: (1, 2, _bf16),
    Q4_0: (32, 18, _q4_0),
    Q4_1: (32, 20, _q4_1),
    Q5_0: (32, 22, _q5_0),
    Q5_1: (32, 24, _q5_1),
    Q8_0: (32, 34, _q8_0),
    Q4_K: (256, 144, _q4_k),
    Q5_K: (256, 176, _q5_k),
    Q6_K: (256, 210, _q6_k),
}


def dequantise(raw: memoryview, kind: int) -> Floats:
    """All weights of `raw` as one float32 row; `kind` is a key of `BLOCKS`, `raw` whole blocks of it."""
    _, block_bytes, function = BLOCKS[kind]
    blocks = np.frombuffer(raw, dtype=np.uint8).reshape(-1, block_bytes)
    return function(blocks).reshape(-1)
