"""What `wicket limits` and `wicket budgets` share: to list them and to end one."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.scopes import add_scope_options, named_scope, whose


class Meters(NamedTuple):
    """Limits or budgets: their route, what one is called, how rows are printed, what is said of none."""

    path: str
    noun: str
    table: Callable[[list[dict[str, Any]]], str]
    none: str


def add_list_and_remove(verbs: Any, of: Meters, text: str) -> None:
    """Register both verbs; `text` says what the list tells."""
    listing = verbs.add_parser("list", help=text)
    add_scope_options(listing, is_required=False)
    listing.set_defaults(run=show_meters)
    remove = verbs.add_parser("remove", help="end one")
    remove.add_argument("id", help=f"the {of.noun}'s id, from `wicket {of.noun}s list`")
    remove.set_defaults(run=remove_meter)
    for verb in (listing, remove):
        add_server_options(verb)
        add_json_option(verb)
        verb.set_defaults(meters=of)


def show_meters(args: argparse.Namespace) -> None:
    """Print every one, or those of one scope."""
    of: Meters = args.meters
    with administration(args) as house:
        rows = house.call("GET", of.path, query=named_scope(args))["data"]
    if args.json:
        show_json(rows)
    else:
        print(of.table(rows) if rows else of.none)


def remove_meter(args: argparse.Namespace) -> None:
    """End one."""
    of: Meters = args.meters
    with administration(args) as house:
        row = house.call("DELETE", f"{of.path}/{quote(args.id, safe='')}")
    if args.json:
        show_json(row)
    else:
        print(f"The {of.noun} {row['id']} of {whose(row)} is no more.")
