"""`wicket invitations create|list|revoke`."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.resource import add_verb, ask, given, path, show_list, tell
from wicket.cli.users import ROLES


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("invitations", help="invite users", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = add_verb(verbs, "create", "make an invitation; its link is shown this once", create_invitation)
    create.add_argument("--role", choices=ROLES, default="member")
    create.add_argument("--team", default="", help="to this team alone")
    create.add_argument("--email", default="", help="for this address only")
    create.add_argument("--organisation", default="", help="its id or name (else the first)")
    create.add_argument("--expires-in", default="", metavar="AGE", help="how long it holds (else 7d)")
    add_verb(verbs, "list", "every invitation", list_invitations)
    add_verb(verbs, "revoke", "end one that was not used", revoke_invitation, "id")


def create_invitation(args: argparse.Namespace) -> None:
    """Make one."""
    from wicket.accounts.keys import parse_lifetime

    body = given(args, "role", "team", "email", "organisation")
    if args.expires_in:
        body["expires_in_s"] = parse_lifetime(args.expires_in) // 1000
    made = ask(args, "POST", path("invitations"), body)
    tell(args, made, f"{made['link']}\nid {made['id']}; the code, shown this once: {made['code']}")


def list_invitations(args: argparse.Namespace) -> None:
    """Print all."""
    rows = ask(args, "GET", path("invitations"))["data"]
    show_list(args, rows, "id role email expires_at used_at revoked_at", "There is no invitation.")


def revoke_invitation(args: argparse.Namespace) -> None:
    """End one."""
    gone = ask(args, "DELETE", path("invitations", args.id))
    tell(args, gone, f"The invitation {gone['id']} lets nobody in any more.")
