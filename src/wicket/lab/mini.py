"""Makes a mini of a task: curate, train, export, answer, calibrate, judge. Each stage is done once.

    python -m wicket.lab mini --task T --examples FILE --out FOLDER

Leaves in FOLDER: `model.gguf`, `mini.json` (the card), `report.json`, `report.html`, `data/`, `run.json`.
Exit code 0 if the gate passed, 3 if it did not, 1 for a fault.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from wicket.engines.checkpoints.locate import Checkpoint, find
from wicket.errors import CallerFault
from wicket.lab import label_mini, mini_data, mini_gate, mini_report, mini_writer, strangers
from wicket.lab.calibrate import calibrate, reliability
from wicket.lab.mini_data import Lesson, Prepared, lessons_of
from wicket.lab.mini_gate import Outcome, Scores, Verdict, scores, verdict, whole
from wicket.lab.mini_writer import Fitted
from wicket.lab.needed import advice
from wicket.lab.progress import Progress
from wicket.lab.run import Run, alone_in, write_whole
from wicket.lab.split import Sizes
from wicket.lab.suspects import by_loss
from wicket.lab.techniques.fine_tune import Plan
from wicket.lab.techniques.fine_tune_encoder import Plan as EncoderPlan
from wicket.minis.answers import AnswerShape, agree, broken
from wicket.minis.card import FILE_NAME, MiniCard
from wicket.minis.confidence import Calibration, confidence, evidence, floor_for_quality
from wicket.minis.familiarity import Familiarity, familiarity, learn
from wicket.wire import json

GATE_FAILED = 3
MOST_STRANGERS = 0.5
DEFAULT_BASES = {"generation": "smollm2-135m-instruct", "label": "all-minilm-l6-v2"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked to do; another request needs another folder.

    `engine` "auto" picks labels where the answers are labels and writes them otherwise; `base` "" is the
    usual one of the engine. `strangers` is the share of requests that belong to no label, for which a label
    mini's floor is made; 0 leaves the rehearsal out that shows how it meets them.
    """

    task: str
    examples: str
    evaluate: str = ""
    keep_out: str = ""
    engine: str = "auto"
    base: str = ""
    quality: float = 0.95
    least_share: float = 0.1
    scheme: str = "q8_0"
    epochs: int = 3
    minutes: float = 10.0
    batch_size: int = 16
    rate: float = 1e-4
    seed: int = 0
    least_train: int = 200
    strangers: float = 0.08


class Given(msgspec.Struct, frozen=True):
    """One answer of the exported mini, with the evidence for it."""

    text: str
    is_complete: bool
    evidence: list[float]


class Calibrated(msgspec.Struct, frozen=True):
    """The calibration, and how the parts that did not make it come out."""

    calibration: Calibration
    familiarity: Familiarity
    floor: float
    validation: Scores
    test: Scores
    evaluation: Scores | None
    reliability: dict[str, Any]
    strangers: Scores | None = None


def make(asked: Asked, folder: Path, home: Path) -> Verdict:
    """All stages. Raises `CallerFault`, `EngineFault` and `OperatorFault` with what to do next."""
    with alone_in(folder):
        return _make(asked, folder, home)


def _make(asked: Asked, folder: Path, home: Path) -> Verdict:
    run = Run(folder, msgspec.to_builtins(asked))
    started_s = time.monotonic()
    prepared = run.stage("data", Prepared, lambda: _prepare(asked, folder))
    engine = engine_of(asked, prepared.shape)
    base = find(asked.base or DEFAULT_BASES[engine], home)
    fitted = run.stage("fit", Fitted, lambda: _fit(asked, folder, base, prepared, engine))
    run.stage("strangers", int, lambda: _meet(asked, folder, base, prepared, engine))
    for part in ("validation", "test", "evaluation"):
        run.stage(f"answers.{part}", int, partial(_answer, folder, prepared, fitted, part))
    calibrated = run.stage("calibrate", Calibrated, lambda: _calibrate(asked, folder, prepared))
    found = _verdict(asked, folder, prepared, fitted, calibrated)
    card = _card(asked, folder, base, prepared, fitted, calibrated)
    write_whole(folder / FILE_NAME, json.encode(card))
    facts = {"seconds": time.monotonic() - started_s, "machine": _machine()}
    document = mini_report.document(asked, prepared, fitted, calibrated, found) | facts
    write_whole(folder / "report.json", json.dumps(document).encode())
    write_whole(
        folder / "report.html",
        mini_report.page(document, _shown(folder, prepared, calibrated.calibration)).encode(),
    )
    return found


def _prepare(asked: Asked, folder: Path) -> Prepared:
    progress = Progress("curating")
    sources = mini_data.Sources(asked.examples, asked.evaluate, asked.keep_out)
    try:
        prepared = mini_data.prepare(folder, sources, Sizes(least_train=asked.least_train))
    except CallerFault as fault:
        if fault.code == "too_few_examples":
            raise CallerFault(fault.code, f"{fault.message}\n{advice()}") from None
        raise
    parts = (f"{prepared.split[name]['examples']} for {name}" for name in ("train", "validation", "test"))
    progress.done(f"{prepared.curation['kept']} of {prepared.curation['lines']} examples, {', '.join(parts)}")
    return prepared


def engine_of(asked: Asked, shape: AnswerShape) -> str:
    """How the mini answers: "label" or "generation". Raises `CallerFault` for an engine that there is not."""
    if asked.engine == "auto":
        return "label" if shape.kind == "label" else "generation"
    if asked.engine not in DEFAULT_BASES:
        raise CallerFault("invalid_value", "--engine is auto, generation or label.", param="engine")
    if asked.engine == "label" and shape.kind != "label":
        message = f"The answers of this task are {shape.kind}, not labels: leave --engine out."
        raise CallerFault("invalid_value", message, param="engine")
    return asked.engine


def _fit(asked: Asked, folder: Path, base: Checkpoint, prepared: Prepared, engine: str) -> Fitted:
    if engine == "label":
        lessons = _labelled(folder, prepared)
        return label_mini.fit(folder, base.path, lessons, _plan(asked, lessons), choose=_doubtful)
    plan = Plan(
        epochs=asked.epochs,
        minutes=asked.minutes,
        batch_size=asked.batch_size,
        rate=asked.rate,
        seed=asked.seed,
    )
    return mini_writer.fit(folder, base.path, asked.task, asked.scheme, plan)


def _labelled(folder: Path, prepared: Prepared) -> list[Lesson]:
    """What a label mini learns. Any other answer would become a label that its card always refuses."""
    lessons = lessons_of(folder, "train")
    return [lesson for lesson in lessons if not broken(prepared.shape, lesson.answer)]


def _plan(asked: Asked, lessons: Sequence[Lesson]) -> EncoderPlan:
    """The usual plan; where there is a rehearsal, it and the mini share the time."""
    minutes = asked.minutes / 2 if asked.strangers else asked.minutes
    return label_mini.usual_plan(len(lessons), minutes=minutes, seed=asked.seed)


def _meet(asked: Asked, folder: Path, base: Checkpoint, prepared: Prepared, engine: str) -> int:
    """How strangers are answered, kept in `data/answers-strangers.jsonl`; returns how many."""
    met: list[strangers.Met] = []
    if engine == "label" and asked.strangers:
        lessons = _labelled(folder, prepared)
        met = strangers.meet(folder, base.path, lessons, _plan(asked, lessons), _doubtful)
    lines = (json.encode(each) + b"\n" for each in met)
    write_whole(_answers_path(folder, "strangers"), b"".join(lines))
    return len(met)


def _strangers(folder: Path) -> list[Outcome]:
    lines = _answers_path(folder, "strangers").read_bytes().splitlines()
    met = [json.decode(line, type=strangers.Met) for line in lines]
    return [Outcome(each.id, each.expected, each.answer, False, True, each.evidence) for each in met]


def _answer(folder: Path, prepared: Prepared, fitted: Fitted, part: str) -> int:
    """Answers of one part, kept in `data/answers-PART.jsonl`; returns how many."""
    lessons = lessons_of(folder, part)
    if not lessons:
        return 0
    learnt = learn(lesson.shown for lesson in lessons_of(folder, "train"))
    progress = Progress(f"answering {part}")
    found = _given(folder, lessons, fitted.max_output_tokens, learnt, progress)
    lines = (json.encode(answered) + b"\n" for answered in found)
    write_whole(_answers_path(folder, part), b"".join(lines))
    right = sum(
        whole(prepared.shape, lesson.shown, answered.text, answered.is_complete)
        and agree(prepared.shape, lesson.answer, answered.text)
        for lesson, answered in zip(lessons, found, strict=True)
    )
    progress.done(f"{right} of {len(lessons)} right")
    return len(lessons)


def _given(
    folder: Path, lessons: Sequence[Lesson], max_tokens: int, learnt: Familiarity, progress: Progress
) -> list[Given]:
    """Answers of the exported mini in the engine that will serve it; which one, the folder says."""
    likeness = [familiarity(learnt, lesson.shown) for lesson in lessons]
    if (folder / label_mini.MODEL_FOLDER).is_dir():
        picked = label_mini.answer(folder, [lesson.shown for lesson in lessons], progress.at)
        pairs = zip(picked, likeness, strict=True)
        return [Given(each.text, True, label_mini.evidence_of(each, like)) for each, like in pairs]
    written = mini_writer.answer(folder, lessons, max_tokens, progress.at)
    return [
        Given(each.text, each.is_complete, evidence(each.logprobs, like))
        for each, like in zip(written, likeness, strict=True)
    ]


def _outcomes(folder: Path, prepared: Prepared, part: str) -> list[Outcome]:
    lessons = lessons_of(folder, part)
    lines = _answers_path(folder, part).read_bytes().splitlines() if lessons else []
    found = [json.decode(line, type=Given) for line in lines]
    return [_outcome(prepared, lesson, given) for lesson, given in zip(lessons, found, strict=True)]


def _outcome(prepared: Prepared, lesson: Lesson, given: Given) -> Outcome:
    is_whole = whole(prepared.shape, lesson.shown, given.text, given.is_complete)
    is_right = is_whole and agree(prepared.shape, lesson.answer, given.text)
    return Outcome(lesson.id, lesson.answer, given.text, is_right, is_whole, given.evidence)


def _doubtful(losses: Sequence[float]) -> frozenset[int]:
    return frozenset(by_loss(losses).places)


def _calibrate(asked: Asked, folder: Path, prepared: Prepared) -> Calibrated:
    learnt = learn(lesson.shown for lesson in lessons_of(folder, "train"))
    parts = {name: _outcomes(folder, prepared, name) for name in ("validation", "test", "evaluation")}
    validation = [outcome for outcome in parts["validation"] if outcome.is_whole]
    met, num = _strangers(folder), len(parts["validation"])
    weight = strangers.weight_of(num, len(met), asked.strangers)
    calibration = calibrate(
        [outcome.evidence for outcome in (*validation, *met)],
        [outcome.is_right for outcome in (*validation, *met)],
        strangers.counted(num, len(met), asked.strangers),
        [1.0] * len(validation) + [weight] * len(met),
    )
    floor = floor_for_quality(calibration, asked.quality)
    judges = [outcome for outcome in parts["test"] + parts["evaluation"] if outcome.is_whole]
    claimed = [confidence(calibration, outcome.evidence) for outcome in judges]
    return Calibrated(
        calibration=calibration,
        familiarity=learnt,
        floor=floor,
        validation=scores(parts["validation"], calibration, floor),
        test=scores(parts["test"], calibration, floor),
        evaluation=scores(parts["evaluation"], calibration, floor) if parts["evaluation"] else None,
        reliability=reliability(claimed, [outcome.is_right for outcome in judges]),
        strangers=scores(met, calibration, floor) if met else None,
    )


def _verdict(
    asked: Asked, folder: Path, prepared: Prepared, fitted: Fitted, calibrated: Calibrated
) -> Verdict:
    test = _outcomes(folder, prepared, "test")
    lessons = [lesson.answer for lesson in lessons_of(folder, "train")]
    return verdict(
        mini_gate.Facts(
            quality=asked.quality,
            least_share=asked.least_share,
            leaked=prepared.leaked,
            usual=mini_gate.guess(lessons, test, prepared.shape),
            export_difference=fitted.export_difference,
            calibration=calibrated.calibration,
            test=calibrated.test,
        )
    )


def _card(
    asked: Asked,
    folder: Path,
    base: Checkpoint,
    prepared: Prepared,
    fitted: Fitted,
    calibrated: Calibrated,
) -> MiniCard:
    data = {name: prepared.split[name]["sha256"] for name in ("train", "validation", "test")}
    return MiniCard(
        task=asked.task,
        run=folder.name,
        created_ms=time.time_ns() // 1_000_000,
        engine="label" if (folder / label_mini.MODEL_FOLDER).is_dir() else "generation",
        base=base.id,
        licence=base.licence,
        systems=prepared.systems,
        answers=prepared.shape,
        max_input_tokens=fitted.max_input_tokens,
        max_output_tokens=fitted.max_output_tokens,
        calibration=calibrated.calibration,
        familiarity=calibrated.familiarity,
        evaluation={
            "quality": asked.quality,
            "test": msgspec.to_builtins(calibrated.test),
            "evaluation": msgspec.to_builtins(calibrated.evaluation),
            "strangers": asked.strangers if calibrated.strangers else 0.0,
        },
        lineage={
            "base": base.id,
            "base_licence": base.licence,
            "examples": prepared.curation["lines"],
            "data": data,
            "scheme": asked.scheme,
            "seed": asked.seed,
        },
    )


def _shown(folder: Path, prepared: Prepared, calibration: Calibration, most: int = 12) -> list[Any]:
    """Some test requests for the page: wrong ones first, then right ones."""
    lessons = lessons_of(folder, "test")
    outcomes = _outcomes(folder, prepared, "test")
    pairs = sorted(zip(lessons, outcomes, strict=True), key=lambda pair: pair[1].is_right)
    chosen = [*pairs[: most // 2], *pairs[-(most - most // 2) :]]
    return [
        mini_report.sample(
            lesson.shown,
            outcome.expected,
            outcome.answer,
            confidence(calibration, outcome.evidence),
            outcome.is_right,
        )
        for lesson, outcome in chosen
    ]


def _answers_path(folder: Path, part: str) -> Path:
    return folder / "data" / f"answers-{part}.jsonl"


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count() or 1,
        "processor": platform.machine(),
        "python": platform.python_version(),
    }


def parse(arguments: Sequence[str]) -> tuple[Asked, Path, Path]:
    """The command line: what is asked, the run's folder, the data folder."""
    parser = argparse.ArgumentParser(prog="python -m wicket.lab mini", description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--examples", required=True, help="JSONL of chat messages, the answer last")
    parser.add_argument("--evaluate", default="", help="JSONL that judges and is never learned from")
    parser.add_argument("--keep-out", default="", help="JSONL that is never learned from")
    parser.add_argument(
        "--out", required=True, type=Path, help="the run's folder; an interrupted run goes on"
    )
    parser.add_argument("--home", required=True, type=Path)
    for field in msgspec.structs.fields(Asked):
        if field.name not in ("task", "examples", "evaluate", "keep_out"):
            kind: Callable[[str], Any] = type(field.default)
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    given = vars(parser.parse_args(arguments))
    folder, home = given.pop("out"), given.pop("home")
    asked = Asked(**given)
    if not 0 <= asked.strangers <= MOST_STRANGERS:
        raise CallerFault("invalid_value", f"--strangers is 0 to {MOST_STRANGERS}.", param="strangers")
    return asked, folder, home


def main(arguments: Sequence[str]) -> int:
    """Make the mini and say in one line how it came out."""
    asked, folder, home = parse(arguments)
    found = make(asked, folder.absolute(), home)
    for check in found.checks:
        if not check.passed:
            sys.stderr.write(
                f"the gate: {check.name} is {check.value:.3f}, needed {check.needed:.3f} ({check.says})\n"
            )
    return 0 if found.passed else GATE_FAILED
