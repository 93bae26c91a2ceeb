"""Low-rank adapters: the weights stay, a small product beside each of them learns (LoRA, Hu et al. 2022).

`attach` freezes the model and puts adapters beside the named matrices; whatever trains the model then trains
those alone. `Llama.settle` merges them.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from wicket.errors import OperatorFault
from wicket.lab.llama import MATRICES, Layer, Llama
from wicket.lab.material import Material
from wicket.lab.steps import Pace, Stepped, train
from wicket.lab.techniques.train_on_grid import hard_loss


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`scale` is alpha: the product counts alpha / rank times."""

    pace: Pace
    rank: int = 16
    scale: float = 32.0
    matrices: tuple[str, ...] = MATRICES


class Report(msgspec.Struct, frozen=True):
    """How many weights learned, of how many."""

    num_trained: int
    num_parameters: int
    course: Stepped


class Adapter(nn.Module):
    """weight + up @ down * factor; `up` begins as zero, so that nothing changes at first."""

    def __init__(self, weight: Tensor, rank: int, scale: float, chance: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(torch.randn(rank, columns, generator=chance) * columns**-0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.factor = scale / rank

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with what was learned beside it."""
        return weight + self.up @ self.down * self.factor


def apply(model: Llama, options: Options, material: Material) -> Report:
    """Fine-tune through adapters and merge them, in place."""
    attach(model, options, seed=material.seed)
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    course = train(model, material.training, hard_loss, options.pace, tell=material.tell)
    model.settle()
    model.requires_grad_(True)
    return Report(learning, model.num_parameters(), course)


def attach(model: Llama, options: Options, *, seed: int) -> None:
    """Freeze the model, adapters beside its matrices. Raises `OperatorFault` for a matrix it has not."""
    unknown = [name for name in options.matrices if name not in MATRICES]
    if unknown or options.rank < 1:
        message = f"rank must be at least 1 and matrices be of {', '.join(MATRICES)}"
        raise OperatorFault(
            "bad_recipe", f"{message}, not {', '.join(unknown)}." if unknown else f"{message}."
        )
    model.settle()
    model.packed = {}
    model.requires_grad_(False)
    chance = torch.Generator().manual_seed(seed)
    for layer in model.layers:
        assert isinstance(layer, Layer)
        for name in options.matrices:
            layer.through[name] = Adapter(layer.parts[name], options.rank, options.scale, chance)
