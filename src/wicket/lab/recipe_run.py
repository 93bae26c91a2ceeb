"""A run of a recipe: stages from data to report, each done once; an interrupted one goes on inside its stage.

    python -m wicket.lab run RECIPE --out FOLDER --home HOME [--set key=value …]

Leaves in FOLDER: `model.gguf`, `card.json` and `CARD.md`, `report.json`, `report.html`, `recipe.json` (as it
was resolved), `run.json` (what each stage found), `checkpoints/`, and with `export.folder` the folder `hf`.
Exit code 0 if the gate passed, 3 if it did not, 1 for a fault.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch

from wicket.errors import OperatorFault
from wicket.lab import recipe_card, recipe_labels_run, recipe_report, recipe_stages
from wicket.lab.estimate import Estimate
from wicket.lab.harness import task_manager
from wicket.lab.mini_gate import Verdict
from wicket.lab.recipe import Resolved, read_recipe
from wicket.lab.recipe_asking import Asking
from wicket.lab.recipe_data import facts_of
from wicket.lab.recipe_gate import judge
from wicket.lab.recipe_labels import is_for_labels, read_labels
from wicket.lab.recipe_proof import (
    Evaluated,
    Exported,
    Harnessed,
    evaluate_stage,
    export_stage,
    harness_asked,
    harness_stage,
)
from wicket.lab.recipe_stages import Bench, Made, Read, Vocabulary
from wicket.lab.run import Run, alone_in, write_whole
from wicket.lab.versions import machine, versions
from wicket.wire import json

GATE_FAILED = 3


class Outcome(msgspec.Struct, frozen=True):
    """What all stages of a run found."""

    read: Read
    vocabulary: Vocabulary
    foreseen: Estimate
    models: list[Made]
    exported: Exported
    evaluated: Evaluated
    asking: Asking | None = None
    harnessed: Harnessed | None = None


def make(resolved: Resolved, folder: Path, home: Path) -> Verdict:
    """All stages. Raises `CallerFault`, `EngineFault` and `OperatorFault` with what to do next."""
    with alone_in(folder):
        return _make(resolved, folder, home)


def _make(resolved: Resolved, folder: Path, home: Path) -> Verdict:
    started_s = time.monotonic()
    run = Run(folder, {"recipe": resolved.document})
    write_whole(folder / "recipe.json", json.dumps(resolved.document).encode())
    torch.manual_seed(resolved.recipe.seed)
    with _told(folder):
        bench = Bench(resolved, folder, home)
        outcome = _stages(bench, run)
        found = judge(
            resolved.recipe.gate,
            resolved.recipe.export,
            outcome.read.manifest,
            outcome.exported,
            outcome.evaluated,
        )
        _leave(bench, outcome, found, time.monotonic() - started_s)
    return found


def _stages(bench: Bench, run: Run) -> Outcome:
    wanted = bench.recipe.evaluate.harness
    if wanted:  # told before anything is trained
        task_manager(harness_asked(bench))
    read = run.stage("data", Read, lambda: recipe_stages.read_stage(bench))
    if facts_of(bench.read.manifest) != facts_of(read.manifest):
        message = "The data changed since this run began: choose another --out."
        raise OperatorFault("run_folder", message)
    asking = None
    if bench.recipe.teacher.url:
        asking = run.stage("answers", Asking, lambda: recipe_stages.answers_stage(bench))
        if bench.told[1] != asking.sha256:
            message = "The teacher's answers changed since this run began: choose another --out."
            raise OperatorFault("run_folder", message)
    vocabulary = run.stage("vocabulary", Vocabulary, lambda: recipe_stages.vocabulary_stage(bench))
    foreseen = run.stage("estimate", Estimate, lambda: recipe_stages.foresee(bench))
    models = []
    if bench.recipe.teacher.is_local:
        models.append(run.stage("teacher", Made, lambda: recipe_stages.teacher_stage(bench)))
    models.append(run.stage("student", Made, lambda: recipe_stages.student_stage(bench)))
    for number, step in enumerate(bench.steps, 1):
        work = partial(recipe_stages.step_stage, bench, number, step, models[-1].name)
        models.append(run.stage(f"step {number}", Made, work))
    last = models[-1].name
    exported = run.stage("export", Exported, lambda: export_stage(bench, last))
    evaluated = run.stage("evaluate", Evaluated, lambda: evaluate_stage(bench))
    harnessed = None
    if wanted:
        harnessed = run.stage("harness", Harnessed, lambda: harness_stage(bench))
    return Outcome(read, vocabulary, foreseen, models, exported, evaluated, asking, harnessed)


def _leave(bench: Bench, outcome: Outcome, found: Verdict, seconds: float) -> None:
    """Report, page and card."""
    recipe, folder = bench.recipe, bench.folder
    facts: dict[str, Any] = {"seconds": seconds, "machine": machine(), "versions": versions()}
    document = recipe_report.document(recipe, bench.steps, outcome, found) | facts
    write_whole(folder / "report.json", json.dumps(document).encode())
    write_whole(folder / "report.html", recipe_report.page(document).encode())
    card = recipe_card.card(recipe, document, folder.name)
    write_whole(folder / "card.json", json.dumps(card).encode())
    write_whole(folder / "CARD.md", recipe_card.text(card).encode())


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Others' exceptions as faults that say what to do."""
    try:
        yield
    except FloatingPointError as error:
        message = f"The training diverged: {error}. Lower the pace's rate, or raise its warm_up."
        raise OperatorFault("diverged", message) from None
    except MemoryError:
        raise _out_of_memory() from None
    except RuntimeError as error:
        if "alloc" in str(error) or "out of memory" in str(error):  # torch has no type of its own for it
            raise _out_of_memory() from None
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"The disk under {folder} is full: make room and start the same command again."
            raise OperatorFault("disk", message) from None
        raise


def _out_of_memory() -> OperatorFault:
    message = "There is not enough memory: lower data.rows or data.length, or take a smaller model."
    return OperatorFault("out_of_memory", message)


def _made(path: Path, overrides: Sequence[str], out: Path | None, home: Path) -> Verdict:
    """Run the recipe, whatever its kind."""
    if is_for_labels(path):
        labels = read_labels(path, overrides)
        folder = (out or home / "runs" / labels.recipe.name).absolute()
        with alone_in(folder), _told(folder):
            return recipe_labels_run.make(labels, folder, home)
    resolved = read_recipe(path, overrides)
    return make(resolved, (out or home / "runs" / resolved.recipe.name).absolute(), home)


def main(arguments: Sequence[str]) -> int:
    """Run a recipe, and say what of its gate failed."""
    parser = argparse.ArgumentParser(prog="python -m wicket.lab run", description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    args = parser.parse_args(arguments)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    found = _made(args.recipe, args.overrides, args.out, args.home)
    for check in found.checks:
        if not check.passed:
            sys.stderr.write(
                f"the gate: {check.name} is {check.value:.4g}, needed {check.needed:.4g} ({check.says})\n"
            )
    return 0 if found.passed else GATE_FAILED
