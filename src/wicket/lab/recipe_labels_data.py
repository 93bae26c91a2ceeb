"""What a recipe for labels learns from and is judged by: lessons by data set and part, with a manifest."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import msgspec

from wicket.errors import CallerFault
from wicket.lab.examples import Sample, read
from wicket.lab.mini_data import Lesson
from wicket.lab.recipe_data import FileFacts, bare, facts_for, read_bytes
from wicket.lab.recipe_labels import LabelRecipe, Set
from wicket.minis.answers import MAX_LABEL_CHARACTERS, MAX_LABELS, AnswerShape

PARTS = ("train", "validation", "evaluate")
LEAST_VALIDATION = 20  # requests of validation in all, or no floor means anything


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`files` by "SET/PART". `num_removed` requests of training or validation stood in what judges them, and
    `num_left` still do. `num_strangers` belong to no label: those of training set the floor too."""

    files: dict[str, FileFacts]
    labels: tuple[str, ...]
    num_train: int
    num_validation: int
    num_evaluate: int
    num_strangers: int
    num_removed: int = 0
    num_left: int = 0


class Parts(msgspec.Struct, frozen=True):
    """One data set. Strangers, whose answer is `outside`, stand beside the others in the last two parts."""

    train: list[Lesson]
    validation: list[Lesson]
    evaluate: list[Lesson]
    outside: str

    @property
    def has_labels(self) -> bool:
        """Whether it is more than strangers."""
        return bool(self.train)

    def is_stranger(self, lesson: Lesson) -> bool:
        """Whether a request belongs to no label."""
        return not self.has_labels or (bool(self.outside) and lesson.answer == self.outside)


class Corpus(msgspec.Struct, frozen=True):
    """All data sets of a recipe."""

    manifest: Manifest
    sets: dict[str, Parts]

    @property
    def train(self) -> list[Lesson]:
        """What is learned, of all sets."""
        return [lesson for parts in self.sets.values() for lesson in parts.train]

    def shape(self) -> AnswerShape:
        """Of the answers, as a mini's card has it."""
        labels = self.manifest.labels
        return AnswerShape("label", {}, labels, max(map(len, labels)))


def read_corpus(recipe: LabelRecipe, folder: Path) -> Corpus:
    """Read all files. Raises `CallerFault` for a line, a label or a part that can't be used, `OperatorFault`
    for a file."""
    files: dict[str, FileFacts] = {}
    read_sets: dict[str, dict[str, list[Sample]]] = {}
    for name, wanted in recipe.sets.items():
        read_sets[name] = {}
        for part in PARTS:
            path = getattr(wanted, part)
            if not path:
                read_sets[name][part] = []
                continue
            content = read_bytes(folder / Path(path).expanduser())
            found = read(io.BytesIO(content), name=path, on_broken=recipe.data.broken)
            broken = tuple(f"line {each.line}: {each.reason}" for each in found.broken)
            files[f"{name}/{part}"] = facts_for(
                path, content, found.num_lines, found.num_other_form, found.num_broken, broken
            )
            usable = [sample for sample in found.samples if wanted.train or _is_outside(wanted, sample)]
            if not usable:
                raise CallerFault("no_data", f"{path} has no request and answer that could be used.")
            read_sets[name][part] = usable
    num_twins = 0
    if recipe.data.overlap == "remove":
        num_twins = _remove_twins(read_sets)
        num_left = 0
    else:
        num_left = _count_twins(read_sets)
    sets = {name: _parts(name, read_sets[name], wanted) for name, wanted in recipe.sets.items()}
    labels = _labels(sets)
    _check_labels(recipe, sets, labels)
    return Corpus(_manifest(files, sets, labels, num_twins, num_left), sets)


def _is_outside(wanted: Set, sample: Sample) -> bool:
    return not wanted.outside or sample.answer.strip() == wanted.outside


def _judges(read_sets: dict[str, dict[str, list[Sample]]], *parts: str) -> set[str]:
    return {bare(sample.text) for found in read_sets.values() for part in parts for sample in found[part]}


def _remove_twins(read_sets: dict[str, dict[str, list[Sample]]]) -> int:
    """Take from training what stands in validation or evaluation, and from validation what judges."""
    before = sum(len(found[part]) for found in read_sets.values() for part in PARTS)
    for part, judges in (("validation", ("evaluate",)), ("train", ("validation", "evaluate"))):
        texts = _judges(read_sets, *judges)
        for found in read_sets.values():
            found[part] = [sample for sample in found[part] if bare(sample.text) not in texts]
    return before - sum(len(found[part]) for found in read_sets.values() for part in PARTS)


def _count_twins(read_sets: dict[str, dict[str, list[Sample]]]) -> int:
    texts = _judges(read_sets, "evaluate")
    return sum(
        bare(sample.text) in texts
        for found in read_sets.values()
        for part in ("train", "validation")
        for sample in found[part]
    )


def _parts(name: str, found: dict[str, list[Sample]], wanted: Set) -> Parts:
    lessons = {
        part: [Lesson(f"{name}/{part}/{at}", s.text, s.answer.strip()) for at, s in enumerate(samples)]
        for part, samples in found.items()
    }
    known = [lesson for lesson in lessons["train"] if lesson.answer != (wanted.outside or None)]
    strangers = [lesson for lesson in lessons["train"] if lesson.answer == (wanted.outside or None)]
    return Parts(known, [*lessons["validation"], *strangers], lessons["evaluate"], wanted.outside)


def _labels(sets: dict[str, Parts]) -> tuple[str, ...]:
    """What is learned. Raises `CallerFault` if that is no set of labels."""
    counts = Counter(lesson.answer for parts in sets.values() for lesson in parts.train)
    if len(counts) < 2:
        raise CallerFault("one_label", "Training has one label only: there is nothing to tell apart.")
    if len(counts) > MAX_LABELS or max(map(len, counts)) > MAX_LABEL_CHARACTERS:
        message = f"Training has {len(counts)} answers, the longest of {max(map(len, counts))} characters: "
        message += f"labels are at most {MAX_LABELS}, of {MAX_LABEL_CHARACTERS} characters."
        raise CallerFault("no_labels", message)
    return tuple(sorted(counts))


def _check_labels(recipe: LabelRecipe, sets: dict[str, Parts], labels: tuple[str, ...]) -> None:
    """Raise `CallerFault` for a label that judges and was never taught, or one that is taught as outside."""
    known = set(labels)
    for name, parts in sets.items():
        if parts.outside and parts.outside in known:
            message = f'"{parts.outside}" is outside in {name} and a label of another set: name it otherwise.'
            raise CallerFault("outside_is_label", message)
        for part in ("validation", "evaluate"):
            for lesson in getattr(parts, part):
                if lesson.answer not in known and not parts.is_stranger(lesson):
                    path = getattr(recipe.sets[name], part)
                    message = f'{path} has the label "{lesson.answer[:60]}", which training has not: add '
                    message += f"examples of it, or name it as sets.{name}.outside."
                    raise CallerFault("unknown_label", message)
    with_labels = [parts for parts in sets.values() if parts.has_labels]
    if sum(len(parts.validation) for parts in with_labels) < LEAST_VALIDATION:
        message = f"Validation needs at least {LEAST_VALIDATION} requests that training has not."
        raise CallerFault("too_few_examples", message)
    for name, parts in sets.items():
        if parts.has_labels and all(map(parts.is_stranger, parts.evaluate)):
            path = recipe.sets[name].evaluate
            raise CallerFault("no_data", f"{path} has no request with a label: nothing could be judged.")


def _manifest(
    files: dict[str, FileFacts], sets: dict[str, Parts], labels: tuple[str, ...], removed: int, left: int
) -> Manifest:
    judged = [(parts, lesson) for parts in sets.values() for lesson in (*parts.validation, *parts.evaluate)]
    return Manifest(
        files=files,
        labels=labels,
        num_train=sum(len(parts.train) for parts in sets.values()),
        num_validation=sum(len(parts.validation) for parts in sets.values()),
        num_evaluate=sum(len(parts.evaluate) for parts in sets.values()),
        num_strangers=sum(parts.is_stranger(lesson) for parts, lesson in judged),
        num_removed=removed,
        num_left=left,
    )


def hashes(manifest: Manifest) -> dict[str, str]:
    """By file, to see whether data changed between two parts of a run."""
    return {name: facts.sha256 for name, facts in manifest.files.items()}
