"""`wicket backup PATH`: a consistent copy of the database as one file, while it is in use."""

from __future__ import annotations

import argparse
import os
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import progress


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("backup", help="copy the database while it is in use", description=__doc__)
    parser.add_argument("path", help="the new file")
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=backup)


def backup(args: argparse.Namespace) -> None:
    """Make the copy."""
    target = os.path.abspath(os.path.expanduser(args.path))
    with progress("Copying the database"), administration(args) as house:
        made = house.backup(target)
    if args.json:
        show_json(made)
    else:
        print(f"{made['path']} ({made['bytes']:,} bytes)")
