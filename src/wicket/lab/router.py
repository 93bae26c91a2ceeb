"""Makes routers: `python -m wicket.lab.router`.

    fit FOLDER --out FILE          learn a router from results per question (this made the shipped one)
    check FOLDER                   leave whole subjects out, several times; figures and baselines
    score FOLDER [--router FILE]   what a router, the shipped one by default, is worth on other results
    feedback FILE.jsonl --model M  learn from the user's own scores; writes what the engine reads, if it helps

FOLDER holds CSV files, one for each subject, as RouteLLM publishes them: prompt, then for a small and a large
model "True" or "False". Each command prints one JSON document.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wicket.errors import CallerFault, Fault
from wicket.lab.router_data import read_feedback, read_results
from wicket.lab.router_feedback import LEAST_FEEDBACK, fit_correction
from wicket.lab.router_fit import Recipe, fit_router
from wicket.lab.router_report import cross_validated, rounded, scored
from wicket.minis import capability
from wicket.minis.capability import read_capability
from wicket.minis.correction import correction_name
from wicket.minis.router import read_router, shipped
from wicket.minis.suitability import known_kinds
from wicket.wire.json import dumps, encode

# The recipe was chosen on draws 0 to 3, so it is judged on others.
FRESH_DRAWS = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """The command's entry; the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        print(dumps(asked.run(asked)))
    except (Fault, OSError) as fault:
        print(f"wicket.lab.router: {fault}", file=sys.stderr)
        return 1
    return 0


def _fit(asked: argparse.Namespace) -> dict[str, Any]:
    router = fit_router(read_results(asked.folder), Recipe(seed=asked.seed))
    data = encode(rounded(router))
    asked.out.write_bytes(data)
    return {"out": str(asked.out), "bytes": len(data), "source": router.source}


def _check(asked: argparse.Namespace) -> dict[str, Any]:
    results = read_results(asked.folder)
    return cross_validated(results, Recipe(), asked.folds, range(asked.first, asked.first + asked.seeds))


def _score(asked: argparse.Namespace) -> dict[str, Any]:
    router = shipped() if asked.router is None else read_router(asked.router.read_bytes())
    return scored(router, read_results(asked.folder))


def _feedback(asked: argparse.Namespace) -> dict[str, Any]:
    folder = asked.home / capability.FOLDER
    card_path = folder / capability.file_name(asked.model)
    card = read_capability(card_path.read_bytes()) if card_path.is_file() else None
    feedback = read_feedback(asked.file, asked.model)
    if len(feedback.scores) < LEAST_FEEDBACK:
        message = (
            f"{asked.file} has {len(feedback.scores)} scores of {asked.model}: "
            f"{LEAST_FEEDBACK} are the least to learn from."
        )
        raise CallerFault("too_little_feedback", message)
    kinds = known_kinds(card, asked.model.rpartition("/")[2])
    correction, figures = fit_correction(shipped(), kinds, feedback, asked.model, time.time_ns() // 1_000_000)
    if figures["brier_after"] >= figures["brier_before"]:  # of what it has not seen: it would do harm
        return {"out": None, **figures}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / correction_name(asked.model)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(encode(correction))
    fresh.replace(path)
    return {"out": str(path), **figures}


def _home() -> Path | None:
    home = os.environ.get("WICKET_HOME", "")
    return Path(home) if home else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wicket.lab.router", description="Make and judge routers."
    )
    commands = parser.add_subparsers(required=True)
    fit = commands.add_parser("fit", help="learn a router from results per question")
    fit.add_argument("folder", type=Path)
    fit.add_argument("--out", type=Path, required=True)
    fit.add_argument("--seed", type=int, default=0)
    fit.set_defaults(run=_fit)
    check = commands.add_parser("check", help="cross-validate with whole subjects left out")
    check.add_argument("folder", type=Path)
    check.add_argument("--folds", type=int, default=5)
    check.add_argument("--seeds", type=int, default=4, help="how many draws of folds")
    check.add_argument("--first", type=int, default=FRESH_DRAWS, help="the first draw's seed")
    check.set_defaults(run=_check)
    score = commands.add_parser("score", help="judge a router on results")
    score.add_argument("folder", type=Path)
    score.add_argument("--router", type=Path)
    score.set_defaults(run=_score)
    feedback = commands.add_parser("feedback", help="learn from the user's own scores")
    feedback.add_argument("file", type=Path)
    feedback.add_argument(
        "--model", required=True, help="the local model's id, e.g. compact/smollm2-135m-instruct"
    )
    feedback.add_argument("--home", type=Path, default=_home(), required=_home() is None)
    feedback.set_defaults(run=_feedback)
    return parser


if __name__ == "__main__":
    sys.exit(main())
