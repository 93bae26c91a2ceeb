"""`wicket mini`: make a small model of a task's logged answers, look at what was made, put one in place."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.lab_process import require_lab, run_nicely
from wicket.cli.logs_examples import write_lines
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import table
from wicket.errors import CallerFault
from wicket.supervisor.home import default_home
from wicket.supervisor.minis import Placed, check_task, place, runs, withdraw

GATE_FAILED = 3  # the training's exit code when it went through and the gate did not pass
KEPT_BACK = "the gate did not pass, so it is not put in place; report.html says why"

TRAINING_OPTIONS = {
    "--engine": "auto, generation (it writes its answers) or label (it picks one)",
    "--base": "the checkpoint to start from: a known model, a GGUF file, an encoder's folder",
    "--quality": "the precision that what it takes must have (0.95)",
    "--least-share": "the share of requests it must take to be worth while (0.1)",
    "--rate": "how fast it learns, for a model that writes its answers (0.0001)",
    "--strangers": "labels: the share of requests that belong to none, for which the floor is made (0.08)",
    "--minutes": "how long it may learn (10)",
    "--epochs": "how often it sees each example (3)",
    "--scheme": "the number format of the exported file (q8_0)",
    "--seed": "the seed of everything random (0)",
}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("mini", help="make a small model of a task", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    train = verbs.add_parser("train", help="learn a task from its logged answers, prove it, put it in place")
    train.add_argument("task")
    train.add_argument("--examples", type=Path, help="a JSONL file instead of what was logged")
    train.add_argument("--evaluate", type=Path, help="a JSONL file that judges and is never learned from")
    train.add_argument("--keep-out", type=Path, help="a JSONL file that is never learned from")
    train.add_argument("--out", type=Path, help="the run's folder; an interrupted run in it goes on")
    train.add_argument(
        "--keep-data", action="store_true", help="leave the examples in the run's folder afterwards"
    )
    train.add_argument("--no-promote", action="store_true", help="leave what is in place as it is")
    for option, text in TRAINING_OPTIONS.items():
        train.add_argument(option, help=text)
    add_server_options(train)
    add_json_option(train)
    train.set_defaults(run=run_train)
    listing = verbs.add_parser("list", help="every run of every task, and which are in place")
    add_json_option(listing)
    listing.set_defaults(run=run_list)
    show = verbs.add_parser("show", help="one run's report")
    show.add_argument("task")
    show.add_argument("run_name", metavar="run", nargs="?", default="", help="the one in place unless named")
    add_json_option(show)
    show.set_defaults(run=run_show)
    promote = verbs.add_parser("promote", help="put a run in place; a running server takes it at once")
    promote.add_argument("task")
    promote.add_argument("run_name", metavar="run")
    promote.add_argument("--force", action="store_true", help="also one whose gate did not pass")
    add_json_option(promote)
    promote.set_defaults(run=run_promote)
    off = verbs.add_parser("withdraw", help="take a task's mini out: everything goes to the large model")
    off.add_argument("task")
    add_json_option(off)
    off.set_defaults(run=run_withdraw)


def run_train(args: argparse.Namespace) -> int:
    """Export, train in a process of its own at low priority, put in place if the gate passed."""
    require_lab()
    home = default_home(os.environ)
    task = check_task(args.task)
    folder = (args.out or home / "minis" / task / time.strftime("r%Y%m%d-%H%M%S", time.gmtime())).absolute()
    examples = args.examples
    if examples is None:
        examples = _export(args, task, folder)
    elif not examples.is_file():
        raise CallerFault("no_file", f"There is no file {examples}: check --examples.")
    words = [
        sys.executable,
        "-m",
        "wicket.lab",
        "mini",
        "--task",
        task,
        "--examples",
        str(examples.absolute()),
    ]
    words += ["--out", str(folder), "--home", str(home)]
    for option, path in (("--evaluate", args.evaluate), ("--keep-out", args.keep_out)):
        if path is not None:
            words += [option, str(path.absolute())]
    for option in TRAINING_OPTIONS:
        value = getattr(args, option.removeprefix("--").replace("-", "_"))
        if value is not None:
            words += [option, value]
    code = run_nicely(words)
    if code not in (0, GATE_FAILED):
        return code
    if not args.keep_data:
        _forget(folder)
    placed = None
    if code == 0 and not args.no_promote:
        placed = place(home, task, folder)
    _tell(args, folder, placed, passed=code == 0)
    return 0 if code == 0 else 1


def run_list(args: argparse.Namespace) -> int:
    """Runs, the newest first."""
    found = runs(default_home(os.environ))
    if args.json:
        show_json(found)
        return 0
    if not found:
        print("No mini was made yet: `wicket mini train TASK` makes one of a task's logged answers.")
        return 0
    rows = [
        [
            run["task"],
            run["run"],
            "in place" if run["is_current"] else "",
            "passed" if run["passed"] else "failed",
            _percent(run["share"]),
            _percent(run["precision"]),
        ]
        for run in found
    ]
    print(table(["task", "run", "", "gate", "takes", "precision"], rows))
    return 0


def run_show(args: argparse.Namespace) -> int:
    """A run's report: JSON as it is, or its page's place and main figures."""
    home = default_home(os.environ)
    task = check_task(args.task)
    known = [run for run in runs(home) if run["task"] == task]
    wanted = [
        run for run in known if run["run"] == args.run_name or (not args.run_name and run["is_current"])
    ]
    if not wanted:
        names = ", ".join(run["run"] for run in known) or "none"
        raise CallerFault("unknown_run", f"The task {task} has no such run; there are: {names}.", status=404)
    folder = home / "minis" / task / wanted[0]["run"]
    report = (folder / "report.json").read_bytes()
    if args.json:
        sys.stdout.write(report.decode() + "\n")
        return 0
    run = wanted[0]
    print(f"{task} {run['run']}: takes {_percent(run['share'])} at {_percent(run['precision'])} precision")
    print(f"Report: {folder / 'report.html'}")
    return 0


def run_promote(args: argparse.Namespace) -> int:
    """Put one run in place."""
    home = default_home(os.environ)
    task = check_task(args.task)
    placed = place(home, task, home / "minis" / task / args.run_name, is_forced=args.force)
    if args.json:
        show_json({"task": placed.task, "run": placed.run})
    else:
        print(f"{placed.task} now runs {placed.run}; a running server takes it within seconds.")
    return 0


def run_withdraw(args: argparse.Namespace) -> int:
    """Take a task's mini out."""
    task = check_task(args.task)
    was = withdraw(default_home(os.environ), task)
    if args.json:
        show_json({"task": task, "was": was})
    else:
        print(f"{task} has no mini in place now." if was else f"{task} had no mini in place.")
    return 0


def _export(args: argparse.Namespace, task: str, folder: Path) -> Path:
    """The task's examples as a file in the run's folder; the same file when an interrupted run goes on."""
    target = folder / "examples.jsonl"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with administration(args) as house:
        number = write_lines(target, house.examples({"task": task}))
    if not number:
        target.unlink()
        folder.rmdir()
        message = (
            f'Nothing was logged for the task {task}: write collect = "{task}" into a model\'s table and let '
            "requests come; `wicket tasks list` shows how many there are."
        )
        raise CallerFault("no_examples", message)
    return target


def _forget(folder: Path) -> None:
    """Prompts and answers live in the examples' database, where they can be erased, and not in every run."""
    (folder / "examples.jsonl").unlink(missing_ok=True)
    shutil.rmtree(folder / "data", ignore_errors=True)


def _tell(args: argparse.Namespace, folder: Path, placed: Placed | None, *, passed: bool) -> None:
    report = folder / "report.json"
    if args.json:
        sys.stdout.write(report.read_text() + "\n")
        return
    if placed is not None:
        print(f"{placed.task} now runs {placed.run}; a running server takes it within seconds.")
    elif not passed:
        print(f"The mini is in {folder}, but {KEPT_BACK}.")
    print(f"Report: {folder / 'report.html'}")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
