"""`wicket requests show ID`: what one request used and cost, attempt by attempt."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import dollars, milliseconds, plain, table


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("requests", help="what one request used and cost", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    show = verbs.add_parser("show", help="one request's record")
    show.add_argument("id", help="the request's id, from x-request-id")
    add_server_options(show)
    add_json_option(show)
    show.set_defaults(run=show_request)


def _ending(attempt: dict[str, Any]) -> str:
    """How a try ended, and what kind of try it was."""
    kinds = [attempt.get("kind") or "", "probe" if attempt.get("is_probe") else ""]
    return " ".join([attempt["reason"], *(f"({kind})" for kind in kinds if kind)])


def show_request(args: argparse.Namespace) -> None:
    """Print one record."""
    with administration(args) as house:
        record = house.request(args.id)
    if args.json:
        show_json(record)
        return
    for name, value in record.items():
        if name.endswith("_usd") and value is not None:
            value = dollars(value)
        elif name.endswith("_ms"):
            value = milliseconds(value)
        if name not in ("attempts", "object") and value not in ("", [], None):
            print(f"{name.removesuffix('_usd').removesuffix('_ms'):20} {plain(str(value))}")
    rows = [
        [
            attempt["deployment"],
            attempt["status"] or "-",
            _ending(attempt),
            milliseconds(attempt["first_token_ms"]),
            milliseconds(attempt["ended_ms"]),
            dollars(attempt["cost_usd"]),
        ]
        for attempt in record["attempts"]
    ]
    if rows:
        print("\n" + table(["ATTEMPT", "STATUS", "REASON", "FIRST TOKEN", "ENDED", "COST"], rows))
