"""`wicket auto`: learn from callers' scores which requests the local model should answer, or forget that."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wicket.cli.administration import Administration, administration
from wicket.cli.discovery import add_server_options
from wicket.cli.logs_examples import write_lines
from wicket.cli.mini import NICENESS
from wicket.cli.models import callable_now
from wicket.cli.output import add_json_option, show_json
from wicket.config.check_model import DEFAULT_NAME
from wicket.errors import CallerFault, OperatorFault
from wicket.minis import capability
from wicket.minis.correction import correction_name
from wicket.supervisor.home import default_home, prepare
from wicket.wire.json import decode


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("auto", help="learn who should answer", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    learn = verbs.add_parser("learn", help="correct the router by the scores of the local model's answers")
    learn.add_argument("--task", default="", help="of this task's examples only")
    learn.add_argument("--since", default="", metavar="AGE", help="an age like 15m, 1h, 7d, or an ISO time")
    learn.set_defaults(run=run_learn)
    forget = verbs.add_parser("forget", help="go by the router and the capability card alone")
    forget.set_defaults(run=run_forget)
    for verb in (learn, forget):
        verb.add_argument("--model", default="", metavar="ID", help="a local model (the one that mini names)")
        add_server_options(verb)
        add_json_option(verb)


def run_learn(args: argparse.Namespace) -> int:
    """Export what was scored, fit in a process of its own at low priority; 1 if it did not help."""
    if importlib.util.find_spec("numpy") is None:
        message = "Learning from feedback needs numpy, not installed here: pip install 'wicket[compact]'."
        raise OperatorFault("lab_missing", message)
    home = default_home(os.environ)
    model = args.model or _local_model(args)
    prepare(home)
    with TemporaryDirectory(prefix=".auto-", dir=home) as folder:  # 0700, and gone with its prompts
        file = Path(folder) / "scores.jsonl"
        with administration(args) as house:
            write_lines(file, _scored(house, args, model))
        found = _fitted(file, model, home)
    if args.json:
        show_json({"model": model, **found})
    else:
        _tell(model, found)
    return 0 if found["out"] else 1


def run_forget(args: argparse.Namespace) -> None:
    """Take the correction away; a running engine goes without it from the next request on."""
    model = args.model or _local_model(args)
    path = default_home(os.environ) / capability.FOLDER / correction_name(model)
    was_there = path.is_file()
    path.unlink(missing_ok=True)
    if args.json:
        show_json({"model": model, "forgotten": was_there})
    else:
        print(f"{model}: {'what was learned is gone' if was_there else 'nothing was learned'}.")


def _local_model(args: argparse.Namespace) -> str:
    """The deployment that `mini` names. Raises `CallerFault` where there is none."""
    card = next((card for card in callable_now(args) if card["id"] == DEFAULT_NAME), None)
    if card is None:
        message = "There is no local model here that could learn: name one with --model."
        raise CallerFault("no_local_model", message)
    return str(card["deployments"][0])


def _scored(house: Administration, args: argparse.Namespace, model: str) -> Iterator[dict[str, Any]]:
    """The scored examples that a model answered: of one task, or of all that have any."""
    tasks = [args.task] if args.task else [each["task"] for each in house.tasks() if each["scored"]]
    since = {"since": args.since} if args.since else {}
    for task in tasks:
        for example in house.examples({"task": task, **since}):
            if example["meta"]["deployment"] == model and example["meta"]["score"] is not None:
                yield example


def _fitted(file: Path, model: str, home: Path) -> dict[str, Any]:
    words = [sys.executable, "-m", "wicket.lab.router", "feedback", str(file)]
    done = subprocess.run(  # noqa: S603 - our own module
        [*words, "--model", model, "--home", str(home)],
        capture_output=True,
        check=False,
        preexec_fn=lambda: os.nice(NICENESS) and None,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it ended without a word"]
        reason = said[-1].removeprefix("wicket.lab.router: ").replace(f"{file} has", "There are")
        raise OperatorFault("not_learned", reason)
    found: dict[str, Any] = decode(done.stdout)
    return found


def _tell(model: str, found: dict[str, Any]) -> None:
    print(f"{model}: {found['feedback']} scores, {found['mean_score']:.2f} in the mean.")
    figures = f"{found['brier_before']:.4f} before, {found['brier_after']:.4f} after"
    print(f"Mean squared error of the chance, on scores not learned from: {figures}.")
    if found["out"]:
        print("A running engine goes by it from the next request on; `wicket auto forget` takes it back.")
    else:
        print("That is no better, so nothing was changed.")
