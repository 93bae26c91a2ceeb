"""The stages after the last step: export, the round trip through the engine, and what the files do there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer
from wicket.lab import harness
from wicket.lab.answering import Answered
from wicket.lab.encode import Encoded
from wicket.lab.examples import Sample
from wicket.lab.export_folder import export_folder
from wicket.lab.likeness import Likeness, likeness
from wicket.lab.llama import from_checkpoint
from wicket.lab.measures import MEASURES, Worth, worth
from wicket.lab.measuring import Asked, Figures, Measured, difference, measure
from wicket.lab.model_file import read_model
from wicket.lab.progress import Progress
from wicket.lab.recipe_asking import answered, ask
from wicket.lab.recipe_stages import Bench
from wicket.minis.answers import agree, broken, canonical, shape_of
from wicket.minis.confidence import interval
from wicket.minis.paired import difference as paired_difference
from wicket.minis.paired import mcnemar

MODEL_FILE = "model.gguf"
FOLDER = "hf"
TEACHER_FILE = "teacher.gguf"
SHOWN = 8


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """`round_trip` is the largest mean difference, in nats per token, between what the engine computes of a
    file in float32 and what the very numbers in it come to in torch; `rounding` that between file and
    student."""

    scheme: str
    file_bytes: int
    round_trip: float
    rounding: float
    folder_round_trip: float | None = None
    template_kept: bool = True
    ends_kept: bool = True


class Answer(msgspec.Struct, frozen=True):
    """One sample answered by teacher and student."""

    request: str
    expected: str
    teacher: str
    student: str
    teacher_right: bool
    student_right: bool


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One file, measured. `exact` answers say the same as the expected one; `valid` ones have their form and
    ended by themselves. A teacher behind an address has answers only."""

    figures: Figures | None = None
    likeness: Likeness | None = None
    num: int = 0
    exact: float | None = None
    exact_interval: tuple[float, float] | None = None
    valid: float | None = None


class Proven(Side, frozen=True, kw_only=True):
    """A file, with all that can be measured of one."""

    figures: Figures
    likeness: Likeness


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides. `worth` is by the recipe's measures, of whose first `keep` is, and of exact answers. `gain`
    is the student's share of exact answers less the teacher's, with its interval by the bootstrap over
    samples, `mcnemar` how likely so uneven a split is by chance."""

    teacher: Side
    student: Proven
    kind: str
    gain: tuple[float, float, float] | None = None
    mcnemar: float | None = None
    worth: dict[str, Worth] = {}
    answers: list[Answer] = []
    continued: list[tuple[str, str, str]] = []


def export_stage(bench: Bench, last: str) -> Exported:
    """Write model.gguf (and hf/), and hold both against the checkpoint."""
    progress, wanted = Progress("export"), bench.recipe.export
    model = read_model(bench.path(last))
    model.settle()
    path = bench.folder / MODEL_FILE
    bench.export(model, path, wanted.scheme)
    if bench.teacher is not None:
        bench.export(bench.teacher, bench.checkpoints / TEACHER_FILE, wanted.teacher_scheme)
    sequences = _sequences(bench)
    folder_trip = None
    if wanted.folder:
        export_folder(model, bench.tokenizer, bench.folder / FOLDER, template=bench.template)
        folder_trip = difference(bench.folder / FOLDER, model, sequences)
    held = from_checkpoint(open_checkpoint(path)).eval()
    words = tokenizer(path)
    found = Exported(
        scheme=wanted.scheme,
        file_bytes=path.stat().st_size,
        round_trip=difference(path, held, sequences),
        rounding=difference(path, model, sequences),
        folder_round_trip=folder_trip,
        template_kept=words.chat_template == bench.template,
        ends_kept=words.eos_ids == bench.tokenizer.eos_ids,
    )
    progress.done(f"{wanted.scheme}, {found.file_bytes / 1e6:.2f} MB, round trip {found.round_trip:.4f} nats")
    return found


def evaluate_stage(bench: Bench) -> Evaluated:
    """Both exported files in the engine."""
    chosen, wanted = _chosen(bench), bench.recipe.evaluate
    asked = Asked(
        prompts=[encoded.prompt for encoded, _ in chosen],
        texts=[_continued(bench, text) for text in wanted.prompts],
        max_tokens=wanted.max_tokens,
        arithmetic=wanted.arithmetic,
        watts=wanted.watts,
    )
    paths = {"teacher": bench.checkpoints / TEACHER_FILE, "student": bench.folder / MODEL_FILE}
    samples = [sample for _, sample in chosen]
    told = None
    if bench.teacher is None:
        del paths["teacher"]
        progress = Progress("the teacher's answers to the evaluation")
        once = msgspec.structs.replace(bench.recipe.teacher, samples=1)
        asking = ask(once, samples, bench.folder, progress.at)
        told = answered(once, samples, bench.folder)
        progress.done(f"{asking.num_answered:,} answers")
    found = {}
    for name, path in paths.items():
        progress = Progress(f"evaluating the {name}")
        found[name] = measure(path, asked, progress.at)
        progress.done(f"{found[name].figures.decode_speed:,.0f} tokens/s")
    said = {name: each.answered for name, each in found.items()}
    if told is not None:
        said["teacher"] = told
    return _evaluated(bench, found, said, samples)


class Harnessed(msgspec.Struct, frozen=True, kw_only=True):
    """Both files by the tasks of lm-evaluation-harness; nothing of a teacher behind an address."""

    student: list[harness.Scores]
    teacher: list[harness.Scores] = []


def harness_asked(bench: Bench) -> harness.Asked:
    """What the recipe wants of the harness."""
    wanted = bench.recipe.evaluate
    return harness.Asked(
        tasks=wanted.harness,
        folder=(bench.base / Path(wanted.harness_folder).expanduser()).resolve(),
        limit=wanted.harness_limit,
        arithmetic=wanted.arithmetic,
    )


def harness_stage(bench: Bench) -> Harnessed:
    """Both exported files by the harness."""
    asked = harness_asked(bench)
    progress = Progress("lm-evaluation-harness")
    student = harness.evaluate(bench.folder / MODEL_FILE, asked)
    teacher = []
    if bench.teacher is not None:
        teacher = harness.evaluate(bench.checkpoints / TEACHER_FILE, asked)
    progress.done(", ".join(f"{scores.task}: {scores.num} questions" for scores in student))
    return Harnessed(student=student, teacher=teacher)


def _evaluated(
    bench: Bench, found: dict[str, Measured], said: dict[str, list[Answered]], samples: Sequence[Sample]
) -> Evaluated:
    shape = shape_of([sample.answer for sample in bench.texts.train])
    right, valid = dict[str, list[bool]](), dict[str, list[bool]]()
    for name, answers in said.items():
        pairs = list(zip(answers, samples, strict=True))
        right[name] = [given.is_complete and agree(shape, s.answer, given.text) for given, s in pairs]
        valid[name] = [given.is_complete and not broken(shape, given.text) for given, _ in pairs]
    teacher = Side(**_counts(right["teacher"], valid["teacher"]))
    if "teacher" in found:
        file = bench.checkpoints / TEACHER_FILE
        teacher = _proven(bench, file, found["teacher"].figures, right["teacher"], valid["teacher"])
    file = bench.folder / MODEL_FILE
    student = _proven(bench, file, found["student"].figures, right["student"], valid["student"])
    gain = (
        paired_difference([float(r) for r in right["teacher"]], [float(r) for r in right["student"]])
        if samples
        else None
    )
    return Evaluated(
        teacher=teacher,
        student=student,
        kind=shape.kind if samples else "text",
        gain=(gain.mean, gain.low, gain.high) if gain is not None else None,
        mcnemar=mcnemar(right["teacher"], right["student"]).p_value if samples else None,
        worth=_worth(bench.recipe.evaluate.measures, said, right, samples),
        answers=[
            Answer(
                sample.text,
                canonical(shape, sample.answer),
                said["teacher"][place].text,
                said["student"][place].text,
                right["teacher"][place],
                right["student"][place],
            )
            for place, sample in enumerate(samples[:SHOWN])
        ],
        continued=[
            (prompt, found["teacher"].continued[place] if "teacher" in found else "", told_on)
            for place, (prompt, told_on) in enumerate(
                zip(bench.recipe.evaluate.prompts, found["student"].continued, strict=True)
            )
        ],
    )


def _worth(
    measures: Sequence[str],
    said: dict[str, list[Answered]],
    right: dict[str, list[bool]],
    samples: Sequence[Sample],
) -> dict[str, Worth]:
    """By the recipe's measures and by exactness; an answer that did not end is worth what an empty one is."""
    if not samples:
        return {}
    expected = [sample.answer for sample in samples]
    texts = {
        side: [given.text if given.is_complete else "" for given in answers] for side, answers in said.items()
    }
    by = {}
    for name in measures:
        scores = {side: list(map(MEASURES[name], expected, given)) for side, given in texts.items()}
        by[name] = worth(scores["teacher"], scores["student"])
    return by | {"exact": worth(*([float(each) for each in right[side]] for side in ("teacher", "student")))}


def _proven(bench: Bench, path: Path, figures: Figures, right: list[bool], valid: list[bool]) -> Proven:
    held = from_checkpoint(open_checkpoint(path)).eval()
    alike = likeness(held, bench.batches.evaluation, bench.teacher)
    return Proven(figures=figures, likeness=alike, **_counts(right, valid))


def _counts(right: list[bool], valid: list[bool]) -> dict[str, Any]:
    num = len(right)
    if not num:
        return {}
    return {
        "num": num,
        "exact": sum(right) / num,
        "exact_interval": interval(sum(right), num),
        "valid": sum(valid) / num,
    }


def _chosen(bench: Bench) -> list[tuple[Encoded, Sample]]:
    """The samples that are answered: by the seed, in their order."""
    asked = bench.batches.asked
    num = min(bench.recipe.evaluate.samples, len(asked))
    places = random.Random(bench.recipe.seed).sample(range(len(asked)), num)  # noqa: S311 - a choice
    return [asked[place] for place in sorted(places)]


def _continued(bench: Bench, text: str) -> list[int]:
    words = bench.tokenizer
    start = [words.bos_id] if words.adds_bos and words.bos_id is not None else []
    tokens = words.encode(text, special=False) if text else []
    return [*start, *tokens] or [words.eos_ids[0]]


def _sequences(bench: Bench) -> list[Encoded | list[int]]:
    """What the round trip is measured on."""
    if bench.batches.asked:
        return [encoded for encoded, _ in bench.batches.asked[:8]]
    rows = [row for batch in bench.batches.evaluation for row in batch.ids.tolist()]
    return rows[:8]
