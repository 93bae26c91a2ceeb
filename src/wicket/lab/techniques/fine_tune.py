"""Task fine-tuning: a student learns to write the answers of samples, with all of its weights.

AdamW (Loshchilov & Hutter 2019) in float32 with the forward pass in bfloat16 where the processor has it; the
learning rate rises for some steps and falls linearly to nothing. Interrupted training goes on from its last
save.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from wicket.lab.course import Choose, Course, Tell, Trained, descend, has_bfloat16, saver
from wicket.lab.encode import IGNORED, Encoded, collate
from wicket.lab.llama import Llama
from wicket.lab.saves import Save, load_save

WARM_UP_STEPS = 10
LEAST_RATE = 0.02  # of the highest
POINT_STEPS = 10


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to train. It ends after `epochs` or `minutes`, whichever is sooner; `minutes` 0 is no limit."""

    epochs: int = 3
    minutes: float = 0.0
    batch_size: int = 16
    rate: float = 1e-4
    weight_decay: float = 0.01
    seed: int = 0
    save_every_s: float = 120.0


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
        learning = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            learning, lr=plan.rate, betas=(0.9, 0.95), weight_decay=plan.weight_decay
        )
        self._course = Course(plan, Save(), POINT_STEPS)
        self.losses = Losses(len(samples))
        self.lengths = [len(sample) for sample in samples]

    @property
    def left_out(self) -> frozenset[int]:
        """The samples that were not learned after the first epoch."""
        return self._course.left_out

    @property
    def losses_seen(self) -> list[float]:
        """See `Losses`."""
        return self.losses.of

    def run(
        self,
        tell: Tell = lambda share, words: None,
        choose: Choose = lambda losses: frozenset(),
    ) -> Trained:
        """Train to the end. Raises `FloatingPointError` when the loss is no number any more."""
        if self._save is not None:
            saved = load_save(self._save, self._model, self._optimizer)
            self._course.state = saved or self._course.state
        self._model.train()
        save = saver(self._save, self._model, self._optimizer)
        trained = self._course.run(self, save, tell, choose)
        self._model.eval()
        return trained

    def learn(self, chosen: Sequence[int], share: float) -> tuple[float, int]:
        """See `course.Learning`."""
        steps = self._course.state.steps
        rate = self._plan.rate * min(1.0, (steps + 1) / WARM_UP_STEPS) * max(LEAST_RATE, 1 - share)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        ids, targets = collate([self._samples[index] for index in chosen])
        per_token = token_losses(self._model, ids, targets)
        loss = per_token.mean()
        descend(loss, self._model, self._optimizer, steps)
        self.losses.note(chosen, per_token.detach(), targets)
        return loss.item(), ids.numel()


def token_losses(model: Llama, ids: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy in nats at each learned position, in row order."""
    learned = targets != IGNORED
    with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(ids.device.type)):
        logits = model(ids, learned)
    return F.cross_entropy(logits.float(), targets[learned], reduction="none")
