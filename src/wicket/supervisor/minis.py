"""Minis in the data folder: `minis/TASK/RUN/` with a checkpoint and its card, and which run is in place.

`minis/TASK/current` holds the run's name; it is replaced whole, so that a server that watches it sees the old
one or the new one.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from wicket.config.tasks import task_fault
from wicket.errors import CallerFault, OperatorFault
from wicket.minis.card import CURRENT, FILE_NAME, FOLDER, read_card
from wicket.supervisor.home import write_private
from wicket.supervisor.pins import RUN_NAME
from wicket.wire import json


class Placed(msgspec.Struct, frozen=True):
    """A run that is in place now."""

    task: str
    run: str


def check_task(name: str) -> str:
    """The name itself, if a task can have it. Raises `CallerFault`."""
    fault = task_fault(name)
    if fault:
        raise CallerFault("invalid_value", f"{fault[0].upper()}{fault[1:]}.", param="task")
    return name


def place(home: Path, task: str, folder: Path, *, is_forced: bool = False) -> Placed:
    """Put a run in place; one that lies elsewhere is copied into the data folder first.

    Raises `CallerFault` for a folder that is no finished run of this task or whose gate did not pass,
    `OperatorFault` when the disk refuses.
    """
    try:
        card = read_card((folder / FILE_NAME).read_bytes())
        report = json.decode((folder / "report.json").read_bytes())
    except (OSError, json.DecodeError) as error:
        raise CallerFault("not_a_run", f"{folder} is no finished run ({error}).") from None
    if card.task != task:
        raise CallerFault("not_a_run", f"{folder} is a run of the task {card.task!r}.")
    if not (is_forced or report["gate"]["passed"]):
        failed = ", ".join(check["name"] for check in report["gate"]["checks"] if not check["passed"])
        message = f"The run's gate did not pass ({failed}): `--force` puts it in place all the same."
        raise CallerFault("gate_failed", message)
    parent = home / FOLDER / task
    target = parent / folder.name
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if target.resolve() != folder.resolve():
            if not RUN_NAME.fullmatch(folder.name):
                message = (
                    f"{folder.name!r} can't be a run's name: rename the folder (letters, digits, . _ -)."
                )
                raise CallerFault("invalid_value", message)
            shutil.copytree(folder, target, ignore=shutil.ignore_patterns("data", "*.new", "training.*"))
        write_private(parent / CURRENT, folder.name + "\n")
    except OSError as error:
        raise OperatorFault("disk", f"{target} can't be put in place: {error.strerror}.") from None
    return Placed(task, folder.name)


def withdraw(home: Path, task: str) -> str:
    """Take the task's mini out; returns the run that was in place, "" if none was."""
    was = current(home, task)
    (home / FOLDER / task / CURRENT).unlink(missing_ok=True)
    return was


def current(home: Path, task: str) -> str:
    """The run in place; "" for none, and for a file that names no run."""
    try:
        name = (home / FOLDER / task / CURRENT).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if RUN_NAME.fullmatch(name) else ""


def runs(home: Path) -> list[dict[str, Any]]:
    """Every run with its main figures, the newest of each task first; None where there is no report yet."""
    found = []
    for folder in sorted((home / FOLDER).glob("*/*/"), reverse=True):
        task = folder.parent.name
        run: dict[str, Any] = {
            "task": task,
            "run": folder.name,
            "is_current": current(home, task) == folder.name,
        }
        try:
            report = json.decode((folder / "report.json").read_bytes())
            test = report["scores"]["test"]
            run |= {
                "passed": report["gate"]["passed"],
                "share": test["share"],
                "precision": test["precision"],
            }
        except (OSError, json.DecodeError, KeyError, TypeError):
            run |= {"passed": False, "share": None, "precision": None}
        found.append(run)
    return sorted(found, key=lambda run: run["task"])
