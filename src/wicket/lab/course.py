"""The course of a training, whatever it teaches: epochs of batches, a time limit, saves, a curve."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import torch
from torch import Tensor, nn

from wicket.lab.encode import batches
from wicket.lab.saves import Save, write_save

CLIP = 1.0

Tell = Callable[[float, str], None]
Choose = Callable[[list[float]], frozenset[int]]


class Pace(Protocol):
    """What a plan says of time. It ends after `epochs` or `minutes`, whichever is sooner; 0 is no limit."""

    @property
    def epochs(self) -> int:
        """How often each sample is seen."""
        ...

    @property
    def minutes(self) -> float:
        """The limit, earlier parts of an interrupted training included."""
        ...

    @property
    def batch_size(self) -> int:
        """Samples of a step."""
        ...

    @property
    def seed(self) -> int:
        """Of the order of samples."""
        ...

    @property
    def save_every_s(self) -> float:
        """How much an interruption may cost."""
        ...


class Trained(msgspec.Struct, frozen=True):
    """What happened. `curve` holds (samples seen, mean loss since the last point)."""

    steps: int
    num_samples: int
    num_tokens: int
    seconds: float
    curve: list[tuple[int, float]]
    stopped: str  # "epochs" or "minutes"


class Learning(Protocol):
    """What is trained: how long its samples are, and what one step does."""

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each sample, so that batches hold samples of like length."""
        ...

    @property
    def losses_seen(self) -> list[float]:
        """Each sample's loss when it was last seen."""
        ...

    def learn(self, chosen: Sequence[int], share: float) -> tuple[float, int]:
        """One step on these samples when `share` of the course is done: its loss, and the tokens read."""
        ...


class Course:
    """One course. `state` is where it stands; `left_out` are samples not learned after the first epoch."""

    def __init__(self, pace: Pace, state: Save, point_steps: int) -> None:
        self.state = state
        self._pace = pace
        self._point_steps = point_steps
        self._recent: list[float] = []

    @property
    def left_out(self) -> frozenset[int]:
        """By their places."""
        return frozenset(self.state.left_out)

    def run(
        self, learning: Learning, save: Callable[[Save], None] | None, tell: Tell, choose: Choose
    ) -> Trained:
        """To the end, or the time limit; `save` is called now and then with the state."""
        pace, state = self._pace, self.state
        before_s, started_s = state.seconds, time.monotonic()
        next_save_s = started_s + pace.save_every_s
        stopped = "epochs"
        while state.epoch < pace.epochs and stopped == "epochs":
            order = self._order(learning.lengths)
            while state.batch < len(order):
                now = time.monotonic()
                state.seconds = before_s + now - started_s
                if pace.minutes and state.seconds >= pace.minutes * 60:
                    stopped = "minutes"
                    break
                if save is not None and now >= next_save_s:
                    save(state)
                    next_save_s = time.monotonic() + pace.save_every_s
                share = self._share(len(order))
                self._note(order[state.batch], *learning.learn(order[state.batch], share))
                tell(share, f"epoch {state.epoch + 1}, loss {self._mean():.3f}")
            else:
                state.epoch, state.batch = state.epoch + 1, 0
                if state.epoch == 1 and pace.epochs > 1:
                    state.left_out = sorted(choose(learning.losses_seen))
        self._point()
        return Trained(state.steps, state.num_samples, state.num_tokens, state.seconds, state.curve, stopped)

    def _order(self, lengths: Sequence[int]) -> list[list[int]]:
        left_out = self.left_out
        kept = [index for index in range(len(lengths)) if index not in left_out]
        seed = self._pace.seed * 1_000 + self.state.epoch
        chosen = batches([lengths[index] for index in kept], self._pace.batch_size, seed=seed)
        return [[kept[at] for at in batch] for batch in chosen]

    def _share(self, num_batches: int) -> float:
        """How much of the course is done: by samples or by time, whichever ends it sooner."""
        by_epochs = (self.state.epoch + self.state.batch / num_batches) / self._pace.epochs
        minutes = self._pace.minutes
        return min(1.0, max(by_epochs, self.state.seconds / 60 / minutes if minutes else 0.0))

    def _note(self, chosen: Sequence[int], loss: float, num_tokens: int) -> None:
        state = self.state
        self._recent.append(loss)
        state.steps += 1
        state.batch += 1
        state.num_samples += len(chosen)
        state.num_tokens += num_tokens
        if len(self._recent) >= self._point_steps:
            self._point()

    def _mean(self) -> float:
        if self._recent:
            return sum(self._recent) / len(self._recent)
        return self.state.curve[-1][1] if self.state.curve else float("nan")

    def _point(self) -> None:
        if self._recent:
            self.state.curve.append((self.state.num_samples, self._mean()))
            self._recent.clear()


def saver(
    folder: Path | None, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Callable[[Save], None] | None:
    """Writes saves into a folder; None where there is none."""
    if folder is None:
        return None
    return lambda state: write_save(folder, model, optimizer, state)


def descend(loss: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """One step down. Raises `FloatingPointError` when the loss is no number any more."""
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss.item()} after {steps} steps")
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def has_bfloat16(device: str) -> bool:
    """Whether bfloat16 is worth while: slower than float32 on a CPU without instructions for it."""
    if device != "cpu":
        return True
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
