"""`wicket usage`: tokens and money, summed and grouped."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import dollars, table

GROUPS = "day, key, team, model, deployment, api, organisation, task"


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("usage", help="tokens and money, summed", description=__doc__)
    parser.add_argument("--by", default="", metavar="A,B", help=f"group by any of {GROUPS}")
    parser.add_argument("--since", default="", metavar="AGE", help="an age like 1h, 7d, or an ISO time")
    parser.add_argument("--until", default="", metavar="AGE", help="as --since")
    parser.add_argument("--csv", action="store_true", help="print CSV, amounts exact")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_usage)


def show_usage(args: argparse.Namespace) -> None:
    """Print the report."""
    query = {name: getattr(args, name) for name in ("by", "since", "until") if getattr(args, name)}
    with administration(args) as house:
        if args.csv:
            print(house.usage_csv(query), end="")
            return
        report = house.usage(query)
    if args.json:
        show_json(report)
        return
    rows = report["rows"] if args.by else []
    groups = [group.strip() for group in args.by.split(",") if group.strip()] if rows else []
    headers = [*(group.upper() for group in groups), "REQUESTS", "INPUT", "OUTPUT", "COST", "CHARGE"]
    lines = [[*(_named(row, group) for group in groups), *_counts(row)] for row in rows]
    print(table(headers, [*lines, [*["total", *[""] * (len(groups) - 1)][: len(groups)], *_counts(report)]]))


def _named(row: dict[str, Any], group: str) -> str:
    value = str(row.get(group, ""))
    name = row.get("key_name") if group == "key" else ""
    return f"{name} ({value})" if name and name != value else value


def _counts(row: dict[str, Any]) -> list[str]:
    tokens = [f"{row[name]:,}" for name in ("requests", "input_tokens", "output_tokens")]
    return [*tokens, dollars(row["cost_usd"]), dollars(row["charge_usd"])]
