"""How good a decoder is on tokens it was not taught: loss, perplexity, and how like its teacher it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from wicket.lab.llama import Llama
from wicket.lab.material import Batch
from wicket.lab.steps import precision


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """`loss` in nats per token. `kl` is that of the teacher's distribution from ours, `same_top` the share of
    places where both think the same token likeliest; both None without a teacher."""

    num_tokens: int
    loss: float
    kl: float | None = None
    same_top: float | None = None

    @property
    def perplexity(self) -> float:
        """e to the loss."""
        return math.exp(self.loss)


def _logits(model: Llama, batch: Batch) -> Tensor:
    with torch.no_grad(), precision(model):
        logits: Tensor = model(batch.ids, batch.learned)
    return logits.float()


def likeness(model: Llama, batches: Sequence[Batch], teacher: Llama | None = None) -> Likeness:
    """Measured over all learned places of the batches."""
    was_training = model.training
    model.eval()
    num, loss, kl, same = 0, 0.0, 0.0, 0
    for batch in batches:
        ours = _logits(model, batch)
        wanted = batch.targets[batch.learned]
        num += len(wanted)
        loss += float(F.cross_entropy(ours, wanted, reduction="sum"))
        if teacher is not None:
            theirs = _logits(teacher, batch)
            kl += float(
                F.kl_div(ours.log_softmax(-1), theirs.log_softmax(-1), reduction="sum", log_target=True)
            )
            same += int((ours.argmax(-1) == theirs.argmax(-1)).sum())
    model.train(was_training)
    if teacher is None:
        return Likeness(num_tokens=num, loss=loss / num)
    return Likeness(num_tokens=num, loss=loss / num, kl=kl / num, same_top=same / num)
