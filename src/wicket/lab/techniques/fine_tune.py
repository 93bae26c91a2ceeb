"""Task fine-tuning: a student learns to write the answers of samples. Full, or low-rank (Hu et al. 2021).

AdamW (Loshchilov & Hutter 2019) in float32 with the forward pass in bfloat16 where the processor has it; the
learning rate rises for some steps and falls linearly to nothing. Interrupted training goes on from its last
save.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from wicket.lab.encode import IGNORED, Encoded, batches, collate
from wicket.lab.llama import Llama
from wicket.lab.saves import Save, load_save, write_save

WARM_UP_STEPS = 10
LEAST_RATE = 0.02  # of the highest
CLIP = 1.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to train. It ends after `epochs` or `minutes`, whichever is sooner; `minutes` 0 is no limit."""

    epochs: int = 3
    minutes: float = 0.0
    batch_size: int = 16
    rate: float = 1e-4
    weight_decay: float = 0.01
    seed: int = 0
    save_every_s: float = 120.0


class Trained(msgspec.Struct, frozen=True):
    """What happened. `curve` holds (samples seen, mean loss per token since the last point)."""

    steps: int
    num_samples: int
    num_tokens: int
    seconds: float
    curve: list[tuple[int, float]]
    stopped: str  # "epochs" or "minutes"


class Losses:
    """Each sample's mean loss when it was last seen, for whoever looks for wrong answers.

    It is told in parts of what was usual at that moment: the first samples are seen by a model that knows
    nothing yet.
    """

    def __init__(self, num: int) -> None:
        self.of = [float("nan")] * num
        self._usual = float("nan")

    def note(self, chosen: Sequence[int], per_token: Tensor, targets: Tensor) -> None:
        """`per_token` are the losses of the learned positions of `targets`, in row order."""
        rows = (targets != IGNORED).nonzero()[:, 0]
        sums = torch.zeros(len(chosen)).index_add_(0, rows, per_token.cpu())
        counts = torch.bincount(rows.cpu(), minlength=len(chosen)).clamp(min=1)
        losses = sums / counts
        now = float(losses.median())
        self._usual = now if self._usual != self._usual else 0.8 * self._usual + 0.2 * now
        for index, loss in zip(chosen, losses.tolist(), strict=True):
            self.of[index] = loss / max(self._usual, 1e-3)


class Training:
    """One training under way. `choose` may leave samples out after the first epoch (see `suspects`)."""

    def __init__(
        self, model: Llama, samples: Sequence[Encoded], plan: Plan, save: Path | None = None
    ) -> None:
        self._model = model
        self._samples = samples
        self._plan = plan
        self._save = save
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=plan.rate, betas=(0.9, 0.95), weight_decay=plan.weight_decay
        )
        self.losses = Losses(len(samples))
        self.left_out: frozenset[int] = frozenset()
        self._state = Save()
        self._recent: list[float] = []

    def run(
        self,
        tell: Callable[[float, str], None] = lambda share, words: None,
        choose: Callable[[list[float]], frozenset[int]] = lambda losses: frozenset(),
    ) -> Trained:
        """Train to the end. Raises `FloatingPointError` when the loss is no number any more."""
        if self._save is not None:
            self._state = load_save(self._save, self._model, self._optimizer) or self._state
            self.left_out = frozenset(self._state.left_out)
        plan, state = self._plan, self._state
        self._model.train()
        before_s, started_s = state.seconds, time.monotonic()
        next_save_s = started_s + plan.save_every_s
        stopped = "epochs"
        while state.epoch < plan.epochs and stopped == "epochs":
            order = self._order(state.epoch)
            while state.batch < len(order):
                now = time.monotonic()
                state.seconds = before_s + now - started_s
                share = self._share(len(order))
                if plan.minutes and state.seconds >= plan.minutes * 60:
                    stopped = "minutes"
                    break
                if self._save is not None and now >= next_save_s:
                    write_save(self._save, self._model, self._optimizer, state)
                    next_save_s = time.monotonic() + plan.save_every_s
                self._step(order[state.batch], share)
                state.batch += 1
                tell(share, f"epoch {state.epoch + 1}, loss {self._mean():.3f}")
            else:
                state.epoch, state.batch = state.epoch + 1, 0
                if state.epoch == 1 and plan.epochs > 1:
                    self.left_out = choose(self.losses.of)
                    state.left_out = sorted(self.left_out)
        self._point()
        self._model.eval()
        return Trained(state.steps, state.num_samples, state.num_tokens, state.seconds, state.curve, stopped)

    def _order(self, epoch: int) -> list[list[int]]:
        kept = [index for index in range(len(self._samples)) if index not in self.left_out]
        lengths = [len(self._samples[index]) for index in kept]
        chosen = batches(lengths, self._plan.batch_size, seed=self._plan.seed * 1_000 + epoch)
        return [[kept[at] for at in batch] for batch in chosen]

    def _share(self, num_batches: int) -> float:
        """How much of the training is done: by samples or by time, whichever ends it sooner."""
        by_epochs = (self._state.epoch + self._state.batch / num_batches) / self._plan.epochs
        minutes = self._plan.minutes
        return min(1.0, max(by_epochs, self._state.seconds / 60 / minutes if minutes else 0.0))

    def _step(self, chosen: Sequence[int], share: float) -> None:
        state = self._state
        rate = self._plan.rate * min(1.0, (state.steps + 1) / WARM_UP_STEPS) * max(LEAST_RATE, 1 - share)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        ids, targets = collate([self._samples[index] for index in chosen])
        per_token = token_losses(self._model, ids, targets)
        loss = per_token.mean()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} after {state.steps} steps")
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self._parameters, CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.losses.note(chosen, per_token.detach(), targets)
        self._recent.append(loss.item())
        state.steps += 1
        state.num_samples += len(chosen)
        state.num_tokens += ids.numel()
        if len(self._recent) >= 10:
            self._point()

    def _mean(self) -> float:
        if self._recent:
            return sum(self._recent) / len(self._recent)
        return self._state.curve[-1][1] if self._state.curve else float("nan")

    def _point(self) -> None:
        if self._recent:
            self._state.curve.append((self._state.num_samples, self._mean()))
            self._recent.clear()


def token_losses(model: Llama, ids: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats at each learned position, in row order."""
    learned = targets != IGNORED
    with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(ids.device.type)):
        logits = model(ids, learned)
    return F.cross_entropy(logits.float(), targets[learned], reduction="none")


def has_bfloat16(device: str) -> bool:
    """Whether bfloat16 is worth while: slower than float32 on a CPU without instructions for it."""
    if device != "cpu":
        return True
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
