"""The stages of a run before its export: data, vocabulary, teacher, student, steps; what each changed."""

from __future__ import annotations

import shutil
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import torch

from wicket.engines.checkpoints.llama import LlamaShape
from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer
from wicket.engines.checkpoints.tokenizer import Tokenizer
from wicket.errors import EngineFault, OperatorFault
from wicket.lab import estimate
from wicket.lab.data import manifest as curated
from wicket.lab.encode import Encoder
from wicket.lab.export_gguf import export_gguf
from wicket.lab.likeness import Likeness, likeness
from wicket.lab.llama import Llama, fresh, from_checkpoint
from wicket.lab.material import Batch, Material
from wicket.lab.model_file import read_model, write_model
from wicket.lab.progress import Progress, clock
from wicket.lab.recipe import Resolved, Step
from wicket.lab.recipe_asking import Asking, Place, ask, learned
from wicket.lab.recipe_data import Batches, Manifest, Reading, Texts, batches_of, read_data
from wicket.lab.recipe_form import Shape, Student, Teacher
from wicket.lab.sources import locate, open_source
from wicket.lab.steps import Pace, Stepped, train
from wicket.lab.techniques.distil import check_vocabularies
from wicket.lab.techniques.train_on_grid import hard_loss
from wicket.lab.vocabulary import copy_vocabulary, pieces_vocabulary, train_vocabulary, vocabulary_hash
from wicket.lab.vocabulary_trim import keep_rows, rows_kept, trim_vocabulary

VOCABULARY_FILE = "vocabulary.gguf"
WHOLE_FILE = "whole-vocabulary.gguf"  # before it was trimmed
CURATED = "data"  # finished steps of curation
STORES = "logits"  # what the teacher said, for as many steps as want it
SPEED_REPEATS = 3


class Read(msgspec.Struct, frozen=True):
    """The data's manifest."""

    manifest: Manifest


class Vocabulary(msgspec.Struct, frozen=True):
    """`sha256` is over how tokens are numbered; `num_too_long` samples don't fit the length."""

    sha256: str
    num_tokens: int
    num_too_long: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """A model after a stage. `exported` is how it does once it has been written in the export's scheme and
    read back; `speed` in tokens per second of plain torch reading a batch, for comparing steps only."""

    num_parameters: int
    shape: LlamaShape
    file_bytes: int
    speed: float
    plain: Likeness
    exported: Likeness


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One stage's model: where from, how long it took, what the technique says, what came out."""

    name: str
    seconds: float
    size: Size
    source: str = ""
    licence: str = ""
    report: dict[str, Any] = {}
    curve: list[tuple[int, float]] = []


class Origin(msgspec.Struct, frozen=True):
    """Where a model came from, as a card says it."""

    source: str = ""
    licence: str = ""


class Bench:
    """What a run has at hand. Everything that follows from the recipe is made when it is asked for."""

    def __init__(self, resolved: Resolved, folder: Path, home: Path) -> None:
        self.recipe = resolved.recipe
        self.steps = resolved.steps
        self.base = resolved.folder
        self.folder = folder
        self.home = home
        self.checkpoints = folder / "checkpoints"
        self.checkpoints.mkdir(parents=True, exist_ok=True, mode=0o700)

    @cached_property
    def read(self) -> Texts:
        """The data as the files have them."""
        is_asked = bool(self.recipe.teacher.url)
        reading = Reading(is_asked=is_asked, seed=self.recipe.seed, kept=self.checkpoints / CURATED)
        return read_data(self.recipe.data, self.base, reading)

    @cached_property
    def told(self) -> tuple[Texts, str, curated.Manifest | None]:
        """The data with a far teacher's answers, which are a stage of their own."""
        judges = self.base / Path(self.recipe.data.evaluate).expanduser()
        place = Place(self.folder, judges, self.checkpoints / CURATED)
        return learned(self.recipe, self.read, place)

    @property
    def texts(self) -> Texts:
        """The data that are learned."""
        return self.told[0] if self.recipe.teacher.url else self.read

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Of the run's vocabulary, which is a stage of its own."""
        return tokenizer(self.vocabulary_path)

    @cached_property
    def batches(self) -> Batches:
        """The data as tokens."""
        recipe = self.recipe
        return batches_of(recipe.data, self.texts, self.tokenizer, recipe.seed, recipe.evaluate.batches)

    @cached_property
    def teacher(self) -> Llama | None:
        """The finished teacher; None where it is behind an address only."""
        return read_model(self.path("teacher")) if self.recipe.teacher.is_local else None

    @property
    def vocabulary_path(self) -> Path:
        """A GGUF file without tensors."""
        return self.checkpoints / VOCABULARY_FILE

    @property
    def whole_vocabulary_path(self) -> Path:
        """That of checkpoints: the run's own, or what it was before it was trimmed."""
        return self.checkpoints / WHOLE_FILE if self.recipe.vocabulary.trim else self.vocabulary_path

    @property
    def template(self) -> str:
        """What the exported files carry: for chats the one that was trained with."""
        own = self.tokenizer.chat_template
        if self.recipe.data.form == "text" and own:
            return own
        return Encoder(self.tokenizer).template

    def path(self, name: str) -> Path:
        """Of a stage's model."""
        return self.checkpoints / f"{name}.safetensors"

    def export(self, model: Llama, path: Path, scheme: str) -> None:
        """Write a model as GGUF."""
        name = self.recipe.name
        export_gguf(model, self.vocabulary_path, path, scheme=scheme, template=self.template, name=name)


def read_stage(bench: Bench) -> Read:
    """Read and hash the data."""
    progress = Progress("data")
    manifest = bench.read.manifest
    broken = sum(facts.num_broken for facts in manifest.files.values())
    notes = f", {broken} broken lines left out" if broken else ""
    notes += (
        f", {manifest.num_removed} found in the evaluation data and removed" if manifest.num_removed else ""
    )
    unit = "samples" if bench.recipe.data.form == "chat" else "characters"
    progress.done(
        f"{manifest.num_train:,} {unit} to learn from, {manifest.num_evaluate:,} to judge by{notes}"
    )
    return Read(manifest)


def answers_stage(bench: Bench) -> Asking:
    """Let the teacher behind an address answer the training requests."""
    progress = Progress("the teacher's answers")
    asking = ask(bench.recipe.teacher, bench.read.train, bench.folder, progress.at)
    texts, digest, manifest = bench.told
    failed = asking.num_asked - asking.num_answered
    notes = f", {failed} requests have none" if failed else ""
    progress.done(f"{asking.num_answered:,} answers, {len(texts.train):,} to learn from{notes}")
    return msgspec.structs.replace(asking, sha256=digest, curation=manifest)


def vocabulary_stage(bench: Bench) -> Vocabulary:
    """Train it, or take it over."""
    wanted, path = bench.recipe.vocabulary, bench.vocabulary_path
    progress = Progress("vocabulary")
    if wanted.train:
        train_vocabulary(path, bench.texts.spoken(), wanted.train)
    elif wanted.file:
        pieces_vocabulary(path, locate(wanted.file, bench.base, bench.home)[0])
    else:
        recipe = bench.recipe
        spec = wanted.checkpoint or recipe.teacher.checkpoint or recipe.student.checkpoint
        source, _ = locate(spec, bench.base, bench.home)
        if source.suffix == ".bin":
            message = "A llama2.c checkpoint has no vocabulary: give [vocabulary] file = its tokenizer file."
            raise OperatorFault("bad_recipe", message)
        copy_vocabulary(bench.whole_vocabulary_path, source)
        if wanted.trim:
            seen = bench.texts.tokens(tokenizer(bench.whole_vocabulary_path))
            trim_vocabulary(path, bench.whole_vocabulary_path, seen, wanted.trim)
    found = Vocabulary(vocabulary_hash(path), bench.tokenizer.vocab_size, bench.batches.num_too_long)
    progress.done(f"{found.num_tokens:,} tokens")
    return found


def foresee(bench: Bench) -> estimate.Estimate:
    """What the run will take; raises `OperatorFault` if the machine has not got it."""
    recipe = bench.recipe
    tokens = bench.batches.training.batch(0).ids.numel()
    begun: Teacher | Student = recipe.teacher if recipe.teacher.is_local else recipe.student
    teacher = _shape_of(bench, begun.shape, begun.checkpoint)
    student = teacher
    if recipe.student.shape is not None or recipe.student.checkpoint:
        student = _shape_of(bench, recipe.student.shape, recipe.student.checkpoint)
    large, small = (estimate.num_parameters(shape) for shape in (teacher, student))
    jobs = []
    if recipe.teacher.pace is not None:
        jobs.append(estimate.Job("teacher", large, teacher.num_layers, 0, recipe.teacher.pace.steps, tokens))
    for step in bench.steps:
        pace = getattr(step.options, "pace", None)
        if pace is not None:
            theirs = large if step.technique.listens and recipe.teacher.is_local else 0
            name = step.technique.name
            stored = _stored_bytes(step.options, student.vocab_size) * pace.steps * tokens if theirs else 0
            jobs.append(estimate.Job(name, small, student.num_layers, theirs, pace.steps, tokens, stored))
    found = estimate.estimate(jobs, teacher if large > small else student, tokens)
    estimate.check(found, bench.folder)
    size = f"{found.memory_bytes / 1e9:.1f} GB of memory, {found.disk_bytes / 1e9:.1f} GB of disk"
    Progress("estimate").done(f"about {clock(found.seconds)} of training, {size}")
    return found


def _stored_bytes(options: Any, vocabulary: int) -> int:
    """Of one token in a step's store of logits; 0 where it has none."""
    if getattr(options, "logits", "live") != "stored":
        return 0
    k: int = options.k
    return k * (4 if vocabulary <= 1 << 16 else 6)


def teacher_stage(bench: Bench) -> Made:
    """Load or train the teacher."""
    wanted = bench.recipe.teacher
    model, origin = _begun(bench, wanted.shape, wanted.checkpoint, bench.recipe.seed)
    stepped = None
    if wanted.pace is not None:
        stepped = _trained(bench, "teacher", model, wanted.pace)
    made = _made(bench, "teacher", model, origin, stepped=stepped)
    _forget_saves(bench, "teacher")
    return made


def student_stage(bench: Bench) -> Made:
    """A copy of the teacher, a fresh shape, or a checkpoint."""
    wanted = bench.recipe.student
    if wanted.shape is None and not wanted.checkpoint:
        model, origin = read_model(bench.path("teacher")), Origin("a copy of the teacher")
    else:
        model, origin = _begun(bench, wanted.shape, wanted.checkpoint, bench.recipe.seed + 1)
    if bench.teacher is not None:
        check_vocabularies(bench.teacher, model)
    return _made(bench, "student", model, origin, teacher=bench.teacher)


def step_stage(bench: Bench, number: int, step: Step, before: str) -> Made:
    """Step `number` on the model that the stage `before` left."""
    name = f"{number}-{step.technique.name}"
    model = read_model(bench.path(before))
    progress = Progress(f"step {number} of {len(bench.steps)}, {step.technique.name}")
    material = Material(
        training=bench.batches.training,
        calibration=bench.batches.calibration,
        teacher=bench.teacher if step.technique.listens else None,
        seed=bench.recipe.seed,
        tell=progress.at,
        folder=_saves(bench, name),
        stores=bench.checkpoints / STORES,
    )
    started_s = time.monotonic()
    report = step.technique.apply(model, step.options, material)
    stepped = _course(report)
    seconds = stepped.seconds if stepped is not None else time.monotonic() - started_s
    made = _made(bench, name, model, Origin(), stepped=stepped, teacher=bench.teacher)
    _forget_saves(bench, name)
    size = made.size
    progress.done(f"{size.num_parameters:,} parameters, loss {size.exported.loss:.3f} as exported")
    said = msgspec.to_builtins(report) if stepped is not report else {}
    return msgspec.structs.replace(made, seconds=seconds, report=said)


def checked_vocabulary(bench: Bench, shape: LlamaShape, path: Path | None) -> None:
    """Raise `OperatorFault` where a checkpoint numbers tokens otherwise than the run does."""
    whole = bench.whole_vocabulary_path
    mine = tokenizer(whole).vocab_size
    if shape.vocab_size < mine:
        message = f"The vocabulary has {mine:,} tokens and the checkpoint {shape.vocab_size:,}."
        raise OperatorFault("vocabulary_mismatch", f"{message} Give each its own, or distil by text.")
    if path is None or path.suffix == ".bin" or bench.recipe.vocabulary.train:
        return
    copy = bench.checkpoints / "other-vocabulary.gguf"
    try:
        copy_vocabulary(copy, path)
        same = vocabulary_hash(copy) == vocabulary_hash(whole)
    except EngineFault:
        return  # a folder whose words have no name in GGUF: sizes were compared
    finally:
        copy.unlink(missing_ok=True)
    if not same:
        message = f"{path.name} numbers its tokens otherwise than the run's vocabulary: logits don't compare."
        raise OperatorFault("vocabulary_mismatch", f"{message} Fine-tune on the teacher's answers instead.")


def _begun(bench: Bench, shape: Shape | None, checkpoint: str, seed: int) -> tuple[Llama, Origin]:
    if shape is not None:
        sizes = _fresh_shape(shape, bench.tokenizer.vocab_size)
        return fresh(sizes, seed=seed, is_tied=shape.is_tied), Origin("from nothing")
    found = open_source(checkpoint, bench.base, bench.home)
    checked_vocabulary(bench, found.checkpoint.shape, found.path)
    model = from_checkpoint(found.checkpoint).eval()
    if bench.recipe.vocabulary.trim:
        keep_rows(model, rows_kept(bench.whole_vocabulary_path, bench.vocabulary_path))
    if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        raise EngineFault("bad_checkpoint", f"{found.path.name} holds values that are no numbers.")
    return model, Origin(found.path.name, found.licence)


def _shape_of(bench: Bench, shape: Shape | None, checkpoint: str) -> LlamaShape:
    if shape is not None:
        return _fresh_shape(shape, bench.tokenizer.vocab_size)
    found = open_source(checkpoint, bench.base, bench.home).checkpoint.shape
    if bench.recipe.vocabulary.trim:
        return msgspec.structs.replace(found, vocab_size=bench.tokenizer.vocab_size)
    return found


def _fresh_shape(shape: Shape, vocabulary: int) -> LlamaShape:
    return LlamaShape(
        architecture="llama",
        num_layers=shape.layers,
        hidden=shape.hidden,
        num_heads=shape.heads,
        num_kv_heads=shape.kv_heads or shape.heads,
        head_size=shape.head_size or shape.hidden // shape.heads,
        ffn=shape.ffn,
        vocab_size=vocabulary,
        context_tokens=shape.context,
        rope_theta=shape.rope_theta,
        norm_epsilon=1e-5,
    )


def _trained(bench: Bench, name: str, model: Llama, pace: Pace) -> Stepped:
    progress = Progress(name)
    folder = _saves(bench, name)
    stepped = train(model, bench.batches.training, hard_loss, pace, folder=folder, tell=progress.at)
    progress.done(f"{stepped.steps} steps, loss {stepped.curve[-1][1]:.3f}")
    return stepped


def _made(
    bench: Bench,
    name: str,
    model: Llama,
    origin: Origin,
    *,
    stepped: Stepped | None = None,
    teacher: Llama | None = None,
) -> Made:
    write_model(bench.path(name), model)
    return Made(
        name=name,
        seconds=stepped.seconds if stepped is not None else 0.0,
        size=size_of(bench, model, teacher),
        source=origin.source,
        licence=origin.licence,
        curve=stepped.curve if stepped is not None else [],
    )


def size_of(bench: Bench, model: Llama, teacher: Llama | None) -> Size:
    """Measure a model, plain and as its export will hold it."""
    model.eval()
    batches = bench.batches.evaluation
    draft = bench.checkpoints / "draft.gguf"
    try:
        bench.export(model, draft, bench.recipe.export.scheme)
        exported = from_checkpoint(open_checkpoint(draft)).eval()
        return Size(
            num_parameters=model.num_parameters(),
            shape=model.shape,
            file_bytes=draft.stat().st_size,
            speed=_speed(model, batches[0]),
            plain=likeness(model, batches, teacher),
            exported=likeness(exported, batches, teacher),
        )
    finally:
        draft.unlink(missing_ok=True)


def _speed(model: Llama, batch: Batch) -> float:
    best = float("inf")
    with torch.no_grad():
        for _ in range(SPEED_REPEATS):
            started_s = time.perf_counter()
            model(batch.ids)
            best = min(best, time.perf_counter() - started_s)
    speed: float = batch.ids.numel() / best
    return speed


def _course(report: Any) -> Stepped | None:
    """The training in a technique's report, if there was one."""
    if isinstance(report, Stepped):
        return report
    course = getattr(report, "course", None)
    return course if isinstance(course, Stepped) else None


def _forget_saves(bench: Bench, name: str) -> None:
    """The stage's model is on the disk."""
    shutil.rmtree(_saves(bench, name), ignore_errors=True)


def _saves(bench: Bench, name: str) -> Path:
    folder = bench.checkpoints / f"{name}.saves"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder
