"""`wicket logs`: the requests that were answered, newest last on the screen."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli import logs_examples
from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import dollars, milliseconds, paint, plain
from wicket.errors import CallerFault

FILTERS = ("key", "model", "outcome", "since", "until", "limit")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("logs", help="show the requests that were answered", description=__doc__)
    parser.add_argument("--follow", "-f", action="store_true", help="go on with each new one until Ctrl-C")
    parser.add_argument("--key", default="", metavar="ID", help="only this key's: its id or name, or admin")
    parser.add_argument("--model", default="", help="only requests that asked for this model")
    parser.add_argument("--outcome", default="", help='"ok", a fault\'s code, or "failed" for all but ok')
    parser.add_argument("--since", default="", metavar="AGE", help="an age like 15m, 1h, 7d, or an ISO time")
    parser.add_argument("--until", default="", metavar="AGE", help="as --since")
    parser.add_argument("--limit", default="", metavar="N", help="at most so many (100)")
    parser.add_argument(
        "--jsonl", action="store_true", help="one JSON document per line; works with --follow"
    )
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_logs)
    logs_examples.add_verbs(parser.add_subparsers(metavar="VERB"))


def show_logs(args: argparse.Namespace) -> None:
    """Print records, or follow them."""
    query = {name: getattr(args, name) for name in FILTERS if getattr(args, name)}
    if args.follow and args.json:
        raise CallerFault("usage", "--json prints one document, which --follow never ends; take --jsonl.")
    with administration(args) as house:
        if args.follow:
            for record in house.follow(query):
                _show(record, args.jsonl)
            return
        records = house.logs(query)
    if args.json:
        show_json(records)
        return
    if not records and not args.jsonl:
        print("No request matches.")
    for record in reversed(records):
        _show(record, args.jsonl)


def line(record: dict[str, Any]) -> str:
    """One record on one line: when, outcome, model and who answered, tokens, times, cost, key, id."""
    is_ok = record["outcome"] == "ok"
    answered = record["deployment"] or "nobody"
    model = record["model"] if record["model"] == answered else f"{record['model']} → {answered}"
    parts = [
        str(record["started_at"])[:19].replace("T", " "),
        paint(f"{record['status']} {plain(record['outcome'])}", "green" if is_ok else "red"),
        plain(model),
        f"{record['input_tokens']}+{record['output_tokens']} tokens",
        milliseconds(record["total_ms"]),
        dollars(record["cost_usd"]),
        f"key {record['key_id']}" if record["key_id"] else "admin",
        paint(record["id"], "dim"),
    ]
    return "  ".join(parts)


def _show(record: dict[str, Any], as_json: bool) -> None:
    if as_json:
        from wicket.wire.json import encode

        print(encode(record).decode(), flush=True)
    else:
        print(line(record), flush=True)
