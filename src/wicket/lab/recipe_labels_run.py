"""A run of a recipe for labels; see `recipe_run`, whose folder, stages and exit codes it shares.

Leaves in FOLDER: `model/` (the student) and `teacher/model/`, `mini.json` (what the engine judges by),
`card.json` and `CARD.md`, `report.json`, `report.html`, `recipe.json`, `run.json`, `data/` (answers).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import OperatorFault
from wicket.lab import recipe_labels_card, recipe_labels_report
from wicket.lab import recipe_labels_stages as stages
from wicket.lab.estimate import Estimate
from wicket.lab.mini_gate import Verdict
from wicket.lab.mini_writer import Fitted
from wicket.lab.recipe_labels import BASELINES, ResolvedLabels
from wicket.lab.recipe_labels_data import Manifest, hashes
from wicket.lab.recipe_labels_gate import judge
from wicket.lab.recipe_labels_proof import Judged, Material, Shown, judged, shown
from wicket.lab.recipe_labels_stages import Floored, LabelBench, Speeds
from wicket.lab.run import Run, write_whole
from wicket.lab.versions import machine, versions
from wicket.minis.card import FILE_NAME
from wicket.wire import json


class Outcome(msgspec.Struct, frozen=True):
    """What all stages of a run found."""

    manifest: Manifest
    foreseen: Estimate
    fitted: Fitted
    floored: Floored
    speeds: Speeds
    sets: dict[str, Judged]
    shown: list[Shown]


def make(resolved: ResolvedLabels, folder: Path, home: Path) -> Verdict:
    """All stages. Raises `CallerFault`, `EngineFault` and `OperatorFault` with what to do next."""
    started_s = time.monotonic()
    run = Run(folder, {"recipe": resolved.document})
    write_whole(folder / "recipe.json", json.dumps(resolved.document).encode())
    bench = LabelBench(resolved, folder, home)
    outcome = _stages(bench, run)
    found = judge(
        resolved.recipe,
        outcome.manifest,
        outcome.fitted,
        outcome.speeds.student,
        outcome.floored.floor,
        outcome.sets,
    )
    _leave(bench, outcome, found, time.monotonic() - started_s)
    return found


def _stages(bench: LabelBench, run: Run) -> Outcome:
    manifest = run.stage("data", Manifest, lambda: stages.read_stage(bench))
    if hashes(bench.corpus.manifest) != hashes(manifest):
        raise OperatorFault("run_folder", "The data changed since this run began: choose another --out.")
    foreseen = run.stage("estimate", Estimate, lambda: stages.foresee(bench))
    fitted = run.stage("fit", Fitted, lambda: stages.fit_stage(bench))
    stages.answer_stages(bench, run)
    floored = run.stage("floor", Floored, lambda: stages.calibrate_stage(bench))
    stages.baseline_stages(bench, run)
    speeds = run.stage("speed", Speeds, lambda: stages.speed_stage(bench))
    materials = {name: _material(bench, name) for name in bench.corpus.sets}
    known = [outcome for each in materials.values() for outcome in each.known]
    sets = {name: judged(each, known, floored.calibration, floored.floor) for name, each in materials.items()}
    samples = [row for each in materials.values() for row in shown(each, floored.calibration)]
    return Outcome(manifest, foreseen, fitted, floored, speeds, sets, samples)


def _material(bench: LabelBench, name: str) -> Material:
    parts = bench.corpus.sets[name]
    is_stranger = list(map(parts.is_stranger, parts.evaluate))
    teacher = stages.given(bench, "teacher", name, "evaluate")
    others = {
        "teacher": [each.label for each, is_one in zip(teacher, is_stranger, strict=True) if not is_one]
    }
    for baseline in BASELINES if parts.has_labels else ():
        others[baseline] = stages.baseline_labels(bench, baseline, name)
    answers = stages.given(bench, "student", name, "evaluate")
    return Material(
        lessons=parts.evaluate,
        is_stranger=is_stranger,
        student=stages.outcomes(parts, parts.evaluate, answers),
        others=others,
    )


def _leave(bench: LabelBench, outcome: Outcome, found: Verdict, seconds: float) -> None:
    """Report, page and cards."""
    recipe, folder = bench.recipe, bench.folder
    facts: dict[str, Any] = {"seconds": seconds, "machine": machine(), "versions": versions()}
    document = recipe_labels_report.document(recipe, outcome, found) | facts
    write_whole(folder / "report.json", json.dumps(document).encode())
    write_whole(folder / "report.html", recipe_labels_report.page(document).encode())
    card = recipe_labels_card.card(recipe, document, folder.name, bench.base.licence)
    write_whole(folder / "card.json", json.dumps(card).encode())
    write_whole(folder / "CARD.md", recipe_labels_card.text(card).encode())
    made = recipe_labels_card.mini_card(
        recipe_labels_card.Place(folder.name, bench.base.id, bench.base.licence),
        outcome.fitted,
        outcome.floored,
        bench.corpus.shape(),
        bench.learnt,
        card,
    )
    write_whole(folder / FILE_NAME, json.encode(made))
