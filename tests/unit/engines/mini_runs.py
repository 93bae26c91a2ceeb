"""Minis' run folders for tests: a card made by hand beside a script or a tiny checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from wicket.minis.answers import AnswerShape, shape_of
from wicket.minis.card import MiniCard
from wicket.minis.confidence import Calibration
from wicket.minis.familiarity import learn

TASK, RUN = "slots", "r1"
SLOTS = shape_of(['{"people":"4"}', '{"people":"2","time":"7 pm"}'])
# Confidence follows the mean log-probability alone: 0.5 at -1, and 0.9526 at -0.25.
BY_THE_MEAN = Calibration([0.0, -1.0, 0.0, 0.0, 0.0], [1.0, 0.25, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0, 0.0])


def card(**changes: Any) -> MiniCard:
    """A card for answers with slots."""
    fields: dict[str, Any] = {
        "task": TASK,
        "run": RUN,
        "created_ms": 1_700_000_000_000,
        "base": "smollm2-135m",
        "licence": "Apache-2.0",
        "systems": ("",),
        "answers": SLOTS,
        "max_input_tokens": 400,
        "max_output_tokens": 60,
        "calibration": BY_THE_MEAN,
        "familiarity": learn(["a table for four", "for two at 7 pm"]),
        "evaluation": {"exact": 0.79},
        "lineage": {"examples": 1000},
    }
    return MiniCard(**(fields | changes))


TEXT_SHAPE = AnswerShape("text", {}, (), 1000)


def write_run(home: Path, made: MiniCard, *, is_current: bool = True, **script: Any) -> Path:
    """A run whose checkpoint is a script; the folder, so that a test can put another checkpoint in."""
    folder = home / "minis" / made.task / made.run
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mini.json").write_bytes(msgspec.json.encode(made))
    (folder / "model.script.json").write_text(json.dumps(script))
    if is_current:
        (folder.parent / "current").write_text(f"{made.run}\n")
    return folder
