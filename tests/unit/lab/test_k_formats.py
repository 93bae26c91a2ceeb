"""K formats that we write: gguf's dequantiser and the engine's reader find the same, close to the weights."""

from typing import Any

import numpy as np
import pytest

gguf = pytest.importorskip("gguf")
pytestmark = pytest.mark.lab

from wicket.engines.checkpoints.ggml_blocks import Q4_K, Q6_K, dequantise  # noqa: E402
from wicket.lab.k_formats import SUPER, quantise  # noqa: E402

KINDS = {"q6_k": Q6_K, "q4_k": Q4_K}


def weights(rows: int = 6, seed: int = 0) -> Any:
    """Normal, with rows of other sizes, and some outliers."""
    chance = np.random.default_rng(seed)
    found = chance.standard_normal((rows, 3 * SUPER)).astype(np.float32) * 0.05
    found[1] *= 40
    found[2] += 0.2
    found[3] -= 0.2
    found[:, 7] *= 8
    return found


def read(data: Any, scheme: str, shape: tuple[int, int]) -> Any:
    theirs = gguf.quants.dequantize(data, gguf.GGMLQuantizationType(KINDS[scheme]))
    ours = dequantise(memoryview(data.tobytes()), KINDS[scheme]).reshape(shape)
    np.testing.assert_array_equal(ours, theirs)
    return theirs


def error(found: Any, wanted: Any) -> Any:
    """Of each row, relative."""
    return np.sqrt(((found - wanted) ** 2).mean(1) / (wanted**2).mean(1))


@pytest.mark.parametrize(("scheme", "size", "rival", "most"), [
    ("q6_k", 210, "Q5_1", 0.02), ("q4_k", 144, "Q4_0", 0.085),
])  # fmt: skip
def test_what_is_written_is_read_and_closer_than_plainer_formats(
    scheme: str, size: int, rival: str, most: float
) -> None:
    matrix = weights()
    data = quantise(matrix, scheme)
    assert data.dtype == np.uint8 and data.shape == (len(matrix), 3 * size)
    found = error(read(data, scheme, matrix.shape), matrix)
    kind = gguf.GGMLQuantizationType[rival]
    plain = error(gguf.quants.dequantize(gguf.quants.quantize(matrix, kind), kind), matrix)
    assert (found < most).all() and (found < plain).all(), (found, plain)


@pytest.mark.parametrize("scheme", KINDS)
def test_nothing_one_value_and_one_sign_are_no_trouble(scheme: str) -> None:
    matrix = np.zeros((5, SUPER), dtype=np.float32)
    matrix[1], matrix[2], matrix[3, 5], matrix[4] = 0.25, -0.25, 3.0, np.linspace(0.1, 0.3, SUPER)
    found = read(quantise(matrix, scheme), scheme, matrix.shape)
    assert np.isfinite(found).all() and not found[0].any()
    np.testing.assert_allclose(found, matrix, atol=0.012)


@pytest.mark.parametrize("scheme", KINDS)
def test_every_weight_comes_back_at_its_place(scheme: str) -> None:
    chance = np.random.default_rng(3)
    for place in chance.permutation(SUPER)[:40]:
        matrix = np.zeros((1, SUPER), dtype=np.float32)
        matrix[0, place] = 1.0
        found = read(quantise(matrix, scheme), scheme, matrix.shape)
        assert found[0].argmax() == place and found[0, place] == pytest.approx(1, abs=0.01)
        assert np.abs(np.delete(found[0], place)).max() < 0.01


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no multiple of 256"):
        quantise(np.zeros((2, 96), dtype=np.float32), "q4_k")
