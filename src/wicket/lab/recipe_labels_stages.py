"""The stages of a recipe for labels: data, estimate, fit, answers, floor, baselines, speed."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path

import msgspec

from wicket.engines.checkpoints.locate import Checkpoint, find
from wicket.errors import OperatorFault
from wicket.lab import estimate, label_baselines, label_mini, strangers
from wicket.lab.calibrate import calibrate
from wicket.lab.encoder_folder import read_base
from wicket.lab.label_figures import Speed, speed
from wicket.lab.label_mini import Small
from wicket.lab.mini_data import Lesson
from wicket.lab.mini_gate import Outcome, Scores, scores
from wicket.lab.mini_writer import Fitted
from wicket.lab.progress import Progress, clock
from wicket.lab.recipe_labels import BASELINES, EncoderPace, ResolvedLabels
from wicket.lab.recipe_labels_data import Corpus, Manifest, Parts, read_corpus
from wicket.lab.run import Run, write_whole
from wicket.minis.confidence import Calibration, floor_for_quality
from wicket.minis.familiarity import Familiarity, familiarity, learn
from wicket.wire import json

SPEED_TEXTS = 500
USUAL_TOKENS = 20  # of a request, where only an estimate is wanted
LAYER_WEIGHTS = 12  # times the square of the hidden size, where the inner one is four times as large


class Given(msgspec.Struct, frozen=True):
    """The label for one request, and the evidence for it."""

    label: str
    evidence: list[float]


class Floored(msgspec.Struct, frozen=True):
    """The calibration with its floor, and how validation comes out: requests with a label, and strangers."""

    calibration: Calibration
    floor: float
    validation: Scores
    strangers: Scores | None


class Speeds(msgspec.Struct, frozen=True):
    """Of both exported folders."""

    teacher: Speed
    student: Speed


class LabelBench:
    """What a run has at hand. Everything that follows from the recipe is made when it is asked for."""

    def __init__(self, resolved: ResolvedLabels, folder: Path, home: Path) -> None:
        self.recipe = resolved.recipe
        self.base_folder = resolved.folder
        self.folder = folder
        self.home = home
        (folder / "data").mkdir(parents=True, exist_ok=True, mode=0o700)

    @cached_property
    def corpus(self) -> Corpus:
        """The data as read."""
        return read_corpus(self.recipe, self.base_folder)

    @cached_property
    def base(self) -> Checkpoint:
        """The encoder to begin with: beside the recipe, or what `wicket serve --model` finds."""
        spec = self.recipe.teacher.checkpoint
        beside = self.base_folder / Path(spec).expanduser()
        return find(str(beside.resolve()) if beside.exists() else spec, self.home)

    @cached_property
    def learnt(self) -> Familiarity:
        """Of training's texts."""
        return learn(lesson.shown for lesson in self.corpus.train)

    def side(self, name: str) -> Path:
        """The run's folder of the "teacher" or the "student", as `label_mini` leaves them."""
        return self.folder / label_mini.TEACHER_FOLDER if name == "teacher" else self.folder

    def kept(self, what: str) -> Path:
        """Where a stage keeps what is too long for `run.json`."""
        return self.folder / "data" / f"{what}.json"


def read_stage(bench: LabelBench) -> Manifest:
    """Read and hash the data."""
    progress, manifest = Progress("data"), bench.corpus.manifest
    notes = f", {manifest.num_removed} found in what judges and removed" if manifest.num_removed else ""
    progress.done(
        f"{manifest.num_train:,} requests with {len(manifest.labels)} labels to learn from, "
        f"{manifest.num_validation:,} for the floor, {manifest.num_evaluate:,} to judge by{notes}"
    )
    return manifest


def foresee(bench: LabelBench) -> estimate.Estimate:
    """What the run will take; raises `OperatorFault` for layers that the teacher has not, and if the machine
    has too little."""
    recipe, shape = bench.recipe, read_base(bench.base.path).shape
    if recipe.student.layers[-1] >= shape.num_hidden_layers:
        message = f"student.layers: {bench.base.id} has {shape.num_hidden_layers} layers, the first is 0."
        raise OperatorFault("bad_recipe", message)
    layer = LAYER_WEIGHTS * shape.hidden_size**2

    def job(name: str, layers: int, pace: EncoderPace) -> estimate.Job:
        steps = -(-bench.corpus.manifest.num_train // pace.batch_size) * pace.epochs
        tokens = USUAL_TOKENS * pace.batch_size
        return estimate.Job(name, layer * layers, layers, 0, steps, tokens)

    jobs = [
        job("teacher", shape.num_hidden_layers, recipe.teacher.pace),
        job("student", len(recipe.student.layers), recipe.student.pace),
    ]
    weights = shape.vocab_size * shape.hidden_size + layer * shape.num_hidden_layers
    operations = estimate.measured_speed()
    memory = weights * (estimate.TRAIN_BYTES + 4) + 2 * estimate.HEADROOM
    found = estimate.Estimate(estimate.seconds_of(jobs, operations), memory, weights * 16, operations)
    estimate.check(found, bench.folder)
    size = f"{found.memory_bytes / 1e9:.1f} GB of memory, {found.disk_bytes / 1e9:.1f} GB of disk"
    Progress("estimate").done(f"about {clock(found.seconds)} of training, {size}")
    return found


def fit_stage(bench: LabelBench) -> Fitted:
    """Fine-tune the teacher, distil the student, export both."""
    recipe = bench.recipe
    student = recipe.student
    small = Small(layers=student.layers, pieces=student.pieces, plan=student.pace.plan(recipe.seed))
    plan = recipe.teacher.pace.plan(recipe.seed)
    return label_mini.fit(bench.folder, bench.base.path, bench.corpus.train, plan, small)


def answer_stages(bench: LabelBench, run: Run) -> None:
    """Both sides answer what judges them, and the student what sets its floor; each a stage of its own."""
    for name, parts in bench.corpus.sets.items():
        for side, part in (("teacher", "evaluate"), ("student", "validation"), ("student", "evaluate")):
            what = f"{side}-{name}-{part}"
            lessons: list[Lesson] = getattr(parts, part)
            run.stage(f"answers {what}", int, partial(_answer, bench, side, what, lessons))


def _answer(bench: LabelBench, side: str, what: str, lessons: list[Lesson]) -> int:
    progress = Progress(f"answering {what}")
    picked = label_mini.answer(bench.side(side), [lesson.shown for lesson in lessons], progress.at)
    found = [
        Given(each.text, label_mini.evidence_of(each, familiarity(bench.learnt, lesson.shown)))
        for each, lesson in zip(picked, lessons, strict=True)
    ]
    write_whole(bench.kept(what), json.encode(found))
    right = sum(each.label == lesson.answer for each, lesson in zip(found, lessons, strict=True))
    progress.done(f"{right} of {len(lessons)} right")
    return len(lessons)


def given(bench: LabelBench, side: str, name: str, part: str) -> list[Given]:
    """The answers that a stage kept."""
    return json.decode(bench.kept(f"{side}-{name}-{part}").read_bytes(), type=list[Given])


def outcomes(parts: Parts, lessons: list[Lesson], answers: list[Given]) -> list[Outcome]:
    """Answers as the gate counts them: whatever a stranger is told is wrong."""
    return [
        Outcome(
            lesson.id,
            lesson.answer,
            each.label,
            each.label == lesson.answer and not parts.is_stranger(lesson),
            True,
            each.evidence,
        )
        for lesson, each in zip(lessons, answers, strict=True)
    ]


def calibrate_stage(bench: LabelBench) -> Floored:
    """From validation to the confidence that an answer is right, and its floor."""
    wanted = bench.recipe.floor
    known: list[Outcome] = []
    met: list[Outcome] = []
    for name, parts in bench.corpus.sets.items():
        answers = outcomes(parts, parts.validation, given(bench, "student", name, "validation"))
        for lesson, outcome in zip(parts.validation, answers, strict=True):
            (met if parts.is_stranger(lesson) else known).append(outcome)
    share = wanted.strangers if met else 0.0
    met = met if share else []
    calibration = calibrate(
        [outcome.evidence for outcome in (*known, *met)],
        [outcome.is_right for outcome in (*known, *met)],
        strangers.counted(len(known), len(met), share),
        [1.0] * len(known) + [strangers.weight_of(len(known), len(met), share)] * len(met),
    )
    floor = floor_for_quality(calibration, wanted.quality)
    found = Floored(
        calibration,
        floor,
        scores(known, calibration, floor),
        scores(met, calibration, floor) if met else None,
    )
    Progress("floor").done(f"{floor:.3f}, {found.validation.share:.1%} of validation above it")
    return found


def baseline_stages(bench: LabelBench, run: Run) -> None:
    """What is usual, fitted to each data set's own training part."""
    for name, parts in bench.corpus.sets.items():
        for baseline in BASELINES if parts.has_labels else ():
            work = partial(_baseline, bench, name, parts, baseline)
            run.stage(f"baseline {baseline}-{name}", int, work)


def _baseline(bench: LabelBench, name: str, parts: Parts, baseline: str) -> int:
    progress = Progress(f"{baseline} on {name}")
    rows = [(lesson.shown, lesson.answer) for lesson in parts.train]
    asked = [lesson for lesson in parts.evaluate if not parts.is_stranger(lesson)]
    texts = [lesson.shown for lesson in asked]
    if baseline == "tfidf":
        said = label_baselines.tfidf(rows, texts)
    else:
        said = label_baselines.frozen(bench.base.path, rows, texts)
    write_whole(bench.kept(f"{baseline}-{name}"), json.encode(said))
    right = sum(one == lesson.answer for one, lesson in zip(said, asked, strict=True))
    progress.done(f"{right} of {len(asked)} right")
    return len(asked)


def baseline_labels(bench: LabelBench, baseline: str, name: str) -> list[str]:
    """What a baseline said to the requests of a set that have a label."""
    return json.decode(bench.kept(f"{baseline}-{name}").read_bytes(), type=list[str])


def speed_stage(bench: LabelBench) -> Speeds:
    """One request at a time, of all sets."""
    texts = [lesson.shown for parts in bench.corpus.sets.values() for lesson in parts.evaluate]
    chosen = texts[:: max(1, len(texts) // SPEED_TEXTS)]
    chosen = chosen if len(chosen) > 1 else chosen * 2
    teacher, student = (
        speed(bench.side(side) / label_mini.MODEL_FOLDER, chosen) for side in ("teacher", "student")
    )
    Progress("speed").done(f"{student.cpu_ms_p50:.1f} ms of processor time a request")
    return Speeds(teacher, student)
