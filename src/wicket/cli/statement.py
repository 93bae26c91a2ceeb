"""`wicket statement 2026-11`: what a team, a key or everybody was charged in a month (days in UTC)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import dollars, plain, table
from wicket.errors import OperatorFault


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("statement", help="a month's statement", description=__doc__)
    parser.add_argument("month", metavar="YYYY-MM", help="the month, in UTC")
    parser.add_argument("--team", default="", help="of this team")
    parser.add_argument("--key", default="", help="of this key, by its id or name")
    parser.add_argument("--html", type=Path, default=None, metavar="FILE", help="write a page there")
    parser.add_argument("--csv", action="store_true", help="print CSV, amounts exact")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_statement)


def show_statement(args: argparse.Namespace) -> None:
    """Print the statement, or write its page."""
    query = {name: getattr(args, name) for name in ("team", "key") if getattr(args, name)}
    with administration(args) as house:
        if args.csv:
            print(house.statement_as(args.month, query, "csv"), end="")
            return
        if args.html is not None:
            _write(args.html, house.statement_as(args.month, query, "html"))
            return
        document = house.statement(args.month, query)
    if args.json:
        show_json(document)
        return
    print(f"{document['since']} to {document['until']}, {document['time_zone']}")
    lines = [[plain(row["model"]) or "unanswered", *_counts(row)] for row in document["models"]]
    heads = ["MODEL", "REQUESTS", "INPUT", "CACHED", "OUTPUT", "CHARGE"]
    print(table(heads, [*lines, ["total", *_counts(document)]]))
    for one in document["movements"]:
        print(f"{one['at']}  {one['kind']}  {dollars(one['amount_usd'])}  {plain(one['memo'])}".rstrip())
    for one in document["unpriced"]:
        print(f"without a price: {plain(one['kind'])} of {plain(one['model'])}, {one['requests']:,} requests")
    if not document["is_complete"]:
        print("The month is not over yet.")


def _counts(row: dict[str, Any]) -> list[str]:
    names = ("requests", "input_tokens", "cached_tokens", "output_tokens")
    return [*(f"{row[name]:,}" for name in names), dollars(row["charge_usd"])]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OperatorFault("not_written", f"{path} can't be written: {error.strerror}.") from None
    print(f"Written to {path}")
