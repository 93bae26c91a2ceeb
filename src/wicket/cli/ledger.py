"""`wicket ledger verify|show|accounts`: whether the money adds up, and how it moved."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.credits import SCOPES
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import plain, table


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("ledger", help="whether the money adds up", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    verify = verbs.add_parser("verify", help="hold all entries, balances and records against each other")
    verify.set_defaults(run=verify_ledger)
    show = verbs.add_parser("show", help="transfers, newest first")
    for name in SCOPES:
        show.add_argument(f"--{name}", default="", help=f"of this {name} only")
    show.add_argument("--account", default="", help="of this account only, such as cash or provider:groq")
    show.add_argument("--kind", default="", help="cost, charge, top_up, grant, refund, correction or expiry")
    show.add_argument("--request", default="", metavar="ID", help="of this request only")
    show.add_argument("--since", default="", metavar="AGE", help="an age like 1h, 7d, or an ISO time")
    show.add_argument("--until", default="", metavar="AGE", help="as --since")
    show.add_argument("--limit", default="", metavar="N", help="at most so many (100)")
    show.add_argument("--before", default="", metavar="MARK", help="go on from the mark of a page before")
    show.set_defaults(run=show_transfers)
    accounts = verbs.add_parser("accounts", help="every account's balance")
    accounts.set_defaults(run=show_accounts)
    for verb in (verify, show, accounts):
        add_server_options(verb)
        add_json_option(verb)


def verify_ledger(args: argparse.Namespace) -> int:
    """Verify; the exit code is 1 if anything is wrong."""
    with administration(args) as house:
        report = house.call("POST", "/admin/v1/ledger/verify")
    if args.json:
        show_json(report)
    elif report["is_right"]:
        print(f"The ledger adds up: {report['accounts']} accounts.")
    else:
        for finding in report["findings"]:
            print(plain(finding))
        print(f"{len(report['findings'])} findings: restore a backup, or ask for help with these lines.")
    return 0 if report["is_right"] else 1


def show_transfers(args: argparse.Namespace) -> None:
    """Print transfers."""
    names = (*SCOPES, "account", "kind", "since", "until", "limit", "before")
    query = {name: getattr(args, name) for name in names if getattr(args, name)}
    if args.request:
        query["request_id"] = args.request
    with administration(args) as house:
        page = house.call("GET", "/admin/v1/transfers", query=query)
    if args.json:
        show_json(page)
        return
    columns = ["at", "kind", "usd", "debit_name", "credit_name", "request_id", "price_row"]
    rows = [[transfer[name] for name in columns] for transfer in page["data"]]
    print(table(["AT", "KIND", "USD", "FROM", "TO", "REQUEST", "PRICE"], rows))
    if page["next"]:
        print(f"There are more: --before {page['next']}")


def show_accounts(args: argparse.Namespace) -> None:
    """Print every account's balance."""
    with administration(args) as house:
        accounts = house.call("GET", "/admin/v1/ledger/accounts")["data"]
    if args.json:
        show_json(accounts)
        return
    columns = ["name", "debits_usd", "credits_usd", "balance_usd"]
    print(table(["ACCOUNT", "OUT", "IN", "BALANCE"], [[row[name] for name in columns] for row in accounts]))
