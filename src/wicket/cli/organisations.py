"""`wicket organisations create|list|rename|suspend|resume|delete`."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.resource import add_verb, ask, path, show_list, tell


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("organisations", help="make and change organisations", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = add_verb(verbs, "create", "make an organisation", create_organisation)
    create.add_argument("--name", required=True)
    add_verb(verbs, "list", "every organisation", list_organisations)
    rename = add_verb(verbs, "rename", "give it another name", rename_organisation, "id")
    rename.add_argument("--name", required=True)
    add_verb(verbs, "suspend", "refuse its keys and users", suspend, "id")
    add_verb(verbs, "resume", "lift that", resume, "id")
    add_verb(verbs, "delete", "end its keys and sessions; history stays", delete, "id")


def create_organisation(args: argparse.Namespace) -> None:
    """Make one."""
    made = ask(args, "POST", path("organisations"), {"name": args.name})
    tell(args, made, f"The organisation {made['name']!r} is {made['id']}.")


def list_organisations(args: argparse.Namespace) -> None:
    """Print all."""
    rows = ask(args, "GET", path("organisations"))["data"]
    show_list(args, rows, "id name status created_at", "There is no organisation.")


def rename_organisation(args: argparse.Namespace) -> None:
    """Give it another name."""
    _change(args, {"name": args.name})


def suspend(args: argparse.Namespace) -> None:
    """Refuse its keys and users."""
    _change(args, {"status": "suspended"})


def resume(args: argparse.Namespace) -> None:
    """Lift that."""
    _change(args, {"status": "active"})


def delete(args: argparse.Namespace) -> None:
    """End it."""
    gone = ask(args, "DELETE", path("organisations", args.id))
    tell(args, gone, f"The organisation {gone['name']!r} is deleted; its history stays.")


def _change(args: argparse.Namespace, body: dict[str, str]) -> None:
    found = ask(args, "PATCH", path("organisations", args.id), body)
    tell(args, found, f"The organisation {found['name']!r} is {found['status']}.")
