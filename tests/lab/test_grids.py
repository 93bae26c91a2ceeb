"""The grids in torch against the reference of the format itself."""

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.lab

import gguf  # noqa: E402

from wicket.lab.grids import GRIDS, blocks_of, codes_of, on_grid, pack, scales_of, straight_through  # noqa: E402


def weights(scale: float) -> torch.Tensor:
    made = torch.randn(12, 256, generator=torch.Generator().manual_seed(3)) * scale
    made[0] = 0
    made[1, :32] = made[1, 0]
    made[2] = made[2].abs()
    made[3] = -made[3].abs()
    return made


@pytest.mark.parametrize("scale", [1e-6, 0.02, 1.0, 300.0])
@pytest.mark.parametrize("scheme", list(GRIDS))
def test_values_and_bytes_are_the_references(scheme: str, scale: float) -> None:
    grid, weight = GRIDS[scheme], weights(scale)
    kind = gguf.GGMLQuantizationType[scheme.upper()]
    data = gguf.quants.quantize(weight.numpy(), kind)
    assert (on_grid(grid, weight).numpy() == gguf.quants.dequantize(data, kind)).all()
    blocks = blocks_of(weight)
    by = scales_of(grid, blocks)
    packed = pack(grid, codes_of(grid, blocks, by), by)
    assert (packed.numpy() == data).all()
    assert packed.numel() * 8 / weight.numel() == grid.bits_per_weight


@pytest.mark.parametrize("scheme", ["q4_0", "q5_0", "q8_0"])
def test_what_is_on_the_grid_stays(scheme: str) -> None:
    once = on_grid(GRIDS[scheme], weights(0.02))
    assert torch.equal(on_grid(GRIDS[scheme], once), once)


def test_training_sees_the_grid_forwards_and_the_weight_backwards() -> None:
    weight = weights(1.0).requires_grad_()
    used = straight_through(GRIDS["q4_0"], weight)
    torch.testing.assert_close(used, on_grid(GRIDS["q4_0"], weight.detach()), rtol=1e-6, atol=1e-6)
    (used * 3).sum().backward()
    assert torch.equal(weight.grad, torch.full_like(weight, 3.0))


def test_rows_that_no_block_fits_are_refused() -> None:
    with pytest.raises(ValueError, match="172"):
        blocks_of(torch.zeros(2, 172))
