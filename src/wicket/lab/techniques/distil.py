"""Logit distillation: a student learns its teacher's distribution over the next token, not only the token.

Hinton et al. 2015 (temperature, T squared); reverse and generalised Jensen-Shannon divergences as in Agarwal
et al. 2024 (GKD). The teacher answers live, or from a store of its likeliest tokens (`lab.logit_store`),
where all others share one bucket: without it a student would learn heads that are too sure of themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from wicket.errors import OperatorFault
from wicket.lab.llama import Llama
from wicket.lab.material import Batch, Material
from wicket.lab.steps import Pace, Stepped, precision, train

NEEDS = frozenset({"training", "teacher"})
Divergence = Literal["forward", "reverse", "jensen_shannon"]
LEAST_TAIL = 1e-8


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hard` is the share of plain cross-entropy in the loss; `mix` that of the teacher in Jensen-Shannon's
    middle. `places` "all" learns from what the teacher thinks at every token of a sample, and not only of its
    answer: a student that has lost half of its layers has more to learn again than how to answer."""

    pace: Pace
    divergence: Divergence = "forward"
    temperature: float = 1.0
    hard: float = 0.0
    mix: float = 0.5
    places: Literal["learned", "all"] = "learned"


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


def apply(model: Llama, options: Options, material: Material) -> Stepped:
    """Distil `material.teacher` into `model`, in place. Raises `OperatorFault` where they don't fit."""
    teacher = material.teacher
    if teacher is None:
        raise OperatorFault("no_teacher", "Distillation needs a teacher: give the recipe one.")
    check_vocabularies(teacher, model)
    return distil(model, options, material, Live(teacher))


def distil(model: Llama, options: Options, material: Material, teaching: Teaching) -> Stepped:
    """`apply` with whoever teaches."""

    def loss(student: Llama, number: int, batch: Batch) -> Tensor:
        batch = batch.whole() if options.places == "all" else batch
        theirs = teaching.says(number, batch)
        with precision(student):
            logits = student(batch.ids, batch.learned)
        logits = logits.float()
        if isinstance(theirs, Likeliest):
            soft = bucketed(logits, theirs, options.temperature)
        else:
            soft = DIVERGENCES[options.divergence](logits, theirs, options)
        if not options.hard:
            return soft
        hard = F.cross_entropy(logits, batch.targets[batch.learned])
        return options.hard * hard + (1 - options.hard) * soft

    return train(model, material.training, loss, options.pace, folder=material.folder, tell=material.tell)


def check_vocabularies(teacher: Llama, student: Llama) -> None:
    """Raise `OperatorFault` where the two number tokens differently: their logits don't compare."""
    ours, theirs = student.shape.vocab_size, teacher.shape.vocab_size
    if ours != theirs:
        message = f"The teacher has {theirs:,} tokens and the student {ours:,}: logits can't be distilled. "
        message += "Let the teacher write answers and fine-tune on them (text distillation)."
        raise OperatorFault("vocabulary_mismatch", message)


def forward(logits: Tensor, theirs: Tensor, options: Options) -> Tensor:
    """KL(teacher, student): the student covers all that the teacher may say."""
    t = options.temperature
    ours, target = (logits / t).log_softmax(-1), (theirs / t).log_softmax(-1)
    return F.kl_div(ours, target, reduction="batchmean", log_target=True) * t * t


def reverse(logits: Tensor, theirs: Tensor, options: Options) -> Tensor:
    """KL(student, teacher): the student says only what the teacher would."""
    t = options.temperature
    ours, target = (logits / t).log_softmax(-1), (theirs / t).log_softmax(-1)
    return F.kl_div(target, ours, reduction="batchmean", log_target=True) * t * t


def jensen_shannon(logits: Tensor, theirs: Tensor, options: Options) -> Tensor:
    """Both against their mixture, weighted so that `mix` 0 and 1 come close to the two others."""
    t, mix = options.temperature, options.mix
    ours, target = (logits / t).log_softmax(-1), (theirs / t).log_softmax(-1)
    weights = torch.tensor([mix, 1 - mix]).log()
    middle = torch.logsumexp(torch.stack((target + weights[0], ours + weights[1])), 0)
    to_teacher = F.kl_div(middle, target, reduction="batchmean", log_target=True)
    to_student = F.kl_div(middle, ours, reduction="batchmean", log_target=True)
    return (mix * to_teacher + (1 - mix) * to_student) * t * t


def bucketed(logits: Tensor, theirs: Likeliest, temperature: float) -> Tensor:
    """Forward KL over the stored tokens and one bucket for all others."""
    ours = (logits / temperature).log_softmax(-1).gather(-1, theirs.ids)
    target = theirs.logprobs
    ours_tail = (1 - ours.exp().sum(-1)).clamp(min=LEAST_TAIL).log()
    tail = (1 - target.exp().sum(-1)).clamp(min=LEAST_TAIL).log()
    heads = (target.exp() * (target - ours)).sum(-1)
    return (heads + tail.exp() * (tail - ours_tail)).mean() * temperature * temperature


DIVERGENCES: dict[Divergence, Callable[[Tensor, Tensor, Options], Tensor]] = {
    "forward": forward,
    "reverse": reverse,
    "jensen_shannon": jensen_shannon,
}
