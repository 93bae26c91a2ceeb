"""A recipe for labels: an encoder is fine-tuned, distilled into a smaller one, given a floor, and judged.

It is a recipe like any other (`recipe`), told by `[teacher] task = "labels"`. Where a recipe for text makes
free use of techniques, this one has a fixed course, that of a label mini (`label_mini`): fine-tune the
teacher, take some of its layers and word pieces, distil. Pure but for reading the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wicket.config.convert import convert
from wicket.config.lines import Lines
from wicket.config.mistakes import Mistakes
from wicket.lab.recipe import read_document
from wicket.lab.recipe_check import NAME
from wicket.lab.techniques.fine_tune_encoder import Plan

TASK = "labels"
BASELINES = ("tfidf", "frozen")
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Set(msgspec.Struct, frozen=True, kw_only=True):
    """One data set: files of JSONL of OpenAI chat messages, gzipped or not, the answer being the label.

    `validation` sets the floor, `evaluate` judges; neither is learned from. `outside` is the label of
    requests that belong to none: it is never learned either, and they are strangers to the model. A set
    without `train` has strangers only: its requests with the label `outside`, or all where that is left out.
    """

    validation: str
    evaluate: str
    train: str = ""
    outside: str = ""
    licence: str = "unknown"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How lines are read, as in every recipe: `broken` ones, and what of training stands in the judges."""

    broken: Literal["refuse", "skip"] = "refuse"
    overlap: Literal["remove", "keep"] = "remove"


class EncoderPace(msgspec.Struct, frozen=True, kw_only=True):
    """How an encoder is trained; see `fine_tune_encoder.Plan`. `soft` is the teacher's share of the loss in
    distillation."""

    epochs: Positive = 3
    rate: float = 2e-4
    head_rate: float = 2e-3
    decay: float = 0.85
    batch_size: Positive = 32
    smoothing: Share = 0.1
    soft: Share = 0.7
    start: Literal["centroids", "fitted"] = "centroids"
    minutes: Annotated[float, Meta(ge=0.0)] = 0.0
    save_every_s: Annotated[float, Meta(ge=0.0)] = 60.0

    def plan(self, seed: int) -> Plan:
        """As the training takes it."""
        return Plan(**msgspec.structs.asdict(self), seed=seed)


class Teacher(msgspec.Struct, frozen=True, kw_only=True):
    """The encoder to fine-tune, a Hugging Face folder or a known name, and how long."""

    task: Literal["labels"]
    checkpoint: str = "all-minilm-l6-v2"
    pace: EncoderPace = EncoderPace()


class Student(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the teacher's layers it begins with, how many word pieces it knows at most (all that training
    holds are kept in any case), and how long it is distilled."""

    layers: tuple[int, ...] = (0, 1, 3, 5)
    pieces: Positive = 6_000
    pace: EncoderPace = EncoderPace()


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """The lowest confidence at which, on validation with `strangers` counted as that share of all requests,
    `quality` of the answers is right, at the lower end of the interval. Below it a served run refuses."""

    quality: Share = 0.95
    strangers: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.1


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold of the exported student on every data set; a figure left out is not asked for.

    `keep` is of the teacher's accuracy. `ahead` names what it must be ahead of, at the lower end of the
    paired interval. `max_ms` bounds the processor time of one request, at the 99th percentile. `min_taken` is
    of the requests that have a label, `min_refused` of strangers, both at the floor.
    """

    keep: Share | None = None
    min_accuracy: Share | None = None
    ahead: tuple[str, ...] = ()
    max_parameters: Positive | None = None
    max_ms: float | None = None
    min_taken: Share | None = None
    min_refused: Share | None = None


class LabelRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    name: str
    teacher: Teacher
    sets: dict[str, Set]
    seed: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    description: str = ""
    data: Reading = Reading()
    student: Student = Student()
    floor: Floor = Floor()
    gate: Gate = Gate()


class ResolvedLabels(msgspec.Struct, frozen=True):
    """A recipe that can be run. `document` is what was read, overrides included; `folder` where it lies."""

    recipe: LabelRecipe
    document: dict[str, Any]
    folder: Path


def is_for_labels(path: Path) -> bool:
    """Whether a file is a recipe of this kind; one that can't be read is not, and its reader will say why."""
    try:
        teacher = tomllib.loads(path.read_text("utf-8")).get("teacher")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return isinstance(teacher, dict) and "task" in teacher


def read_labels(path: Path, overrides: Sequence[str] = ()) -> ResolvedLabels:
    """Raises `ConfigFault` with every mistake, one per line; see `recipe.read_recipe`."""
    text, document = read_document(path, overrides)
    mistakes = Mistakes(str(path), Lines(text))
    recipe = convert(LabelRecipe, document, (), mistakes)
    if not len(mistakes):
        _check(recipe, mistakes)
    if len(mistakes):
        raise mistakes.fault()
    return ResolvedLabels(recipe, document, path.absolute().parent)


def _check(recipe: LabelRecipe, mistakes: Mistakes) -> None:
    """What fields say together."""
    if not NAME.fullmatch(recipe.name):
        mistakes.add(("name",), "use letters, digits, '.', '_' and '-'")
    if not any(each.train for each in recipe.sets.values()):
        mistakes.add(("sets",), "give at least one data set: [sets.NAME] with train, validation, evaluate")
    for name in recipe.sets:
        if not NAME.fullmatch(name):
            mistakes.add(("sets", name), "use letters, digits, '.', '_' and '-'")
    layers = recipe.student.layers
    if not layers or list(layers) != sorted(set(layers)) or layers[0] < 0:
        mistakes.add(("student", "layers"), "name the teacher's layers in ascending order, from 0")
    for name in recipe.gate.ahead:
        if name not in BASELINES:
            mistakes.add(("gate", "ahead"), f'"{name[:40]}" is not one of {", ".join(BASELINES)}')
