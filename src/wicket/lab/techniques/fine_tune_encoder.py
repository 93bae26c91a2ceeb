"""Fine-tuning of an encoder with a head: it learns which of few labels a text has.

Cross-entropy with label smoothing (Szegedy et al. 2016), AdamW (Loshchilov & Hutter 2019), lower layers at
lower rates (Howard & Ruder 2018), the forward pass in bfloat16 where the processor has it. The head starts as
a nearest-centroid classifier on the vectors the encoder has already (Snell et al. 2017), so the first steps
are not spent on breaking them; or as logistic regression on them (Kumar et al. 2022), which is slower to find
and better. With a teacher's logits it learns those as well (Hinton et al. 2015).
Interrupted training goes on from its last save, and a finished one is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from wicket.lab.bert import Bert
from wicket.lab.course import Choose, Course, Tell, Trained, descend, has_bfloat16, saver
from wicket.lab.linear import logistic, with_ones
from wicket.lab.saves import Save, load_save

WARM_UP_SHARE = 0.06
LEAST_RATE = 0.02  # of the highest
HEAD_SCALE = 16.0  # a centroid at cosine 1 is so many nats above one at cosine 0
TEMPERATURE = 2.0  # of distillation
POINT_STEPS = 20
_BATCH = 64


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to train. It ends after `epochs` or `minutes`, whichever is sooner; `minutes` 0 is no limit.

    `decay` is each layer's rate as a share of the next higher one's. `has_words`: the embeddings of words
    learn too. `is_balanced`: rare labels weigh more, by the square root of how rare they are. `soft` is the
    share of the loss that a teacher's logits make, where there are any. `start` is how the head begins: as
    the nearest of the labels' "centroids", or "fitted" by logistic regression on the encoder's vectors.
    """

    epochs: int = 5
    minutes: float = 0.0
    batch_size: int = 32
    rate: float = 2e-4
    head_rate: float = 2e-3
    decay: float = 0.85
    weight_decay: float = 0.01
    smoothing: float = 0.1
    has_words: bool = True
    is_balanced: bool = False
    soft: float = 0.7
    start: Literal["centroids", "fitted"] = "centroids"
    seed: int = 0
    save_every_s: float = 60.0


class Labelled(msgspec.Struct, frozen=True):
    """One text as token ids with its label's number."""

    ids: list[int]
    label: int


def collate(texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids and mask (texts, longest); the mask is true at real tokens."""
    width = max(map(len, texts))
    ids = torch.zeros(len(texts), width, dtype=torch.long)
    mask = torch.zeros(len(texts), width, dtype=torch.bool)
    for row, tokens in enumerate(texts):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = True
    return ids, mask


def vectors_of(model: Bert, texts: Sequence[Sequence[int]], *, is_exact: bool = False) -> Tensor:
    """Unit vectors in the order of the texts, without dropout; in float32 if they must be exact."""
    is_training = model.training
    model.eval()
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    found = torch.zeros(len(texts), model.shape.hidden_size)
    # A context, not a decorator: where torch is missing, the decorator would take the types away.
    with torch.no_grad(), autocast(not is_exact):
        for start in range(0, len(order), _BATCH):
            chosen = order[start : start + _BATCH]
            found[chosen] = model.vectors(*collate([texts[index] for index in chosen])).float()
    model.train(is_training)
    return found


def centroids(vectors: Tensor, labels: Sequence[int], num_labels: int) -> Tensor:
    """The mean direction of each label's vectors, at unit length; zero for a label without any."""
    sums = torch.zeros(num_labels, vectors.shape[1]).index_add_(0, torch.tensor(labels), vectors)
    return F.normalize(sums, dim=-1)


def start_head(model: Bert, samples: Sequence[Labelled], *, is_fitted: bool = False) -> None:
    """Make the head a classifier of what the encoder knows now: by centroids, or by logistic regression."""
    assert model.head is not None
    vectors, labels = vectors_of(model, [sample.ids for sample in samples]), [s.label for s in samples]
    num = model.head.out_features
    if is_fitted:
        found = logistic(with_ones(vectors), torch.tensor(labels), num)
        weight, bias = found[:, :-1], found[:, -1]
    else:
        weight, bias = centroids(vectors, labels, num) * HEAD_SCALE, torch.zeros(num)
    with torch.no_grad():
        model.head.weight.copy_(weight)
        model.head.bias.copy_(bias)


class EncoderTraining:
    """One training under way. `teacher` holds a teacher's logits for each sample, or nothing.

    `losses` are each sample's when it was last seen, for whoever looks for wrong answers; `left_out` are the
    samples that were not learned after the first epoch.
    """

    def __init__(
        self,
        model: Bert,
        samples: Sequence[Labelled],
        plan: Plan,
        save: Path | None = None,
        teacher: Tensor | None = None,
    ) -> None:
        assert model.head is not None
        self._model = model
        self._samples = samples
        self._plan = plan
        self._save = save
        self._teacher = teacher
        model.words.requires_grad_(plan.has_words)
        self._optimizer = torch.optim.AdamW(_groups(model, plan), betas=(0.9, 0.98), foreach=True)
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self._weights = _label_weights(samples, model.head.out_features) if plan.is_balanced else None
        self._course = Course(plan, Save(), POINT_STEPS)
        self.losses = [float("nan")] * len(samples)
        self.lengths = [len(sample.ids) for sample in samples]

    @property
    def left_out(self) -> frozenset[int]:
        """The samples that were not learned after the first epoch."""
        return self._course.left_out

    @property
    def losses_seen(self) -> list[float]:
        """`losses`, as the course asks for them."""
        return self.losses

    def run(
        self,
        tell: Tell = lambda share, words: None,
        choose: Choose = lambda losses: frozenset(),
    ) -> Trained:
        """Train to the end. Raises `FloatingPointError` when the loss is no number any more."""
        saved = None
        if self._save is not None:
            saved = load_save(self._save, self._model, self._optimizer)
        if saved is None:
            start_head(self._model, self._samples, is_fitted=self._plan.start == "fitted")
        course = self._course
        course.state = saved or course.state
        torch.manual_seed(self._plan.seed * 1_000_003 + course.state.steps)  # dropout
        self._model.train()
        save = saver(self._save, self._model, self._optimizer)
        trained = course.run(self, save, tell, choose)
        if save is not None:
            save(course.state)
        self._model.eval()
        return trained

    def learn(self, chosen: Sequence[int], share: float) -> tuple[float, int]:
        """See `course.Learning`."""
        factor = min((share + 1e-3) / WARM_UP_SHARE, 1.0) * max(LEAST_RATE, 1 - share)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        loss = self._loss(chosen)
        descend(loss, self._model, self._optimizer, self._course.state.steps)
        return loss.item(), sum(self.lengths[index] for index in chosen)

    def _loss(self, chosen: Sequence[int]) -> Tensor:
        ids, mask = collate([self._samples[index].ids for index in chosen])
        targets = torch.tensor([self._samples[index].label for index in chosen])
        with autocast():
            logits = self._model(ids, mask)
        logits, plan = logits.float(), self._plan
        for index, seen in zip(
            chosen, F.cross_entropy(logits.detach(), targets, reduction="none"), strict=True
        ):
            self.losses[index] = seen.item()
        hard = F.cross_entropy(logits, targets, self._weights, label_smoothing=plan.smoothing)
        if self._teacher is None:
            return hard
        wanted = F.log_softmax(self._teacher[list(chosen)] / TEMPERATURE, dim=-1)
        given = F.log_softmax(logits / TEMPERATURE, dim=-1)
        soft = F.kl_div(given, wanted, reduction="batchmean", log_target=True) * TEMPERATURE**2
        return plan.soft * soft + (1 - plan.soft) * hard


def autocast(is_wanted: bool = True) -> torch.autocast:
    """bfloat16 where it is worth while."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_wanted and has_bfloat16("cpu"))


def _groups(model: Bert, plan: Plan) -> list[dict[str, object]]:
    """Parameters by rate: the head's own, then layer by layer less; vectors of one row don't decay."""
    rates: dict[float, list[nn.Parameter]] = {}
    depth = model.shape.num_hidden_layers
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        parts = name.split(".")
        if parts[0] == "head":
            rate = plan.head_rate
        else:
            below = depth - 1 - int(parts[1]) if parts[0] == "layers" else depth
            rate = plan.rate * plan.decay**below
        rates.setdefault(rate, []).append(parameter)
    groups: list[dict[str, object]] = []
    for rate, parameters in rates.items():
        for is_matrix in (True, False):
            chosen = [p for p in parameters if (p.ndim > 1) == is_matrix]
            decay = plan.weight_decay if is_matrix else 0.0
            groups += [{"params": chosen, "lr": rate, "weight_decay": decay}] if chosen else []
    return groups


def _label_weights(samples: Sequence[Labelled], num_labels: int) -> Tensor:
    counts = torch.bincount(torch.tensor([sample.label for sample in samples]), minlength=num_labels)
    weights = (counts.float().mean() / counts.clamp(min=1)).sqrt().clamp(max=4.0)
    return weights / weights.mean()
