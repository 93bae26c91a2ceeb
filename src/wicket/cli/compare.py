"""`wicket compare CASES.jsonl --models a,b`: the same cases to several models, and what came of it.

A case is a line {"prompt" or "messages", "expected", "check"?, "kind"?, "id"?}; docs/compare.md has the rest.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wicket.cli.administration import running_server
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.errors import CallerFault, OperatorFault

if TYPE_CHECKING:
    from wicket.cli.compare_plan import Settings
    from wicket.suites.case import Case
    from wicket.suites.comparison import Comparison

SUITES = ("compact",)
WATTS_PER_CORE = 10.0  # of a busy core of a server's processor, its share of the package's limit; an estimate


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "compare", help="ask several models the same cases", description=__doc__.replace("%", "%%")
    )
    add = parser.add_argument
    add("cases", nargs="?", type=Path, metavar="CASES.jsonl", help="the cases, one JSON object per line")
    add("--suite", choices=SUITES, help="cases that come with Wicket, instead of a file")
    add("--models", required=True, metavar="A,B", help="who is asked")
    add("--check", default="", metavar="NAME", help="how answers of cases that don't say are judged (exact)")
    add("--repeat", type=_count, default=1, metavar="N", help="answers per case and model (1)")
    add("--concurrency", type=_count, default=4, metavar="N", help="requests at a time (4)")
    add("--limit", type=_count, metavar="N", help="the first N cases only")
    add("--max-usd", type=_dollars, default=1.0, metavar="USD", help="stop before more is spent (1.00)")
    add("--max-tokens", type=_count, default=1024, metavar="N", help="the longest answer (1024)")
    add("--temperature", default="0", metavar="T", help='0 is the likeliest answer; "none" sends none (0)')
    add("--baseline", default="", metavar="A", help="compare the others with this model only")
    add("--out", type=Path, metavar="DIR", help="keep answers there, go on with them, write the report")
    add("--retry-errors", action="store_true", help="with --out: ask again what failed before")
    add("--fail-below", action="append", default=[], metavar="A=0.9", help="exit 1 if A has less right")
    add("--no-worse-than", default="", metavar="A", help="exit 1 if another model is clearly worse than A")
    add("--write-card", action="store_true", help="write the capability cards of local models")
    add("--judge", default="", metavar="MODEL", help='who judges cases with the check "judge"')
    add("--embeddings", default="", metavar="MODEL", help='embeds for the check "similarity"')
    add("--allow-code", action="store_true", help='run code of answers, for the check "tests"')
    add(
        "--watts-per-core", type=_dollars, default=WATTS_PER_CORE, metavar="W", help="for the energy estimate"
    )
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=compare)


def compare(args: argparse.Namespace) -> int:
    """Ask, judge, report; 1 if a gate is not met or answers are missing."""
    from wicket.cli.compare_output import failures, terminal_report
    from wicket.cli.compare_run import Run

    settings = read_settings(args)
    cases = read_suite(args)
    client = running_server(args, "compare")
    run = Run(client, cases, settings)
    if args.write_card:
        from wicket.cli.compare_card import require_cards

        require_cards(run)
    comparison = run.compare()
    if settings.folder is not None:
        run.write_report(comparison)
    if args.json:
        from msgspec import to_builtins

        show_json(to_builtins(comparison))
    else:
        print(terminal_report(comparison))
    if args.write_card:
        write_cards(run, comparison)
    failed = failures(comparison, settings)
    for line in failed:
        print(f"wicket: {line}", file=sys.stderr)
    return 1 if failed else 0


def read_settings(args: argparse.Namespace) -> Settings:
    """What the options come to. Raises `CallerFault` naming the one that can't be."""
    from wicket.cli.compare_plan import Settings

    models = tuple(dict.fromkeys(name.strip() for name in args.models.split(",") if name.strip()))
    if not models:
        raise CallerFault("no_models", "--models names nobody: --models mini,openai/gpt-4o")
    for option, name in (("--baseline", args.baseline), ("--no-worse-than", args.no_worse_than)):
        if name and name not in models:
            raise CallerFault("unknown_model", f"{option} names {name}, which is not among --models.")
    if args.baseline and args.no_worse_than and args.baseline != args.no_worse_than:
        raise CallerFault("two_baselines", "--baseline and --no-worse-than name different models.")
    return Settings(
        models=models,
        repeats=args.repeat,
        concurrency=args.concurrency,
        max_usd=args.max_usd,
        max_tokens=args.max_tokens,
        temperature=_temperature(args.temperature),
        baseline=args.baseline or args.no_worse_than,
        no_worse_than=args.no_worse_than,
        floors=_floors(args.fail_below, models),
        folder=args.out,
        retries_errors=args.retry_errors,
        judge=args.judge,
        embeddings=args.embeddings,
        allows_code=args.allow_code,
        watts_per_core=args.watts_per_core,
    )


def read_suite(args: argparse.Namespace) -> list[Case]:
    """The cases. Raises `CallerFault`."""
    from wicket.suites.case import read_cases, require_possible

    if (args.cases is None) == (args.suite is None):
        raise CallerFault("no_cases", "Name either a file of cases or a suite: --suite compact.")
    if args.suite is not None:
        from importlib.resources import files

        name, data = args.suite, (files("wicket.suites") / f"{args.suite}.jsonl").read_bytes()
    else:
        name = str(args.cases)
        try:
            data = args.cases.read_bytes()
        except OSError as error:
            raise CallerFault("no_cases", f"{name} can't be read: {error.strerror}.") from None
    cases = read_cases(data, name, args.check or "exact")[: args.limit]
    require_possible(cases, has_judge=bool(args.judge), allows_code=args.allow_code)
    return cases


def write_cards(run: Any, comparison: Comparison) -> None:
    """The capability card of each local model, in the data folder of the server that was asked."""
    from wicket.cli import compare_card

    try:
        for path in compare_card.write_cards(run, comparison):
            print(f"Written: {path}", file=sys.stderr)
    except OSError as error:
        raise OperatorFault("card_unwritable", f"The card can't be written: {error.strerror}.") from None


def _floors(words: list[str], models: tuple[str, ...]) -> dict[str, float]:
    floors = {}
    for word in words:
        name, _, share = word.rpartition("=")
        try:
            floors[name] = float(share)
        except ValueError:
            floors[name] = -1.0
        if name not in models or not 0 <= floors[name] <= 1:
            message = f"--fail-below {word!r} must be one of --models, '=', and a share from 0 to 1."
            raise CallerFault("bad_floor", message)
    return floors


def _temperature(word: str) -> float | None:
    if word == "none":
        return None
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise CallerFault("bad_temperature", '--temperature must be from 0 to 2, or "none".')
    return value


def _count(word: str) -> int:
    value = int(word)
    if value < 1:
        raise ValueError
    return value


def _dollars(word: str) -> float:
    value = float(word)
    if not 0 <= value < 1e9:
        raise ValueError
    return value
