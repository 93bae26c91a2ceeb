"""`wicket dev upstream`: tools for developers."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("dev", help="tools for developers", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    upstream = verbs.add_parser(
        "upstream", help="a scripted provider to test against", add_help=False, prefix_chars="\0"
    )
    upstream.add_argument("rest", nargs=argparse.REMAINDER)
    upstream.set_defaults(run=run_upstream)


def run_upstream(args: argparse.Namespace) -> int:
    """Hand over to the scripted upstream, which knows its own options."""
    main = import_module("wicket.upstream.scripted").main
    return int(main(args.rest) or 0)
