"""`wicket feedback REQUEST_ID`: say of an answer how good it was, or how it should read."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.errors import CallerFault


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("feedback", help="say of an answer how good it was", description=__doc__)
    parser.add_argument("id", metavar="REQUEST_ID", help="from the answer's x-request-id")
    parser.add_argument("--score", type=float, default=None, help="from 0 (useless) to 1 (right)")
    parser.add_argument("--corrected", default="", metavar="TEXT", help="how the answer should read")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=give_feedback)


def give_feedback(args: argparse.Namespace) -> None:
    """Hand it in and say what is known now."""
    said: dict[str, Any] = {"request_id": args.id}
    if args.score is not None:
        said["score"] = args.score
    if args.corrected:
        said["corrected"] = args.corrected
    if len(said) == 1:
        raise CallerFault("usage", "Say something: --score or --corrected.")
    with administration(args) as house:
        known = house.feedback(said)
    if args.json:
        show_json(known)
        return
    score = "no score" if known["score"] is None else f"score {known['score']:g}"
    print(f"{known['request_id']}: {score}, {'corrected' if known['corrected'] else 'not corrected'}.")
