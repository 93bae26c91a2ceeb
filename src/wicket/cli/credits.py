"""`wicket credits add|list|show|refund|threshold`: prepaid and promotional credit."""

from __future__ import annotations

import argparse
import secrets
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import table

_PATH = "/admin/v1/credits"
SCOPES = ("team", "key", "organisation")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("credits", help="prepaid and promotional credit", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    add = verbs.add_parser("add", help="top a credit up, or grant one")
    add.add_argument("--usd", required=True, metavar="AMOUNT", help="a decimal number such as 5 or 0.25")
    add.add_argument("--grant", action="store_true", help="promotional: spent first, and may expire")
    add.add_argument("--expires-in", default="", metavar="AGE", help="of a grant: 12h, 30d, 8w")
    add.set_defaults(run=add_credit)
    listing = verbs.add_parser("list", help="every credit")
    listing.set_defaults(run=list_credits)
    show = verbs.add_parser("show", help="one credit and what moved it")
    show.set_defaults(run=show_credit)
    refund = verbs.add_parser("refund", help="money back: of a top-up, or of a request")
    refund.add_argument("id", help="a movement's id (mov_…) or a request's (req_…)")
    refund.add_argument("--usd", default="", metavar="AMOUNT", help="all that is left, if not given")
    refund.set_defaults(run=refund_credit)
    threshold = verbs.add_parser("threshold", help="below which balance the webhook hears of it")
    threshold.add_argument("--usd", default="", metavar="AMOUNT", help="as configured, if not given")
    threshold.set_defaults(run=set_threshold)
    for verb in (add, show, threshold):
        _add_scope(verb)
    for verb in (add, refund):
        verb.add_argument(
            "--idempotency-key",
            default="",
            metavar="KEY",
            help="two orders with one key are carried out once (else a new key is made up)",
        )
        verb.add_argument("--memo", default="", help="a note that stays with it")
    for verb in (add, listing, show, refund, threshold):
        add_server_options(verb)
        add_json_option(verb)


def add_credit(args: argparse.Namespace) -> None:
    """Top up, or grant."""
    from wicket.accounts.keys import parse_lifetime

    new: dict[str, Any] = {**_scope(args), "usd": args.usd, "memo": args.memo}
    new["kind"] = "grant" if args.grant else "top_up"
    new["idempotency_key"] = args.idempotency_key or secrets.token_hex(16)
    if args.expires_in:
        new["expires_in_s"] = parse_lifetime(args.expires_in) // 1000
    with administration(args) as house:
        made = house.call("POST", _PATH, body=new)
    if args.json:
        show_json(made)
        return
    if made["made_team"]:
        print(f"The team {made['name']!r} is new.")
    _tell(made)


def list_credits(args: argparse.Namespace) -> None:
    """Print every credit."""
    with administration(args) as house:
        found = house.call("GET", _PATH)["data"]
    if args.json:
        show_json(found)
    elif not found:
        print("There is no credit yet; `wicket credits add --team TEAM --usd 5` makes one.")
    else:
        print(table(["SCOPE", "NAME", "BALANCE", "PREPAID", "GRANTED"], [_row(credit) for credit in found]))


def show_credit(args: argparse.Namespace) -> None:
    """Print one credit and its movements."""
    with administration(args) as house:
        [credit] = house.call("GET", _PATH, query=_scope(args))["data"]
    if args.json:
        show_json(credit)
        return
    print(table(["SCOPE", "NAME", "BALANCE", "PREPAID", "GRANTED"], [_row(credit)]))
    for grant in credit["grants"]:
        ends = f"until {grant['expires_at'][:16]}" if grant["expires_at"] else "without end"
        print(f"grant {grant['grant']}: ${grant['left_usd']} left, {ends}")
    names = ["at", "kind", "usd", "id", "memo"]
    rows = [[movement[name] for name in names] for movement in credit["movements"]]
    print()
    print(table([name.upper() for name in names], rows))


def refund_credit(args: argparse.Namespace) -> None:
    """Take money back."""
    what = "request_id" if args.id.startswith("req_") else "of"
    new = {what: args.id, "memo": args.memo, "idempotency_key": args.idempotency_key or secrets.token_hex(16)}
    if args.usd:
        new["usd"] = args.usd
    with administration(args) as house:
        made = house.call("POST", f"{_PATH}/refund", body=new)
    if args.json:
        show_json(made)
    else:
        _tell(made)


def set_threshold(args: argparse.Namespace) -> None:
    """Say below which balance the webhook hears of it."""
    with administration(args) as house:
        credit = house.call(
            "POST", f"{_PATH}/threshold", body={**_scope(args), "below_usd": args.usd or None}
        )
    if args.json:
        show_json(credit)
        return
    below = "where the configuration says" if credit["below_usd"] is None else f"below ${credit['below_usd']}"
    print(f"The webhook hears of the credit of {credit['scope']} {credit['name']} {below}.")


def _add_scope(parser: argparse.ArgumentParser) -> None:
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--team", default="", help="a team's name or id")
    whose.add_argument("--key", default="", help="a key's name or id")
    whose.add_argument("--organisation", default="", help="an organisation's name or id")


def _scope(args: argparse.Namespace) -> dict[str, str]:
    return {name: getattr(args, name) for name in SCOPES if getattr(args, name)}


def _tell(made: dict[str, Any]) -> None:
    what = {
        "top_up": "was topped up by",
        "grant": "was granted",
        "refund": "was paid back",
        "correction": "got back",
    }[made["kind"]]
    again = " (this had been done before; nothing more was done)" if made["is_repeated"] else ""
    whose = f"The {made['scope']} {made['name']!r}" if made["name"] else "The operator"
    print(f"{whose} {what} ${made['usd']}{again}.")
    if made["balance_usd"] is not None:
        print(f"balance ${made['balance_usd']}; id {made['id']}")


def _row(credit: dict[str, Any]) -> list[str]:
    amounts = [f"${credit[name]}" for name in ("balance_usd", "prepaid_usd", "granted_usd")]
    return [credit["scope"], credit["name"], *amounts]
