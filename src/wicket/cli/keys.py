"""`wicket keys create|list|update|rotate|revoke`."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.resource import ask, listed, path, tell
from wicket.cli.terminal import table


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("keys", help="make, change, rotate and revoke keys", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    create = verbs.add_parser("create", help="make a key; its text is shown this once")
    create.add_argument("--name", required=True, help="whose key it is")
    create.add_argument("--team", default="", help="which team pays")
    create.add_argument("--organisation", default="", help="whose team that is (else the first)")
    _add_bounds(create)
    create.add_argument(
        "--expires-in", default="", metavar="AGE", help="how long it lives: 90s, 12h, 30d, 8w"
    )
    create.set_defaults(run=create_key)
    listing = verbs.add_parser("list", help="every key")
    listing.add_argument("--hidden", action="store_true", help="those of the page's sessions too")
    listing.set_defaults(run=list_keys)
    update = verbs.add_parser("update", help="change a key; an empty value lifts a bound")
    update.add_argument("id", help="the key's id, from `wicket keys list`")
    update.add_argument("--name", default=None)
    _add_bounds(update, None)
    update.add_argument("--expires-in", default=None, metavar="AGE", help='"never", or 90s, 12h, 30d, 8w')
    state = update.add_mutually_exclusive_group()
    state.add_argument("--suspend", action="store_true", help="refuse it until it is resumed")
    state.add_argument("--resume", action="store_true")
    update.set_defaults(run=update_key)
    rotate = verbs.add_parser("rotate", help="give a key a new text, shown this once")
    rotate.add_argument("id", help="the key's id, from `wicket keys list`")
    rotate.add_argument("--overlap", default="", metavar="AGE", help="how long the old text works (else not)")
    rotate.set_defaults(run=rotate_key)
    revoke = verbs.add_parser("revoke", help="end a key everywhere within a second")
    revoke.add_argument("id", help="the key's id, from `wicket keys list`")
    revoke.set_defaults(run=revoke_key)
    for verb in (create, listing, update, rotate, revoke):
        add_server_options(verb)
        add_json_option(verb)


def _add_bounds(parser: argparse.ArgumentParser, default: str | None = "") -> None:
    parser.add_argument("--models", default=default, metavar="A,B", help="the models it may call (else all)")
    parser.add_argument(
        "--networks",
        default=default,
        metavar="A,B",
        help="from where: 10.0.0.0/8,2001:db8::/32",
    )
    parser.add_argument(
        "--routes",
        default=default,
        metavar="A,B",
        help="for what: /v1/embeddings,chat.completions",
    )


def create_key(args: argparse.Namespace) -> None:
    """Make a key and print it."""
    from wicket.accounts.keys import parse_lifetime

    new: dict[str, Any] = {"name": args.name, "team": args.team}
    new |= {name: listed(getattr(args, name)) for name in ("models", "networks", "routes")}
    if args.organisation:
        new["organisation"] = args.organisation
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
    keys = ask(args, "GET", path("keys"), **({"hidden": "1"} if args.hidden else {}))["data"]
    if args.json:
        show_json(keys)
    elif not keys:
        print("There is no key yet; `wicket keys create --name NAME` makes one.")
    else:
        headers = ["ID", "NAME", "TEAM", "KEY", "MODELS", "STATE"]
        names = ["id", "name", "team", "shown"]
        rows = [[*(key[name] for name in names), key["models"] or "all", _state(key)] for key in keys]
        print(table(headers, rows))


def update_key(args: argparse.Namespace) -> None:
    """Change a key."""
    from wicket.accounts.keys import parse_lifetime

    body: dict[str, Any] = {} if args.name is None else {"name": args.name}
    for name in ("models", "networks", "routes"):
        if getattr(args, name) is not None:
            body[name] = listed(getattr(args, name))
    if args.suspend or args.resume:
        body["suspended"] = args.suspend
    if args.expires_in == "never":
        body["expires_at"] = None
    elif args.expires_in is not None:
        body["expires_in_s"] = parse_lifetime(args.expires_in) // 1000
    key = ask(args, "PATCH", path("keys", args.id), body)
    tell(args, key, f"The key {key['name']!r} ({key['id']}) is changed: {_state(key)}.")


def rotate_key(args: argparse.Namespace) -> None:
    """Give a key a new text."""
    from wicket.accounts.keys import parse_lifetime

    overlap_s = parse_lifetime(args.overlap) // 1000 if args.overlap else 0
    key = ask(args, "POST", path("keys", args.id, "rotate"), {"overlap_s": overlap_s})
    until = f"works until {key['previous_ends_at'][:19]}" if key["previous_ends_at"] else "is ended"
    tell(args, key, f"{key['key']}\nid {key['id']}; shown this once. The old text {until}.")


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
    if key["suspended_at"]:
        return f"suspended {key['suspended_at'][:10]}"
    return f"until {key['expires_at'][:16]}" if key["expires_at"] else "live"
