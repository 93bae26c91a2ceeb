"""A mini that picks labels: a sentence encoder with a head, fine-tuned on the task, exported as a folder.

The same three steps as for a mini that writes (`mini_writer`): `fit` on lessons, `answer` with the exported
folder in the engine that will serve it, `evidence_of` each answer. With `Small`, the fine-tuned encoder is a
teacher: a student with fewer layers and fewer word pieces learns its logits and is exported in its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from wicket.engines import minilm
from wicket.engines.contract import Certainty, Classified, Classify, Refused
from wicket.errors import CallerFault, EngineFault
from wicket.lab.bert import Bert, with_layers, with_words
from wicket.lab.course import Trained
from wicket.lab.encoder_folder import MAX_TOKENS, Base, Made, read_base, word_pieces, write_encoder
from wicket.lab.mini_data import Lesson
from wicket.lab.mini_writer import Fitted, Teacher
from wicket.lab.progress import Progress
from wicket.lab.saves import drop_save
from wicket.lab.techniques.fine_tune_encoder import (
    EncoderTraining,
    Labelled,
    Plan,
    centroids,
    vectors_of,
)
from wicket.lab.techniques.trim_vocabulary import kept_pieces, trimmed
from wicket.minis.confidence import label_evidence

MODEL_FOLDER = "model"
TEACHER_FOLDER = "teacher"  # in a run with a student: the teacher, as a run of its own
DEFAULT_BASE = "all-minilm-l6-v2"
LEAST_INPUT_TOKENS = 32
_CHUNK = 64
_SEEN = 10_000  # samples, again and again: enough for 2,000 examples with 151 labels (docs/lab-log.md)
_EPOCHS = (3, 20)

Tell = Callable[[float, str], None]
Choose = Callable[[list[float]], frozenset[int]]


class Small(msgspec.Struct, frozen=True, kw_only=True):
    """A smaller mini: which layers of the teacher it starts from, and how many word pieces it knows."""

    layers: tuple[int, ...] = (0, 1, 3, 5)
    pieces: int = 6_000
    plan: Plan = Plan(epochs=8)


def usual_plan(num_lessons: int, *, minutes: float = 0.0, seed: int = 0) -> Plan:
    """A plan by the number of lessons: few are seen often, many are seen three times."""
    epochs = max(_EPOCHS[0], min(_EPOCHS[1], round(_SEEN / max(1, num_lessons))))
    return Plan(epochs=epochs, minutes=minutes, seed=seed)


class Picked(msgspec.Struct, frozen=True):
    """The label of one text, and how sure the engine is of it."""

    text: str
    certainty: Certainty
    is_complete: bool = True


def fit(
    folder: Path,
    base: Path,
    lessons: Sequence[Lesson],
    plan: Plan,
    small: Small | None = None,
    choose: Choose = lambda losses: frozenset(),
) -> Fitted:
    """Train on lessons and leave `model/` in the folder; with `small` the student's, and `teacher/model/`.

    `choose` says from the losses of the first epoch which lessons are doubtful and not learned any more.
    Raises `CallerFault` if there is nothing to tell apart, `EngineFault` for a base that can't be used.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1)
    torch.manual_seed(plan.seed)
    start = read_base(base)
    labels = sorted({lesson.answer for lesson in lessons})
    if len(labels) < 2:
        raise CallerFault("one_label", "The examples have one answer only: there is nothing to tell apart.")
    samples = _labelled(start, lessons, labels)
    full, trained, doubtful = _teacher(folder, start, samples, plan, choose)
    kept = [sample for index, sample in enumerate(samples) if index not in doubtful]
    texts = [lesson.shown for index, lesson in enumerate(lessons) if index not in doubtful]
    model, tokenizer, taught_by = full, start.tokenizer, None
    if small is not None:
        size = _export(folder / TEACHER_FOLDER, start, full, Made(labels, _middles(full, kept), tokenizer))
        taught_by = Teacher(trained, full.num_parameters(), size)
        model, tokenizer, trained, kept = _student(folder, start, full, kept, small)
    size = _export(folder, start, model, Made(labels, _middles(model, kept), tokenizer))
    difference = _difference(folder, model, kept[:_CHUNK], texts[:_CHUNK])
    for name in ("teacher", "student"):
        drop_save(_place(folder, name))
    longest = max(len(sample.ids) for sample in kept)
    return Fitted(
        trained=trained,
        num_parameters=model.num_parameters(),
        bytes=size,
        left_out=0,
        suspected=tuple(lessons[index].id for index in sorted(doubtful)),
        max_input_tokens=min(MAX_TOKENS - 1, max(LEAST_INPUT_TOKENS, 2 * longest)),
        max_output_tokens=1,
        export_difference=difference,
        teacher=taught_by,
    )


def answer(folder: Path, texts: Sequence[str], tell: Tell = lambda share, words: None) -> list[Picked]:
    """What the exported folder answers in the engine that will serve it, in the order of the texts."""
    engine = minilm.load(folder / MODEL_FOLDER, threads=None, cache_dir=None)
    found: list[Picked] = []
    try:
        for at in range(0, len(texts), _CHUNK):
            engine.submit(Classify(at + 1, list(texts[at : at + _CHUNK]), 1))
            while not engine.is_idle():
                for event in engine.step():
                    if isinstance(event, Refused):
                        raise EngineFault(event.code, event.message)
                    if isinstance(event, Classified):
                        pairs = zip(event.labels, event.certainties, strict=True)
                        found += [Picked(labels[0][0], certainty) for labels, certainty in pairs]
            tell(len(found) / len(texts), f"{len(found)} of {len(texts)}")
    finally:
        engine.close()
    return found


def evidence_of(picked: Picked, familiarity: float) -> list[float]:
    """What confidence is computed from (see `minis.confidence`)."""
    sure = picked.certainty
    return label_evidence(sure.logprob, sure.margin, sure.entropy, sure.similarity, familiarity)


def _middles(model: Bert, samples: Sequence[Labelled]) -> Tensor:
    assert model.head is not None
    vectors = vectors_of(model, [sample.ids for sample in samples])
    return centroids(vectors, [sample.label for sample in samples], model.head.out_features)


def _export(folder: Path, base: Base, model: Bert, made: Made) -> int:
    return write_encoder(folder / MODEL_FOLDER, base, model, made)


def _labelled(base: Base, lessons: Sequence[Lesson], labels: Sequence[str]) -> list[Labelled]:
    numbers = {label: number for number, label in enumerate(labels)}
    encoded = word_pieces(base.tokenizer).encode_batch([lesson.shown for lesson in lessons])
    return [Labelled(each.ids, numbers[lesson.answer]) for each, lesson in zip(encoded, lessons, strict=True)]


def _teacher(
    folder: Path, base: Base, samples: Sequence[Labelled], plan: Plan, choose: Choose
) -> tuple[Bert, Trained, frozenset[int]]:
    """The whole encoder, fine-tuned. Of its word pieces those that occur are trained: no other can change."""
    full = base.encoder(1 + max(sample.label for sample in samples))
    used = sorted({0}.union(*(sample.ids for sample in samples)))
    model = with_words(full, used)
    training = EncoderTraining(model, _renumbered(samples, used), plan, _place(folder, "teacher"))
    progress = Progress("training")
    trained = training.run(progress.at, choose)
    progress.done(_said(trained))
    with torch.no_grad():
        full.words[used] = model.words
    full.load_state_dict({**model.state_dict(), "words": full.words})
    return full.eval(), trained, training.left_out


def _student(
    folder: Path, base: Base, teacher: Bert, samples: Sequence[Labelled], small: Small
) -> tuple[Bert, dict[str, object], Trained, list[Labelled]]:
    """A smaller encoder that learned the teacher's logits, its tokenizer, and how it reads the samples."""
    with torch.no_grad():
        wanted = teacher.logits(vectors_of(teacher, [sample.ids for sample in samples]))
    pieces = kept_pieces(base.tokenizer, {i for sample in samples for i in sample.ids}, small.pieces)
    renumbered = _renumbered(samples, pieces)
    model = with_words(with_layers(teacher, list(small.layers)), pieces)
    training = EncoderTraining(model, renumbered, small.plan, _place(folder, "student"), wanted)
    progress = Progress("distilling")
    trained = training.run(progress.at)
    progress.done(_said(trained))
    return model.eval(), trimmed(base.tokenizer, pieces), trained, renumbered


def _renumbered(samples: Sequence[Labelled], kept: Sequence[int]) -> list[Labelled]:
    place = {number: index for index, number in enumerate(kept)}
    return [Labelled([place[i] for i in sample.ids], sample.label) for sample in samples]


def _place(folder: Path, name: str) -> Path:
    """Where a training keeps its save: its last one stays, so that a finished one is not done again."""
    place = folder / "training" / name
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def _said(trained: Trained) -> str:
    return f"{trained.num_samples} samples, loss {trained.curve[-1][1]:.3f}"


def _difference(folder: Path, model: Bert, samples: Sequence[Labelled], texts: Sequence[str]) -> float:
    """The mean absolute difference in nats between the trained and the exported model's best label."""
    with torch.no_grad():
        vectors = vectors_of(model, [sample.ids for sample in samples], is_exact=True)
        ours: Tensor = model.logits(vectors).log_softmax(-1).amax(-1)
    theirs = torch.tensor([picked.certainty.logprob for picked in answer(folder, texts)])
    return float((ours - theirs).abs().mean())
