"""Where an interrupted training goes on: weights, moments and counters in safetensors, never pickle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FILE_NAME = "training.safetensors"


class Save(msgspec.Struct):
    """How far a training has come."""

    epoch: int = 0
    batch: int = 0
    steps: int = 0
    num_samples: int = 0
    num_tokens: int = 0
    seconds: float = 0.0
    curve: list[tuple[int, float]] = []
    left_out: list[int] = []
    num_averaged: int = 0


def write_save(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Save,
    means: Mapping[str, Tensor] | None = None,
) -> None:
    """Replace the save whole. A full disk costs the save, not the training.

    `means` are the parameters' averages over the last steps, by name, where they are taken.
    """
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters() if p.requires_grad}
    tensors |= {f"mean.{name}": mean for name, mean in (means or {}).items()}
    names = {id(p): name for name, p in model.named_parameters()}
    for parameter, moments in optimizer.state.items():
        for kind in ("exp_avg", "exp_avg_sq"):
            tensors[f"{kind}.{names[id(parameter)]}"] = moments[kind].to(torch.bfloat16)
    draft = folder / f"{FILE_NAME}.new"
    try:
        save_file(tensors, draft, metadata={"state": msgspec.json.encode(state).decode()})
        os.replace(draft, folder / FILE_NAME)
    except (OSError, SafetensorError):
        draft.unlink(missing_ok=True)


def load_save(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Save | None:
    """Bring model and optimizer back to the last save and say how far it was; None without a usable one."""
    path = folder / FILE_NAME
    try:
        tensors = load_file(path)
        state = _state(path)
    except (OSError, SafetensorError, msgspec.DecodeError, KeyError):
        return None
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if any(f"model.{name}" not in tensors for name in parameters):
        return None
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"model.{name}"])
            if f"exp_avg.{name}" in tensors:
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(state.steps)),
                    "exp_avg": tensors[f"exp_avg.{name}"].to(parameter.dtype),
                    "exp_avg_sq": tensors[f"exp_avg_sq.{name}"].to(parameter.dtype),
                }
    return state


def load_means(folder: Path) -> dict[str, Tensor]:
    """The averages that the last save holds; none where it holds none, or is missing."""
    try:
        tensors = load_file(folder / FILE_NAME)
    except (OSError, SafetensorError):
        return {}
    return {name.removeprefix("mean."): t for name, t in tensors.items() if name.startswith("mean.")}


def drop_save(folder: Path) -> None:
    """The training is over."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def _state(path: Path) -> Save:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    return msgspec.json.decode(metadata["state"], type=Save)
