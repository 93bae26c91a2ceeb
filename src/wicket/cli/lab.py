"""`wicket lab`: run a recipe, which makes a small model of a large one and proves it; look at runs."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from wicket.cli import lab_data
from wicket.cli.lab_process import require_lab, run_nicely
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import table
from wicket.errors import CallerFault
from wicket.supervisor.home import default_home
from wicket.wire import json

GATE_FAILED = 3  # the run's exit code when it went through and the gate did not pass
RUNS = "runs"
LABELS = "labels"  # the kind of a report about a classifier
COLUMNS = ["run", "gate", "kept", "exact", "perplexity", "bytes", "tokens/s", "ms/request"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("lab", help="run recipes", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    run = verbs.add_parser(
        "run",
        help="run a recipe; an interrupted run goes on",
        epilog="Exit code 0: the gate passed; 3: it did not; 1: a fault. docs/lab.md says how to write one.",
    )
    run.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    run.add_argument("--out", type=Path, help="the run's folder (WICKET_HOME/runs/NAME)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="another value for this run: seed=1, teacher.pace.steps=50, steps.0.layers=2",
    )
    add_json_option(run)
    run.set_defaults(run=run_recipe)
    listing = verbs.add_parser("list", help="all runs, the newest first")
    add_json_option(listing)
    listing.set_defaults(run=run_list)
    show = verbs.add_parser("show", help="one run's report")
    show.add_argument("run_name", metavar="RUN", help="its name, or its folder")
    add_json_option(show)
    show.set_defaults(run=run_show)
    lab_data.add_verbs(verbs)
    compare = verbs.add_parser("compare", help="several runs beside each other")
    compare.add_argument("run_names", metavar="RUN", nargs="+")
    add_json_option(compare)
    compare.set_defaults(run=run_compare)


def run_recipe(args: argparse.Namespace) -> int:
    """Run a recipe in a process of its own at low priority."""
    if not args.recipe.is_file():
        raise CallerFault("no_file", f"There is no recipe {args.recipe}: check the path.")
    require_lab()
    home = default_home(os.environ)
    folder = (args.out or home / RUNS / _name_in(args.recipe, args.overrides)).absolute()
    words = [sys.executable, "-m", "wicket.lab", "run", str(args.recipe), "--out", str(folder)]
    words += ["--home", str(home)]
    for override in args.overrides:
        words += ["--set", override]
    code = run_nicely(words)
    if code not in (0, GATE_FAILED):
        return code
    if args.json:
        sys.stdout.write((folder / "report.json").read_text() + "\n")
        return code
    _tell(_report(folder))
    print(f"Report: {folder / 'report.html'}")
    place = f"run:{folder.name}" if folder.parent == home / RUNS else str(_model_in(folder))
    print(f"Serve it: wicket serve --model {place}")
    return code


def run_list(args: argparse.Namespace) -> int:
    """Every run under WICKET_HOME/runs."""
    folder = default_home(os.environ) / RUNS
    found = [_summary(path.parent, _report(path.parent)) for path in folder.glob("*/report.json")]
    found.sort(key=lambda run: -run["made_ms"])
    if args.json:
        show_json(found)
    elif found:
        print(table(COLUMNS, _rows(found)))
    else:
        print("No recipe was run yet: `wicket lab run recipes/quick.toml` runs the quick one.")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """A run's report: JSON as it is, or its main figures and its page's place."""
    folder = _folder(args.run_name)
    if args.json:
        sys.stdout.write((folder / "report.json").read_text() + "\n")
        return 0
    _tell(_report(folder))
    print(f"Report: {folder / 'report.html'}")
    return 0


def run_compare(args: argparse.Namespace) -> int:
    """Runs in a table, in the order they were named."""
    found = [_summary(folder, _report(folder)) for folder in map(_folder, args.run_names)]
    if args.json:
        show_json(found)
        return 0
    print(table(COLUMNS, _rows(found)))
    return 0


def _tell(report: dict[str, Any]) -> None:
    """The gate, then what each stage came to."""
    checks = [
        ["kept" if check["passed"] else "NOT kept", check["name"], f"{check['value']:.4g}",
         f"{check['needed']:.4g}", check["says"]]
        for check in report["gate"]["checks"]
    ]  # fmt: skip
    is_labels = _kind(report) == LABELS
    stages = [
        [made["name"], f"{made['size']['num_parameters']:,}", f"{made['size']['file_bytes']:,}",
         f"{made['exact']:.1%}" if is_labels else f"{made['size']['exported']['loss']:.4f}",
         f"{made['seconds']:.0f} s"]
        for made in report["models"]
    ]  # fmt: skip
    measure = "right" if is_labels else "loss as exported"
    print(table(["model after", "parameters", "bytes", measure, "took"], stages))
    print(table(["", "promise", "measured", "needed", ""], checks))
    print(f"The gate {'passed' if report['gate']['passed'] else 'did not pass'}.")


def _kind(report: dict[str, Any]) -> str:
    """What was made: runs of earlier versions do not say it, and made decoders."""
    return str(report.get("kind", "recipe"))


def _summary(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    """A run in a line. Runs for labels have a time per request, the others perplexity and decode speed."""
    found: dict[str, Any] = {
        "run": folder.name,
        "folder": str(folder),
        "kind": _kind(report),
        "made_ms": (folder / "report.json").stat().st_mtime_ns // 1_000_000,
        "passed": report["gate"]["passed"],
        "kept": report["kept"],
        "num_parameters": report["models"][-1]["size"]["num_parameters"],
        "seed": report["seed"],
    }
    if _kind(report) == LABELS:
        size, speed = report["models"][-1]["size"], report["speeds"]["student"]
        return found | {
            "exact": report["exact"],
            "file_bytes": size["file_bytes"],
            "request_ms": speed["cpu_ms_p50"],
        }
    student = report["evaluated"]["student"]
    return found | {
        "exact": student["exact"],
        "perplexity": report["perplexity"]["student"],
        "kl": student["likeness"]["kl"],
        "file_bytes": student["figures"]["file_bytes"],
        "decode_speed": student["figures"]["decode_speed"],
    }


def _rows(found: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            run["run"],
            "passed" if run["passed"] else "failed",
            f"{run['kept']:.3f}",
            "-" if run["exact"] is None else f"{run['exact']:.1%}",
            f"{run['perplexity']:.3f}" if "perplexity" in run else "-",
            f"{run['file_bytes']:,}",
            f"{run['decode_speed']:,.0f}" if "decode_speed" in run else "-",
            f"{run['request_ms']:.1f}" if "request_ms" in run else "-",
        ]
        for run in found
    ]


def _model_in(folder: Path) -> Path:
    """What a run outside WICKET_HOME is served from."""
    return folder / "model" if (folder / "model").is_dir() else folder / "model.gguf"


def _folder(name: str) -> Path:
    """A run by its name or its folder. Raises `CallerFault` for one that there is not, or that is not
    over."""
    home = default_home(os.environ) / RUNS
    folder = home / name if _NAME.fullmatch(name) and (home / name).is_dir() else Path(name)
    if (folder / "report.json").is_file():
        return folder
    if (folder / "run.json").is_file():
        message = f"The run {name} is not over: start its command again, and it goes on."
        raise CallerFault("unfinished_run", message, status=404)
    names = ", ".join(sorted(path.parent.name for path in home.glob("*/report.json"))) or "none"
    raise CallerFault("unknown_run", f"There is no run {name[:80]!r}; there are: {names}.", status=404)


def _report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    try:
        report: dict[str, Any] = json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, json.DecodeError) as error:
        raise CallerFault("unknown_run", f"{path} can't be read: {error}.", status=404) from None
    return report


def _name_in(recipe: Path, overrides: list[str]) -> str:
    """What a recipe calls itself; whatever else is wrong with it, the run will say."""
    named = [
        override.partition("=")[2].strip("\"' ") for override in overrides if override.startswith("name=")
    ]
    try:
        name = named[-1] if named else tomllib.loads(recipe.read_text("utf-8")).get("name")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        name = None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else recipe.stem
