"""Where a mini lies: HOME/minis/TASK/RUN/ holds its checkpoint and its card, TASK/current the run's name."""

from __future__ import annotations

import math
import re
from pathlib import Path

from wicket.errors import EngineFault
from wicket.minis.card import CURRENT, FILE_NAME, FOLDER, MiniCard, read_card
from wicket.minis.confidence import EVIDENCE, Calibration

PREFIX = "mini:"
MODELS = ("model.gguf", "model", "model.script.json")  # a file, a folder, or a script for tests
LAB_MODEL = "model"  # in a run of the lab
ENGINES = ("generation", "label")  # of the card: the ways of answering that this Wicket knows
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MAX_LISTED = 5


def find_run(spec: str, home: Path) -> tuple[Path, MiniCard]:
    """The checkpoint's path and the card behind `mini:TASK@RUN`, or `mini:TASK` for the current run.

    Raises `EngineFault`: "model_missing" with what to do if there is none, "bad_checkpoint" for a card that
    can't be read or is not this mini's.
    """
    task, _, run = spec.removeprefix(PREFIX).partition("@")
    folder = _inside(home / FOLDER, task, "task")
    run = run or _current(folder, task)
    place = _inside(folder, run, "run")
    model = next((place / name for name in MODELS if (place / name).exists()), None)
    if model is None:
        raise _missing(f"The mini {task!r} has no run {run!r}{_listed(folder)}: {_train(task)}.")
    return model, _card_in(place, f"mini {task}@{run}", task)


def read_lab_run(folder: Path) -> tuple[Path, MiniCard]:
    """The checkpoint's path and the card that a recipe for labels left in its run's folder.

    Raises `EngineFault` as `find_run` does.
    """
    card = _card_in(folder, f"run {folder.name}")
    model = folder / LAB_MODEL
    if not model.exists():
        raise _missing(f"The run {folder.name!r} has no model: start its recipe again, and it goes on.")
    return model, card


def is_lab_run(folder: Path) -> bool:
    """Whether the lab left a run with labels there."""
    return (folder / FILE_NAME).is_file()


def _card_in(place: Path, whose: str, task: str | None = None) -> MiniCard:
    """A card that decisions can be made by, and if `task` is given, that is this task's."""
    try:
        card = read_card((place / FILE_NAME).read_bytes())
    except OSError as error:
        raise _bad(f"The card of the {whose} can't be read: {error.strerror}.") from None
    except EngineFault as fault:
        raise _bad(f"The {whose} can't be used: {fault.message}") from None
    why = flaw(card, card.task if task is None else task)
    if why:
        raise _bad(f"The card of the {whose} can't be used: {why}.")
    return card


def flaw(card: MiniCard, task: str) -> str:
    """Why nothing can be decided by a card that is well-formed; "" if it can."""
    if card.task != task:
        return f"it belongs to the task {card.task[:100]!r}"
    if card.engine not in ENGINES:
        return f"it answers by {card.engine[:40]!r}, which this Wicket does not know: update Wicket"
    if card.engine == "label" and card.answers.kind != "label":
        return "it picks labels for a task whose answers are none"
    if min(card.max_input_tokens, card.max_output_tokens) < 1 or not card.systems:
        return "it leaves no room for a request or an answer"
    return "" if is_sound(card.calibration) else "its calibration is damaged"


def is_sound(calibration: Calibration) -> bool:
    """Whether a confidence can be computed: a finite number for each kind of evidence."""
    columns = (calibration.means, calibration.deviations, calibration.weights)
    return (
        all(len(column) == len(EVIDENCE) and all(map(math.isfinite, column)) for column in columns)
        and all(deviation > 0 for deviation in calibration.deviations)
        and math.isfinite(calibration.bias)
    )


def _current(folder: Path, task: str) -> str:
    try:
        return (folder / CURRENT).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise _missing(f"The task {task!r} has no mini yet: {_train(task)}.") from None


def _inside(parent: Path, name: str, kind: str) -> Path:
    """A path below `parent`; a name that leads elsewhere is refused."""
    path = (parent / name).resolve() if _NAME.fullmatch(name) else None
    if path is None or not path.is_relative_to(parent.resolve()):
        raise _missing(
            f"{name[:100]!r} can't be the name of a mini's {kind}: letters, digits, '.', '_', '-'."
        )
    return path


def _listed(folder: Path) -> str:
    runs = sorted(path.parent.name for path in folder.glob(f"*/{FILE_NAME}"))[-_MAX_LISTED:]
    return f" (there is {', '.join(runs)})" if runs else ""


def _train(task: str) -> str:
    return f"train one with `wicket mini train {task}`"


def _missing(message: str) -> EngineFault:
    return EngineFault("model_missing", message)


def _bad(message: str) -> EngineFault:
    return EngineFault("bad_checkpoint", message)
