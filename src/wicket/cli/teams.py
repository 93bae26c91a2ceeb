"""`wicket teams create|list|rename|suspend|resume|delete|members|add|remove`."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.resource import add_verb, ask, given, path, show_list, tell

ROLES = ("admin", "member", "viewer")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("teams", help="make and change teams, their members", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = add_verb(verbs, "create", "make a team", create_team)
    create.add_argument("--name", required=True)
    create.add_argument("--organisation", default="", help="its id or name (else the first)")
    listing = add_verb(verbs, "list", "every team", list_teams)
    listing.add_argument("--organisation", default="", help="of this one only")
    rename = add_verb(verbs, "rename", "give it another name", rename_team, "team")
    rename.add_argument("--name", required=True)
    add_verb(verbs, "suspend", "refuse its keys everywhere within a second", suspend, "team")
    add_verb(verbs, "resume", "lift that", resume, "team")
    add_verb(verbs, "delete", "end its keys; history stays", delete, "team")
    add_verb(verbs, "members", "who is a member", list_members, "team")
    add = add_verb(verbs, "add", "make a user a member, or change the role", add_member, "team", "user")
    add.add_argument("--role", choices=ROLES, default="member")
    add_verb(verbs, "remove", "end a membership", remove_member, "team", "user")


def create_team(args: argparse.Namespace) -> None:
    """Make one."""
    made = ask(args, "POST", path("teams"), given(args, "name", "organisation"))
    tell(args, made, f"The team {made['name']!r} is {made['id']}.")


def list_teams(args: argparse.Namespace) -> None:
    """Print all."""
    rows = ask(args, "GET", path("teams"), **given(args, "organisation"))["data"]
    none = "There is no team yet; `wicket teams create --name NAME` makes one."
    show_list(args, rows, "id name organisation_name status created_at", none)


def rename_team(args: argparse.Namespace) -> None:
    """Give it another name."""
    _change(args, {"name": args.name})


def suspend(args: argparse.Namespace) -> None:
    """Refuse its keys."""
    _change(args, {"status": "suspended"})


def resume(args: argparse.Namespace) -> None:
    """Lift that."""
    _change(args, {"status": "active"})


def delete(args: argparse.Namespace) -> None:
    """End it."""
    gone = ask(args, "DELETE", path("teams", args.team))
    tell(args, gone, f"The team {gone['name']!r} is deleted; its history stays.")


def list_members(args: argparse.Namespace) -> None:
    """Print who is a member."""
    rows = ask(args, "GET", path("teams", args.team, "members"))["data"]
    show_list(args, rows, "user email name role", "Nobody is a member of this team itself.")


def add_member(args: argparse.Namespace) -> None:
    """Give a role."""
    body = {"user": args.user, "role": args.role}
    made = ask(args, "POST", path("teams", args.team, "members"), body)
    tell(args, made, f"{made['email']} is {made['role']} of the team.")


def remove_member(args: argparse.Namespace) -> None:
    """Take it back."""
    gone = ask(args, "DELETE", path("teams", args.team, "members", args.user))
    tell(args, gone, f"{gone['email']} is no member of the team any more.")


def _change(args: argparse.Namespace, body: dict[str, str]) -> None:
    found = ask(args, "PATCH", path("teams", args.team), body)
    tell(args, found, f"The team {found['name']!r} is {found['status']}.")
