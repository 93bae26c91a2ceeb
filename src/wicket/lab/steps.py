"""Training by steps: a source's batches in their order, a loss, a rate that rises and falls; resumable."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from wicket.lab.course import descend, has_bfloat16, saver
from wicket.lab.llama import Llama
from wicket.lab.material import Batch, Source, Tell
from wicket.lab.saves import Save, load_save

POINT_STEPS = 10
LEAST_WIDTH_BF16 = 256  # below it the casts cost more than they save

Loss = Callable[[Llama, int, Batch], Tensor]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How to train. `least_rate` is the end of the cosine, in parts of `rate`."""

    steps: int
    rate: float = 1e-3
    warm_up: int = 20
    least_rate: float = 0.1
    weight_decay: float = 0.01
    save_every_s: float = 120.0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step: a linear rise, then half a cosine."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        share = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.rate * (self.least_rate + (1 - self.least_rate) * (1 + math.cos(math.pi * share)) / 2)


class Stepped(msgspec.Struct, frozen=True):
    """What happened. `curve` holds (tokens read, mean loss since the last point)."""

    steps: int
    num_tokens: int
    seconds: float
    curve: list[tuple[int, float]]


def train(
    model: Llama,
    source: Source,
    loss: Loss,
    pace: Pace,
    *,
    folder: Path | None = None,
    tell: Tell = lambda share, words: None,
) -> Stepped:
    """Take `pace.steps` steps. Raises `FloatingPointError` when the loss is no number any more."""
    learning = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": pace.weight_decay},
        {"params": [p for p in learning if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=pace.rate, betas=(0.9, 0.95))
    state = (load_save(folder, model, optimizer) if folder is not None else None) or Save()
    save = saver(folder, model, optimizer)
    model.train()
    before_s, started_s = state.seconds, time.monotonic()
    saved_s, recent = started_s, list[float]()
    while state.steps < pace.steps:
        batch = source.batch(state.steps)
        for group in optimizer.param_groups:
            group["lr"] = pace.rate_at(state.steps)
        found = loss(model, state.steps, batch)
        descend(found, model, optimizer, state.steps)
        recent.append(found.item())
        state.steps += 1
        state.num_tokens += batch.ids.numel()
        state.seconds = before_s + time.monotonic() - started_s
        if len(recent) >= POINT_STEPS or state.steps == pace.steps:
            state.curve.append((state.num_tokens, sum(recent) / len(recent)))
            recent.clear()
            tell(state.steps / pace.steps, f"step {state.steps}, loss {state.curve[-1][1]:.3f}")
        if save is not None and time.monotonic() - saved_s > pace.save_every_s:
            save(state)
            saved_s = time.monotonic()
    model.eval()
    return Stepped(state.steps, state.num_tokens, state.seconds, state.curve)


def precision(model: Llama) -> torch.autocast:
    """bfloat16 where the processor has it and the model is wide enough to gain by it."""
    device = model.top["norm"].device.type
    is_wide = device != "cpu" or model.shape.hidden >= LEAST_WIDTH_BF16
    return torch.autocast(device, dtype=torch.bfloat16, enabled=is_wide and has_bfloat16(device))
