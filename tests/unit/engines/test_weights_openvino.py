"""How exactly the weight formats hold a matrix."""

from __future__ import annotations

import numpy as np
import pytest

from wicket.engines.decoding.weights_openvino import affine_uint8, symmetric_int8


def test_a_four_bit_grid_survives_eight_bits() -> None:
    random = np.random.default_rng(0)
    codes = random.integers(0, 16, (8, 4, 32)).astype(np.float32)
    codes[:, :, 0], codes[:, :, 1] = 0, 15
    matrix = (codes * np.float32(0.031) - np.float32(0.2)).reshape(8, 128)
    stored, zeros, scales = affine_uint8(matrix, 32)
    back = ((stored.astype(np.float32) - zeros) * scales).reshape(8, 128)
    # A step of the stored grid is a seventeenth of the four-bit grid's; half a step is what rounding costs.
    assert np.abs(back - matrix).max() <= 0.031 / 17 * 0.51


@pytest.mark.parametrize("shift", [-3.0, 0.0, 3.0])
def test_errors_stay_within_a_step(shift: float) -> None:
    matrix = np.random.default_rng(1).standard_normal((16, 64)).astype(np.float32) + np.float32(shift)
    stored, zeros, scales = affine_uint8(matrix, 32)
    back = ((stored.astype(np.float32) - zeros) * scales).reshape(16, 64)
    assert (np.abs(back - matrix).reshape(16, 2, 32) <= scales * 1.01).all()
    signed, steps = symmetric_int8(matrix, 64)
    back = (signed.astype(np.float32) * steps).reshape(16, 64)
    assert (np.abs(back - matrix) <= steps[:, 0] * 0.51).all()


def test_zeros_stay_zero() -> None:
    empty = np.zeros((2, 32), dtype=np.float32)
    stored, zeros, scales = affine_uint8(empty, 32)
    assert not ((stored.astype(np.float32) - zeros) * scales).any()
    assert not symmetric_int8(empty, 32)[0].any()
