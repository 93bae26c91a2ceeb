"""Each block format against a slow reading of its layout, one weight at a time."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from wicket.engines.checkpoints import ggml_blocks
from wicket.engines.checkpoints.ggml_blocks import BLOCKS, dequantise


def half(raw: bytes, at: int) -> float:
    return float(struct.unpack_from("<e", raw, at)[0])


def nibble(raw: bytes, at: int, n: int) -> int:
    """Code n of 32 that are kept as low halves first, then high halves, of 16 bytes."""
    return raw[at + n % 16] & 15 if n < 16 else raw[at + n % 16] >> 4


def bit(raw: bytes, at: int, n: int) -> int:
    return raw[at + n // 8] >> (n % 8) & 1


def k_scale(raw: bytes, n: int) -> tuple[int, int]:
    q = raw[4:16]
    if n < 4:
        return q[n] & 63, q[n + 4] & 63
    return q[n + 4] & 15 | q[n - 4] >> 6 << 4, q[n + 4] >> 4 | q[n] >> 6 << 4


def slow(kind: int, raw: bytes) -> list[float]:
    d = half(raw, 208 if kind == ggml_blocks.Q6_K else 0)
    if kind == ggml_blocks.Q4_0:
        return [d * (nibble(raw, 2, n) - 8) for n in range(32)]
    if kind == ggml_blocks.Q4_1:
        return [d * nibble(raw, 4, n) + half(raw, 2) for n in range(32)]
    if kind == ggml_blocks.Q5_0:
        return [d * ((nibble(raw, 6, n) | bit(raw, 2, n) << 4) - 16) for n in range(32)]
    if kind == ggml_blocks.Q5_1:
        return [d * (nibble(raw, 8, n) | bit(raw, 4, n) << 4) + half(raw, 2) for n in range(32)]
    if kind == ggml_blocks.Q8_0:
        return [d * code for code in struct.unpack_from("<32b", raw, 2)]
    if kind == ggml_blocks.Q6_K:
        return [d * slow_q6(raw, n) for n in range(256)]
    values = []
    for n in range(256):
        group, place = divmod(n, 32)
        scale, low = k_scale(raw, group)
        base = 16 if kind == ggml_blocks.Q4_K else 48
        byte = raw[base + group // 2 * 32 + place]
        code = byte & 15 if group % 2 == 0 else byte >> 4
        if kind == ggml_blocks.Q5_K:
            code |= (raw[16 + place] >> group & 1) << 4
        values.append(d * scale * code - half(raw, 2) * low)
    return values


def slow_q6(raw: bytes, n: int) -> int:
    part, rest = divmod(n, 128)
    group, place = divmod(rest, 32)
    byte = raw[part * 64 + (group % 2) * 32 + place]
    low = byte & 15 if group < 2 else byte >> 4
    high = raw[128 + part * 32 + place] >> (2 * group) & 3
    scale = struct.unpack_from("<b", raw, 192 + n // 16)[0]
    return int(scale * ((low | high << 4) - 32))


QUANTISED = [kind for kind, (elements, _, _) in BLOCKS.items() if elements > 1]


@pytest.mark.parametrize("kind", QUANTISED)
def test_blocks_are_read_as_their_layout_says(kind: int) -> None:
    elements, size, _ = BLOCKS[kind]
    random = np.random.default_rng(kind)
    blocks = []
    for _ in range(3):
        raw = bytearray(random.integers(0, 256, size, dtype=np.uint8).tobytes())
        struct.pack_into("<e", raw, 208 if kind == ggml_blocks.Q6_K else 0, 0.0123)
        if kind in (ggml_blocks.Q4_1, ggml_blocks.Q5_1, ggml_blocks.Q4_K, ggml_blocks.Q5_K):
            struct.pack_into("<e", raw, 2, -0.25)
        blocks.append(bytes(raw))
    got = dequantise(memoryview(b"".join(blocks)), kind).reshape(3, elements)
    np.testing.assert_allclose(got, [slow(kind, raw) for raw in blocks], rtol=1e-5, atol=1e-6)


def test_plain_floats() -> None:
    values = np.array([1.5, -2.0, 0.0, 3.25], dtype=np.float32)
    assert dequantise(memoryview(values.tobytes()), ggml_blocks.F32).tolist() == values.tolist()
    assert (
        dequantise(memoryview(values.astype(np.float16).tobytes()), ggml_blocks.F16).tolist()
        == values.tolist()
    )
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    assert dequantise(memoryview(upper.tobytes()), ggml_blocks.BF16).tolist() == values.tolist()
