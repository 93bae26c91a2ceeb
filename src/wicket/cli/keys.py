"""`wicket keys create|list|revoke`."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import table


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("keys", help="make, list and revoke keys", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = verbs.add_parser("create", help="make a key; its text is shown this once")
    create.add_argument("--name", required=True, help="whose key it is")
    create.add_argument("--team", default="", help="which team pays")
    create.add_argument("--models", default="", metavar="A,B", help="the models it may call (else all)")
    create.add_argument(
        "--expires-in", default="", metavar="AGE", help="how long it lives: 90s, 12h, 30d, 8w"
    )
    create.set_defaults(run=create_key)
    listing = verbs.add_parser("list", help="every key")
    listing.set_defaults(run=list_keys)
    revoke = verbs.add_parser("revoke", help="end a key everywhere within a second")
    revoke.add_argument("id", help="the key's id, from `wicket keys list`")
    revoke.set_defaults(run=revoke_key)
    for verb in (create, listing, revoke):
        add_server_options(verb)
        add_json_option(verb)


def create_key(args: argparse.Namespace) -> None:
    """Make a key and print it."""
    from wicket.accounts.keys import parse_lifetime

    new: dict[str, Any] = {"name": args.name, "team": args.team}
    new["models"] = [model.strip() for model in args.models.split(",") if model.strip()]
    if args.expires_in:
        new["expires_in_s"] = parse_lifetime(args.expires_in) // 1000
    with administration(args) as house:
        made = house.create_key(new)
    if args.json:
        show_json(made)
        return
    print(made["key"])
    print(f"id {made['id']}; this is the only time the key is shown.")


def list_keys(args: argparse.Namespace) -> None:
    """Print every key, without its text."""
    with administration(args) as house:
        keys = house.list_keys()
    if args.json:
        show_json(keys)
    elif not keys:
        print("There is no key yet; `wicket keys create --name NAME` makes one.")
    else:
        headers = ["ID", "NAME", "TEAM", "KEY", "MODELS", "STATE"]
        names = ["id", "name", "team", "shown"]
        rows = [[*(key[name] for name in names), key["models"] or "all", _state(key)] for key in keys]
        print(table(headers, rows))


def revoke_key(args: argparse.Namespace) -> None:
    """End a key."""
    with administration(args) as house:
        key = house.revoke_key(args.id)
    if args.json:
        show_json(key)
    else:
        print(f"The key {key['name']!r} ({key['id']}) is revoked.")


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return f"revoked {key['revoked_at'][:10]}"
    return f"until {key['expires_at'][:16]}" if key["expires_at"] else "live"
