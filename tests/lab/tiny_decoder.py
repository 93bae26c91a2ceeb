"""A decoder small enough to check by hand, and batches for it."""

import torch

from wicket.engines.checkpoints.llama import LlamaShape
from wicket.lab.llama import Llama, fresh
from wicket.lab.material import Batch, Material, Windows

VOCABULARY = 50
SHAPE = LlamaShape("llama", 4, 64, 4, 2, 16, 96, VOCABULARY, 128, 10_000.0, 1e-5)


def decoder(seed: int = 0, shape: LlamaShape = SHAPE) -> Llama:
    """With weights large enough that its layers do something."""
    model = fresh(shape, seed=seed)
    with torch.no_grad():
        for _, matrix in model.matrices():
            matrix.mul_(6)
        model.top["embed"].mul_(20)
    return model.eval()


def text(num: int = 2_000, seed: int = 0) -> torch.Tensor:
    """Tokens with a rule in them: each follows from the one before, but for some noise."""
    chance = torch.Generator().manual_seed(seed)
    steps = torch.randint(1, 4, (num,), generator=chance)
    return (steps.cumsum(0) * 7) % VOCABULARY


def material(teacher: Llama | None = None) -> Material:
    windows = Windows(text(), length=24, rows=8, seed=1)
    return Material(
        training=windows, calibration=[windows.batch(1_000 + number) for number in range(3)], teacher=teacher
    )


def logits(model: Llama, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return model(batch.ids)
