"""Logit distillation: a student learns its teacher's distribution over the next token, not only the token.

Hinton et al. 2015 (temperature, T squared); reverse and generalised Jensen-Shannon divergences as in Agarwal
et al. 2024 (GKD). The teacher answers live, or from a store of its likeliest tokens (`lab.logit_store`),
where all others share one bucket: without it a student would learn heads that are too sure of themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from wicket.errors import OperatorFault
from wicket.lab.llama import Llama
from wicket.lab.logit_store import Store, Wanted, write_store
from wicket.lab.material import Batch, Material, Whole
from wicket.lab.steps import Pace, Stepped, precision, train
from wicket.lab.teaching import Likeliest, Live, Teaching, fingerprint

NEEDS = frozenset({"training", "teacher"})
Divergence = Literal["forward", "reverse", "jensen_shannon"]
Logits = Literal["live", "stored"]
Likelies = Annotated[int, Meta(ge=1, le=4096)]
LEAST_TAIL = 1e-8


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hard` is the share of plain cross-entropy in the loss; `mix` that of the teacher in Jensen-Shannon's
    middle. `places` "all" learns from what the teacher thinks at every token of a sample, and not only of its
    answer: a student that has lost half of its layers has more to learn again than how to answer. With
    `logits` "stored" the teacher is asked once, its `k` likeliest tokens go onto the disk, and the training
    reads them there."""

    pace: Pace
    divergence: Divergence = "forward"
    temperature: float = 1.0
    hard: float = 0.0
    mix: float = 0.5
    places: Literal["learned", "all"] = "learned"
    logits: Logits = "live"
    k: Likelies = 32


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The store that taught: `num_asked` of its places were asked of the teacher now, the rest were there."""

    k: int
    bytes_per_token: float
    num_places: int
    num_asked: int
    sha256: str


class Taught(msgspec.Struct, frozen=True):
    """A training from stored logits."""

    course: Stepped
    stored: Stored


def mistake(options: Options) -> tuple[str, str] | None:
    """What options say that can't be, with the field that says it."""
    if options.logits == "stored" and options.divergence != "forward":
        return (
            "divergence",
            f'stored logits know only the likeliest tokens: "forward", not "{options.divergence}"',
        )
    return None


def apply(model: Llama, options: Options, material: Material) -> Stepped | Taught:
    """Distil `material.teacher` into `model`, in place. Raises `OperatorFault` where they don't fit."""
    teacher = material.teacher
    if teacher is None:
        raise OperatorFault("no_teacher", "Distillation needs a teacher: give the recipe one.")
    check_vocabularies(teacher, model)
    if options.places == "all":
        material = msgspec.structs.replace(material, training=Whole(material.training))
    if options.logits == "live":
        return distil(model, options, material, Live(teacher))
    wrong = mistake(options)
    if wrong is not None:
        raise OperatorFault("bad_recipe", f"{wrong[0]}: {wrong[1]}.")
    store, num_asked = store_of(teacher, options, material)
    course = distil(model, options, material, store)
    return Taught(
        course,
        Stored(
            k=options.k,
            bytes_per_token=store.bytes_per_token,
            num_places=store.num_places,
            num_asked=num_asked,
            sha256=store.sha256,
        ),
    )


def store_of(teacher: Llama, options: Options, material: Material) -> tuple[Store, int]:
    """The store of all batches of a training, made or gone on with; and how many places were asked now.

    Raises `OperatorFault` where there is no folder for it, and for a full disk.
    """
    if material.stores is None:
        raise OperatorFault("no_folder", "Stored logits need a folder to be stored in.")
    wanted = Wanted(options.k, options.temperature, fingerprint(teacher), options.pace.save_every_s)
    folder = material.stores / f"{wanted.teacher[:12]}-k{wanted.k}-t{wanted.temperature:g}"
    if options.places == "all":
        folder = folder.with_name(f"{folder.name}-all")
    num, asked, live = options.pace.steps, [0], Live(teacher)

    class Counted:
        def says(self, number: int, batch: Batch) -> Tensor:
            asked[0] += int(batch.learned.sum())
            return live.says(number, batch)

    batches = (material.training.batch(number) for number in range(num))
    tell = lambda done: material.tell(done / num, f"asking the teacher, batch {done} of {num}")  # noqa: E731
    return write_store(folder, Counted(), batches, wanted, tell), asked[0]


def distil(model: Llama, options: Options, material: Material, teaching: Teaching) -> Stepped:
    """`apply` with whoever teaches."""

    def loss(student: Llama, number: int, batch: Batch) -> Tensor:
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
