"""`wicket backup PATH`: a consistent copy of the database as one file, while it is in use.

With `--kept FOLDER` also what is kept of conversations, files and batches: with it go texts that people may
have deleted since.
"""

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
    parser.add_argument(
        "--kept", metavar="FOLDER", default="", help="and kept.db with files, into a new folder"
    )
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=backup)


def backup(args: argparse.Namespace) -> None:
    """Make the copy."""
    target = os.path.abspath(os.path.expanduser(args.path))
    kept_target = os.path.abspath(os.path.expanduser(args.kept)) if args.kept else ""
    with progress("Copying the database"), administration(args) as house:
        made = house.backup(target, kept_target)
    if args.json:
        show_json(made)
        return
    print(f"{made['path']} ({made['bytes']:,} bytes)")
    kept = made.get("kept")
    if kept:
        print(f"{kept['path']} ({kept['bytes']:,} bytes, {kept['files']:,} files)")
    elif args.kept:
        print("Nothing is kept here ([storage]), so there is no folder.")
    elif made.get("has_kept"):
        print("Not in it: what is kept of conversations, files and batches (--kept FOLDER copies that too).")
