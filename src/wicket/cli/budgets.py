"""`wicket budgets set|list|remove`: how much may be spent per day, per month or in all."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.meters import Meters, add_list_and_remove
from wicket.cli.output import add_json_option, show_json
from wicket.cli.scopes import add_scope_options, add_window_options, named_scope, whose
from wicket.cli.terminal import table

PATH = "/admin/v1/budgets"
NONE = "There is no budget; `wicket budgets set --team NAME --usd 5 --per day` sets one."


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("budgets", help="how much may be spent", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    setting = verbs.add_parser("set", help="set one; what was spent in its time already counts")
    add_scope_options(setting, is_required=True)
    setting.add_argument("--usd", required=True, help="US dollars, as a decimal: 5, 0.25")
    setting.add_argument("--per", required=True, choices=("day", "month", "total"), help="in which time")
    setting.add_argument("--soft", action="store_true", help="warn, and refuse nothing")
    add_window_options(setting)
    setting.set_defaults(run=set_budget)
    add_server_options(setting)
    add_json_option(setting)
    add_list_and_remove(verbs, Meters(PATH, "budget", _table, NONE), "each with what was spent")


def set_budget(args: argparse.Namespace) -> None:
    """Set a budget."""
    body = {**named_scope(args), "usd": args.usd, "period": args.per, "is_hard": not args.soft}
    with administration(args) as house:
        row = house.call("PUT", PATH, body={**body, "model": args.model, "zone": args.zone})
    if args.json:
        show_json(row)
    else:
        print(_table([row]))


def _table(rows: list[dict[str, Any]]) -> str:
    return table(["ID", "WHOSE", "BUDGET", "SPENT", "LEFT", "BEGINS ANEW"], [_row(row) for row in rows])


def _row(row: dict[str, Any]) -> list[str]:
    per = "in all" if row["period"] == "total" else f"per {row['period']}"
    kind = ", warns only" if not row["is_hard"] else ""
    return [
        row["id"],
        whose(row),
        f"{row['usd']} USD {per}{kind}",
        f"{row['spent_usd']:.6f}",
        f"{row['remaining_usd']:.6f}",
        (row["resets_at"] or "")[:19],
    ]
