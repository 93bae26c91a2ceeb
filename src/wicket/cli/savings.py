"""`wicket savings`: what was spent, and what the routes' largest models alone would have cost.

Cascades by task, with what their minis answered; all requests by whatever `--by` names.
"""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import dollars, plain, table

GROUPS = "day, key, team, model, task, organisation"
ALL_HEADERS = ["REQUESTS", "SPENT", "LARGEST ALONE", "SAVED"]
HEADERS = ["TASK", "REQUESTS", "BY THE MINI", "SPENT", "CHECKS", "LARGE ALONE", "SAVED"]


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("savings", help="what smaller models saved", description=__doc__)
    parser.add_argument("--by", default="", metavar="A,B", help=f"group all requests by any of {GROUPS}")
    parser.add_argument("--since", default="", metavar="AGE", help="an age like 1h, 7d, or an ISO time")
    parser.add_argument("--until", default="", metavar="AGE", help="as --since")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_savings)


def show_savings(args: argparse.Namespace) -> None:
    """Print the report."""
    query = {name: getattr(args, name) for name in ("by", "since", "until") if getattr(args, name)}
    with administration(args) as house:
        report = house.savings(query)
    if args.json:
        show_json(report)
        return
    if args.by or not report["tasks"]:
        print(_all(report, [group.strip() for group in args.by.split(",") if group.strip()]))
        return
    lines = [[plain(row["task"]), *_figures(row)] for row in report["tasks"]]
    print(table(HEADERS, lines))
    if any(row["is_estimated"] for row in report["tasks"]):
        print("What the large model alone would have cost is estimated for the mini's answers.")


def _all(report: dict[str, Any], groups: list[str]) -> str:
    """All requests, by group."""
    lines = [[*(plain(str(row[group])) for group in groups), *_sums(row)] for row in report["rows"]]
    total = [*["total", *[""] * (len(groups) - 1)][: len(groups)], *_sums(report["all"])]
    text = table([*(group.upper() for group in groups), *ALL_HEADERS], [*lines, total])
    unknown = report["all"]["unknown_requests"]
    if unknown:
        text += (
            f"\nOf {unknown:,} requests it is not known what the largest model would have cost: they saved 0."
        )
    return text


def _sums(row: dict[str, Any]) -> list[str]:
    money = [dollars(row[name]) for name in ("spent_usd", "large_only_usd", "saved_usd")]
    return [f"{row['requests']:,}", *money]


def _figures(row: dict[str, Any]) -> list[str]:
    money = [dollars(row[name]) for name in ("spent_usd", "check_usd", "large_only_usd", "saved_usd")]
    return [f"{row['requests']:,}", f"{row['mini_share']:.1%}", *money]
