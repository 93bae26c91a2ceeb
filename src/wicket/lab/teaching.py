"""Who tells a student what the teacher thinks: a teacher in memory, or what a store kept of one."""

from __future__ import annotations

import hashlib
from typing import Protocol

import msgspec
import torch
from torch import Tensor

from wicket.lab.llama import Llama
from wicket.lab.material import Batch
from wicket.lab.steps import precision


class Likeliest(msgspec.Struct, frozen=True):
    """Of each place the teacher's likeliest tokens, (places, k), and their log-probabilities at the
    temperature of the distillation."""

    ids: Tensor
    logprobs: Tensor


class Teaching(Protocol):
    """Who says what the teacher thinks: the logits of the learned places, or the likeliest tokens."""

    def says(self, number: int, batch: Batch) -> Tensor | Likeliest:
        """Of batch `number`."""
        ...


class Live:
    """A teacher in memory."""

    def __init__(self, teacher: Llama) -> None:
        self._teacher = teacher.eval()

    def says(self, number: int, batch: Batch) -> Tensor:
        """See `Teaching`."""
        with torch.no_grad(), precision(self._teacher):
            logits: Tensor = self._teacher(batch.ids, batch.learned)
        return logits.float()


def fingerprint(model: Llama) -> str:
    """A hash of a model's shape and weights: another teacher says other things."""
    digest = hashlib.sha256(repr(model.shape).encode())
    for name, parameter in model.named_parameters():
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
