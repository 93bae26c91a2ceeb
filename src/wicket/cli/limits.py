"""`wicket limits set|list|remove`: requests and tokens per minute or day, requests at once."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.meters import Meters, add_list_and_remove
from wicket.cli.output import add_json_option, show_json
from wicket.cli.scopes import add_scope_options, add_window_options, named_scope, whose
from wicket.cli.terminal import table

PATH = "/admin/v1/limits"
NONE = "There is no limit; `wicket limits set --team NAME --rpm 60` sets one."
_KINDS = {
    "rpm": ("requests", 60, "requests per minute"),
    "rpd": ("requests", 86_400, "requests per day"),
    "tpm": ("tokens", 60, "tokens per minute, input and output together"),
    "tpd": ("tokens", 86_400, "tokens per day"),
    "concurrent": ("concurrent", 0, "requests at once"),
}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("limits", help="how much may be done in a time", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    setting = verbs.add_parser("set", help="set one or several; in force within a second")
    add_scope_options(setting, is_required=True)
    for name, (_, _, text) in _KINDS.items():
        setting.add_argument(f"--{name}", type=int, metavar="N", help=text)
    add_window_options(setting)
    setting.set_defaults(run=set_limits)
    add_server_options(setting)
    add_json_option(setting)
    add_list_and_remove(verbs, Meters(PATH, "limit", _table, NONE), "each with what is used and left")
    setting.set_defaults(parser=setting)


def set_limits(args: argparse.Namespace) -> None:
    """Set those that were given."""
    wanted = [(unit, window_s, getattr(args, name)) for name, (unit, window_s, _) in _KINDS.items()]
    wanted = [one for one in wanted if one[2] is not None]
    if not wanted:
        args.parser.error("say how much: --rpm, --rpd, --tpm, --tpd or --concurrent")
    rows = []
    with administration(args) as house:
        for unit, window_s, amount in wanted:
            body = {**named_scope(args), "unit": unit, "window_s": window_s, "amount": amount}
            rows.append(house.call("PUT", PATH, body={**body, "model": args.model, "zone": args.zone}))
    if args.json:
        show_json({"object": "list", "data": rows})
    else:
        print(_table(rows))


def _table(rows: list[dict[str, Any]]) -> str:
    headers = ["ID", "WHOSE", "LIMIT", "USED", "LEFT", "FULL AGAIN"]
    return table(headers, [_row(row) for row in rows])


def _row(row: dict[str, Any]) -> list[str]:
    per = {60: " per minute", 86_400: " per day"}.get(row["window_s"], "")
    name = "requests at once" if row["unit"] == "concurrent" else row["unit"]
    used, left = row["used"], row["remaining"]
    return [
        row["id"],
        whose(row),
        f"{row['amount']:,} {name}{per}",
        "" if used is None else f"{used:,}",
        "" if left is None else f"{left:,}",
        (row["resets_at"] or "")[:19],
    ]
