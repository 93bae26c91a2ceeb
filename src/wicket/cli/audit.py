"""`wicket audit`: who changed what, newest first."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option
from wicket.cli.resource import ask, given, path, show_list
from wicket.wire.json import dumps


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("audit", help="who changed what", description=__doc__)
    parser.add_argument("--verb", default="", help="one kind of act, as in keys.create")
    parser.add_argument("--actor", default="", help="a user's id")
    parser.add_argument("--target", default="", help="the id of what was changed")
    parser.add_argument("--since", default="", metavar="AGE", help="an age like 1h, 7d, or an ISO time")
    parser.add_argument("--until", default="", metavar="AGE", help="as --since")
    parser.add_argument("--limit", default="", metavar="N", help="how many (else 100)")
    parser.add_argument("--before", default="", metavar="ID", help="older than this entry")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_audit)


def show_audit(args: argparse.Namespace) -> None:
    """Print entries."""
    names = ("verb", "actor", "target", "since", "until", "limit", "before")
    rows = ask(args, "GET", path("audit"), **given(args, *names))["data"]
    if not args.json:
        rows = [{**row, "who": row["actor_name"], "changes": dumps(row["changes"])} for row in rows]
    show_list(args, rows, "at who verb target changes", "Nothing was changed.")
