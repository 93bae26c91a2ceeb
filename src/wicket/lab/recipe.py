"""A recipe: one TOML file that says what a run does, from data to gate. Read, checked, frozen. Pure but for
reading the file.

Paths in it start at its own folder. A checkpoint is a path (a GGUF file, a Hugging Face folder of
safetensors, a llama2.c file) or a name that `wicket serve --model` knows.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from wicket.config.convert import convert
from wicket.config.lines import Lines
from wicket.config.mistakes import Mistakes, did_you_mean
from wicket.errors import ConfigFault
from wicket.lab.export_gguf import FORMATS
from wicket.lab.measures import MEASURES
from wicket.lab.steps import Pace
from wicket.lab.technique import Technique, known_techniques

MAX_FILE_BYTES = 1 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0.0)]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """`chat` files are JSONL of OpenAI chat messages, `text` files plain text; both may be gzipped.

    `evaluate` judges and is never learned from: what of `train` stands in it is removed, or kept, and then
    the gate fails. `length` is the longest sample or the window, in tokens, `rows` how many make a batch.
    """

    train: str
    evaluate: str
    calibration: str = ""
    form: Literal["chat", "text"] = "chat"
    learn: Literal["answers", "all"] = "answers"
    broken: Literal["refuse", "skip"] = "refuse"
    overlap: Literal["remove", "keep"] = "remove"
    length: Positive = 128
    rows: Positive = 16
    calibration_batches: Positive = 8
    licence: str = "unknown"


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True):
    """`train`: how many tokens of byte-level BPE to learn from the training data; else those of a checkpoint,
    or of a llama2.c tokenizer `file`. Without them: the teacher's. `trim`: about how many of a checkpoint's
    byte-level BPE stay, and of it all that the training data need."""

    train: Annotated[int, Meta(ge=0)] = 0
    trim: Annotated[int, Meta(ge=0)] = 0
    checkpoint: str = ""
    file: str = ""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh decoder's sizes; `head_size` 0 is hidden / heads."""

    layers: Positive
    hidden: Positive
    heads: Positive
    ffn: Positive
    kv_heads: Annotated[int, Meta(ge=0)] = 0
    head_size: Annotated[int, Meta(ge=0)] = 0
    context: Positive = 512
    rope_theta: float = 10_000.0
    is_tied: bool = True


class Teacher(msgspec.Struct, frozen=True, kw_only=True):
    """What everything is measured against. A `shape` is trained from nothing at `pace`; a `checkpoint` is
    taken as it is, or fine-tuned at `pace` first."""

    checkpoint: str = ""
    shape: Shape | None = None
    pace: Pace | None = None


class Student(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps work on: a fresh `shape`, a `checkpoint`, or without either a copy of the teacher."""

    checkpoint: str = ""
    shape: Shape | None = None


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """`scheme` of model.gguf; `folder` leaves safetensors in Hugging Face's form as well. The engine must
    agree with the file's own numbers within `tolerance` nats per token. `teacher_scheme` is that of the
    teacher's file, beside which size and speed are measured."""

    scheme: str = "q8_0"
    teacher_scheme: str = "f16"
    folder: bool = False
    tolerance: Share = 0.02


class Evaluate(msgspec.Struct, frozen=True, kw_only=True):
    """`samples` of the evaluation data are answered by the exported files, at most `max_tokens` each.
    `measures` (of `lab.measures`) say what an answer is worth beside the expected one, and the first of them
    is what the gate's `keep` is of; without one that is the share of exact answers. `batches` of the data
    measure likeness. `arithmetic` is what the engine computes in, "auto" its choice. `prompts` are continued
    greedily beside each other in the report."""

    samples: Annotated[int, Meta(ge=0)] = 100
    measures: list[str] = []
    max_tokens: Positive = 64
    batches: Positive = 16
    arithmetic: Literal["auto", "int8", "int8_g64", "f16", "f32"] = "auto"
    prompts: list[str] = []


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold; a figure that is left out is not asked for. `keep` is of the teacher's score by the
    recipe's first measure, else of its share of exact answers (chat) or of its perplexity (text: teacher's
    over student's); `max_bytes` and `min_speed` are in parts of the teacher's file and decode speed."""

    keep: Share | None = None
    min_exact: Share | None = None
    max_kl: Share | None = None
    max_loss_increase: float | None = None
    min_same_top: Share | None = None
    max_bytes: Share | None = None
    min_speed: Share | None = None


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """The file, but for its steps."""

    name: str
    teacher: Teacher
    data: Data
    seed: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    description: str = ""
    vocabulary: Vocabulary = Vocabulary()
    student: Student = Student()
    steps: list[dict[str, Any]] = []
    export: Export = Export()
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()


class Step(msgspec.Struct, frozen=True):
    """One technique with its options."""

    technique: Technique
    options: Any


class Resolved(msgspec.Struct, frozen=True):
    """A recipe that can be run. `document` is what was read, overrides included; `folder` where it lies."""

    recipe: Recipe
    steps: tuple[Step, ...]
    document: dict[str, Any]
    folder: Path


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Resolved:
    """Raises `ConfigFault` with every mistake, one per line: `file:line: field: what`.

    `overrides` are "key=value" with dotted keys ("steps.0.pace.steps=5"), values as in TOML.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigFault("invalid_config", f"{path} is too large for a recipe.")
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFault("no_config", f"{path} can't be read: {error}.") from None
    return parse_recipe(text, source=str(path), folder=path.absolute().parent, overrides=overrides)


def parse_recipe(text: str, *, source: str, folder: Path, overrides: Sequence[str] = ()) -> Resolved:
    """`read_recipe` for text already read."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigFault("invalid_config", f"{source}: {error}") from None
    for override in overrides:
        _set(document, override)
    mistakes = Mistakes(source, Lines(text))
    recipe = convert(Recipe, document, (), mistakes)
    steps = _steps(document.get("steps"), mistakes)
    if not len(mistakes):
        _check(recipe, mistakes)
    if len(mistakes):
        raise mistakes.fault()
    return Resolved(recipe, steps, document, folder)


def _steps(tables: Any, mistakes: Mistakes) -> tuple[Step, ...]:
    found = []
    techniques = known_techniques()
    for place, table in enumerate(tables if isinstance(tables, list) else []):
        path = ("steps", place)
        if not isinstance(table, dict):
            mistakes.add(path, "expected a table")
            continue
        name = table.get("technique")
        if not isinstance(name, str) or name not in techniques:
            near = did_you_mean(str(name), techniques) or f"; known: {', '.join(sorted(techniques))}"
            mistakes.add((*path, "technique"), f'"{str(name)[:40]}" is no technique{near}')
            continue
        options = {key: value for key, value in table.items() if key != "technique"}
        technique = techniques[name]
        found.append(Step(technique, convert(technique.options, options, path, mistakes)))
    return tuple(found)


def _check(recipe: Recipe, mistakes: Mistakes) -> None:
    """What fields say together."""
    if not NAME.fullmatch(recipe.name):
        mistakes.add(("name",), "use letters, digits, '.', '_' and '-'")
    for section in ("teacher", "student"):
        table: Teacher | Student = getattr(recipe, section)
        if table.checkpoint and table.shape is not None:
            mistakes.add((section,), "give a checkpoint or a shape, not both")
        if table.shape is not None:
            _check_shape(table.shape, (section, "shape"), mistakes)
    teacher, vocabulary = recipe.teacher, recipe.vocabulary
    if not teacher.checkpoint and teacher.shape is None:
        mistakes.add(("teacher",), "give a checkpoint, or a shape to train")
    if teacher.shape is not None and teacher.pace is None:
        mistakes.add(("teacher",), "a fresh shape knows nothing: give pace = { steps = … }")
    if teacher.pace is not None and teacher.pace.steps < 1:
        mistakes.add(("teacher", "pace", "steps"), "must be at least 1")
    ways = [bool(vocabulary.train), bool(vocabulary.checkpoint), bool(vocabulary.file)]
    if sum(ways) > 1:
        mistakes.add(("vocabulary",), "give one of train, checkpoint and file")
    if vocabulary.trim and (vocabulary.train or vocabulary.file):
        mistakes.add(("vocabulary", "trim"), "only a checkpoint's vocabulary can be trimmed")
    if teacher.shape is not None and not any(ways):
        mistakes.add(("vocabulary",), "a fresh teacher needs one: train = 1024, or a checkpoint")
    for place, measure in enumerate(recipe.evaluate.measures):
        _check_known(measure, MEASURES, ("evaluate", "measures", place), mistakes)
    for field in ("scheme", "teacher_scheme"):
        _check_known(getattr(recipe.export, field), FORMATS, ("export", field), mistakes)


def _check_known(name: str, known: Iterable[str], path: tuple[str | int, ...], mistakes: Mistakes) -> None:
    names = list(known)
    if name not in names:
        near = did_you_mean(name, names)
        mistakes.add(path, f'"{name[:40]}" is not one of {", ".join(names)}{near}')


def _check_shape(shape: Shape, path: tuple[str, ...], mistakes: Mistakes) -> None:
    if shape.heads % (shape.kv_heads or shape.heads):
        mistakes.add((*path, "kv_heads"), f"{shape.heads} heads can't share {shape.kv_heads}")
    if not shape.head_size and shape.hidden % shape.heads:
        mistakes.add((*path, "heads"), f"hidden = {shape.hidden} is no multiple of {shape.heads}")
    if (shape.head_size or shape.hidden // shape.heads) % 2:
        mistakes.add((*path, "heads"), "a head's size must be even")


def _set(document: dict[str, Any], override: str) -> None:
    """Put one "key=value" into the document."""
    keys, equals, value = override.partition("=")
    if not equals or not keys.strip():
        raise ConfigFault("invalid_config", f"--set {override[:80]}: write key=value, e.g. seed=1")
    try:
        found: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value
    place: Any = document
    *path, last = keys.strip().split(".")
    for key in path:
        if isinstance(place, list) and key.isdigit() and int(key) < len(place):
            place = place[int(key)]
        elif isinstance(place, dict):
            place = place.setdefault(key, {})
        else:
            raise ConfigFault("invalid_config", f"--set {keys[:80]}: the recipe has no such place")
    if not isinstance(place, dict):
        raise ConfigFault("invalid_config", f"--set {keys[:80]}: the recipe has no such place")
    place[last] = found
