"""`wicket users create|list|role|suspend|resume|delete|reset-password`."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.resource import add_verb, ask, given, path, show_list, tell

ROLES = ("owner", "admin", "member", "viewer")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("users", help="add and change users", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = add_verb(verbs, "create", "add a user; the password is shown this once", create_user)
    create.add_argument("--email", required=True)
    create.add_argument("--name", default="")
    create.add_argument("--role", choices=ROLES, default="member")
    create.add_argument("--team", default="", help="of this team alone")
    create.add_argument("--organisation", default="", help="its id or name (else the first)")
    create.add_argument("--external", action="store_true", help="signs in by an OpenID provider, no password")
    add_verb(verbs, "list", "every user", list_users)
    role = add_verb(verbs, "role", "give a role in the whole organisation", set_role, "user")
    role.add_argument("--role", choices=ROLES, required=True)
    role.add_argument("--organisation", default="", help="its id or name (else the first)")
    add_verb(verbs, "suspend", "end all sessions, let nobody in", suspend, "user")
    add_verb(verbs, "resume", "lift that", resume, "user")
    add_verb(verbs, "delete", "end all sessions and memberships; history stays", delete, "user")
    reset = "make a new password, shown this once; end all sessions"
    add_verb(verbs, "reset-password", reset, reset_password, "user")


def create_user(args: argparse.Namespace) -> None:
    """Add one."""
    body = given(args, "email", "name", "role", "team", "organisation", "external")
    made = ask(args, "POST", path("users"), body)
    shown = f"; password, shown this once: {made['password']}" if "password" in made else ""
    tell(args, made, f"{made['email']} is {made['id']}{shown}")


def list_users(args: argparse.Namespace) -> None:
    """Print all."""
    rows = ask(args, "GET", path("users"))["data"]
    shown = (
        rows if args.json else [{**row, "roles": list(map(_membership, row["memberships"]))} for row in rows]
    )
    none = "There is no user yet; the first to sign up on the page is the owner."
    show_list(args, shown, "id email name status roles", none)


def set_role(args: argparse.Namespace) -> None:
    """Give a role."""
    _change(args, given(args, "role", "organisation"))


def suspend(args: argparse.Namespace) -> None:
    """Let nobody in."""
    _change(args, {"status": "suspended"})


def resume(args: argparse.Namespace) -> None:
    """Lift that."""
    _change(args, {"status": "active"})


def delete(args: argparse.Namespace) -> None:
    """End everything of theirs."""
    gone = ask(args, "DELETE", path("users", args.user))
    tell(args, gone, f"{gone['email']} is {gone['status']}; the history stays.")


def reset_password(args: argparse.Namespace) -> None:
    """Make a new password."""
    made = ask(args, "POST", path("users", args.user, "password"), {})
    tell(args, made, f"The password of {made['email']}, shown this once: {made['password']}")


def _change(args: argparse.Namespace, body: dict[str, str]) -> None:
    found = ask(args, "PATCH", path("users", args.user), body)
    roles = ", ".join(map(_membership, found["memberships"]))
    tell(args, found, f"{found['email']} is {found['status']}: {roles}.")


def _membership(row: dict[str, Any]) -> str:
    where = row["organisation_name"] + (f"/{row['team_name']}" if row["team_name"] else "")
    return f"{row['role']} of {where}"
