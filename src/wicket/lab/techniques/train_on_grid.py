"""Quantisation-aware training on the exact grid of the export (straight-through estimator).

Forwards every matrix is what the file will hold, backwards the full-precision weight learns (Jacob et al.
2018). Master weights stay in float32: in bfloat16 most updates are smaller than a step and are lost. The
target is the teacher's distribution, the model's own before it was rounded (as Gemma 3 did, Gemma Team 2025),
or the tokens.
"""

from __future__ import annotations

import copy
from typing import Literal

import msgspec
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from wicket.errors import OperatorFault
from wicket.lab.grids import BLOCK, GRIDS, Grid, straight_through
from wicket.lab.llama import MATRICES, Layer, Llama
from wicket.lab.material import Batch, Material
from wicket.lab.steps import Pace, Stepped, precision, train
from wicket.lab.techniques import distil

NEEDS = frozenset({"training", "any_teacher"})
EMBED_SCHEME = "q8_0"  # what exports give the embedding, whatever the rest gets


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`scheme` is the export's. `target` "teacher" is the recipe's, or the tokens where there is none;
    "itself" the model as it is now, in float. How either is listened to: see `distil.Options`."""

    scheme: str = "q4_0"
    pace: Pace
    target: Literal["teacher", "itself", "tokens"] = "teacher"
    divergence: distil.Divergence = "forward"
    temperature: float = 1.0
    hard: float = 0.0
    logits: distil.Logits = "live"
    k: distil.Likelies = 32


class OnGrid(nn.Module):
    """A weight as its export holds it."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid

    def forward(self, weight: Tensor) -> Tensor:
        """See `grids.straight_through`."""
        return straight_through(self.grid, weight)


def mistake(options: Options) -> tuple[str, str] | None:
    """See `distil.mistake`."""
    return distil.mistake(_listening(options))


def apply(model: Llama, options: Options, material: Material) -> Stepped | distil.Taught:
    """Train in place; afterwards an export with `scheme` holds exactly what was trained."""
    teacher = _target(model, options, material)
    put_on_grid(model, options.scheme)
    trained: Stepped | distil.Taught
    if teacher is not None:
        taught = msgspec.structs.replace(material, teacher=teacher)
        trained = distil.apply(model, _listening(options), taught)
    else:
        trained = train(
            model, material.training, hard_loss, options.pace, folder=material.folder, tell=material.tell
        )
    take_off_grid(model)
    return trained


def _target(model: Llama, options: Options, material: Material) -> Llama | None:
    if options.target == "itself":
        return copy.deepcopy(model)
    return material.teacher if options.target == "teacher" else None


def _listening(options: Options) -> distil.Options:
    return distil.Options(
        pace=options.pace,
        divergence=options.divergence,
        temperature=options.temperature,
        hard=options.hard,
        logits=options.logits,
        k=options.k,
    )


def put_on_grid(model: Llama, scheme: str) -> None:
    """From now on every matrix is used as its export holds it. Raises `OperatorFault` for an unknown one."""
    grid = GRIDS.get(scheme)
    if grid is None:
        raise OperatorFault("bad_recipe", f'scheme = "{scheme}" is none of {", ".join(sorted(GRIDS))}.')
    model.settle()
    model.packed = {}
    for layer in model.layers:
        assert isinstance(layer, Layer)
        for name in MATRICES:
            if layer.parts[name].shape[1] % BLOCK == 0:
                layer.through[name] = OnGrid(grid)
    for name in ("embed", "head"):
        if name in model.top and model.top[name].shape[1] % BLOCK == 0:
            is_embed = name == "embed"
            model.through[name] = OnGrid(GRIDS[EMBED_SCHEME] if is_embed else grid)


def take_off_grid(model: Llama) -> None:
    """Back to the master weights, which an export rounds to the very grid they were trained on."""
    for module in (model, *model.layers):
        for name in [name for name, through in module.through.items() if isinstance(through, OnGrid)]:
            del module.through[name]


def hard_loss(model: Llama, number: int, batch: Batch) -> Tensor:
    """Cross-entropy at the learned places."""
    with precision(model):
        logits = model(batch.ids, batch.learned)
    return F.cross_entropy(logits.float(), batch.targets[batch.learned])
