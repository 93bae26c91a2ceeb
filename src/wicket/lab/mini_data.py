"""The first stage of a mini: examples become what it learns from, what sets its floor, and what proves it."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.lab.curate import Options, curate, report_of
from wicket.lab.examples import Examples, Sample, read, read_file
from wicket.lab.run import write_whole
from wicket.lab.shapes import learn_shape, unusual
from wicket.lab.split import Sizes, check_split, manifest, split
from wicket.minis.answers import AnswerShape, canonical, shape_of
from wicket.minis.form import Asked, shown
from wicket.wire import json

PARTS = ("train", "validation", "test", "evaluation")
MAX_SYSTEMS = 16


class Lesson(msgspec.Struct, frozen=True):
    """One request as the mini sees it, and the answer it should give, in its canonical spelling."""

    id: str
    shown: str
    answer: str


class Prepared(msgspec.Struct, frozen=True):
    """What the stage found; the lessons themselves lie in `data/PART.jsonl`."""

    systems: tuple[str, ...]
    shape: AnswerShape
    curation: dict[str, Any]
    split: dict[str, Any]
    num_evaluation: int
    unusual: int  # training requests left out because their answers break the task's habits
    leaked: int  # requests of training that also stand in validation, test or evaluation; must be 0


class Sources(msgspec.Struct, frozen=True):
    """Files: what to learn from, what judges the mini, and what else it must not learn from; "" for none."""

    examples: str
    evaluate: str = ""
    keep_out: str = ""


def prepare(folder: Path, sources: Sources, sizes: Sizes) -> Prepared:
    """Read, curate, split, write the parts. Raises `CallerFault` when there is too little to learn from."""
    found = _read(sources.examples, is_evaluation=False)
    judges = _read(sources.evaluate, is_evaluation=True).samples if sources.evaluate else ()
    kept_out = _read(sources.keep_out, is_evaluation=True).samples if sources.keep_out else ()
    curated = curate(found, Options(habits=False), evaluation=(*judges, *kept_out))
    systems = _systems(curated.samples)
    parts = split(curated.samples, curated.groups, sizes)
    check_split(parts, curated.groups)
    usual = [sample for sample in parts.train if not unusual(curated.learned[sample.group], sample)]
    shape = _shape(usual)
    lessons = {
        "train": _lessons(usual, systems, shape),
        "validation": _lessons(parts.validation, systems, shape),
        "test": _lessons(parts.test, systems, shape),
        "evaluation": _lessons(judges, systems, shape),
    }
    for name, some in lessons.items():
        write_whole(_path(folder, name), b"".join(json.encode(lesson) + b"\n" for lesson in some))
    return Prepared(
        systems=systems,
        shape=shape,
        curation=report_of(found, curated),
        split=manifest(parts),
        num_evaluation=len(lessons["evaluation"]),
        unusual=len(parts.train) - len(usual),
        leaked=leaked(lessons, {lesson.shown for lesson in _lessons(kept_out, systems, shape)}),
    )


def lessons_of(folder: Path, part: str) -> list[Lesson]:
    """A part's lessons, as the stage left them."""
    lines = _path(folder, part).read_bytes().splitlines()
    return [json.decode(line, type=Lesson) for line in lines]


def leaked(parts: dict[str, list[Lesson]], kept_out: set[str]) -> int:
    """How many training requests are also in a part that judges: counted anew, by their whole text."""
    judging = kept_out | {lesson.shown for name in PARTS[1:] for lesson in parts[name]}
    return sum(lesson.shown in judging for lesson in parts["train"])


def _read(name: str, *, is_evaluation: bool) -> Examples:
    path = Path(name)
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as file:
            return read(io.BytesIO(file.read()), name=path.name, is_evaluation=is_evaluation)
    return read_file(path, is_evaluation=is_evaluation)


def _shape(samples: Sequence[Sample]) -> AnswerShape:
    """What the answers to learn look like, with their habits if there is one kind of request only."""
    if len({sample.group for sample in samples}) > 1:
        return shape_of([sample.answer for sample in samples])
    learned = learn_shape(samples)
    return msgspec.structs.replace(learned.shape, quoted=learned.quoted)


def _systems(samples: Sequence[Sample]) -> tuple[str, ...]:
    systems = tuple(sorted({sample.system for sample in samples}))
    if len(systems) > MAX_SYSTEMS:
        message = (
            f"The examples have {len(systems)} system prompts, and a mini learns at most {MAX_SYSTEMS}. "
            "Put what changes from request to request into the user's message."
        )
        raise CallerFault("too_many_systems", message)
    return systems


def _lessons(samples: Sequence[Sample], systems: Sequence[str], shape: AnswerShape) -> list[Lesson]:
    lessons = []
    for sample in samples:
        text = shown(systems, Asked(sample.system, sample.text))
        if text is not None:
            answer = canonical(shape, sample.answer) if sample.answer else ""
            lessons.append(Lesson(sample.id, text, answer))
    return lessons


def _path(folder: Path, part: str) -> Path:
    data = folder / "data"
    data.mkdir(exist_ok=True, mode=0o700)
    return data / f"{part}.jsonl"
