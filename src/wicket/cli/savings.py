"""`wicket savings`: what cascades cost, and what the large model alone would have cost, by task."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import dollars, plain, table

HEADERS = ["TASK", "REQUESTS", "BY THE MINI", "SPENT", "CHECKS", "LARGE ALONE", "SAVED"]


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("savings", help="what cascades saved, by task", description=__doc__)
    parser.add_argument("--since", default="", metavar="AGE", help="an age like 1h, 7d, or an ISO time")
    parser.add_argument("--until", default="", metavar="AGE", help="as --since")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_savings)


def show_savings(args: argparse.Namespace) -> None:
    """Print the report."""
    query = {name: getattr(args, name) for name in ("since", "until") if getattr(args, name)}
    with administration(args) as house:
        report = house.savings(query)
    if args.json:
        show_json(report)
        return
    if not report["tasks"]:
        print('Nothing yet: no request went through a model with policy = "cascade".')
        return
    lines = [[plain(row["task"]), *_figures(row)] for row in report["tasks"]]
    print(table(HEADERS, lines))
    if any(row["is_estimated"] for row in report["tasks"]):
        print("What the large model alone would have cost is estimated for the mini's answers.")


def _figures(row: dict[str, Any]) -> list[str]:
    money = [dollars(row[name]) for name in ("spent_usd", "check_usd", "large_only_usd", "saved_usd")]
    return [f"{row['requests']:,}", f"{row['mini_share']:.1%}", *money]
