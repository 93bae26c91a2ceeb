"""`wicket estimate REQUEST.json`: what a request would cost, and a month of it. Asks nobody.

The running server is asked, which has learned how long requests and answers are; without one the
configuration is read here, and four bytes are taken for a token.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wicket.cli.discovery import add_server_options, find_server
from wicket.cli.explain import Nothing, read_request
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import plain, table
from wicket.errors import CallerFault

_APIS = {"contents": "generateContent", "messages": "chat.completions", "prompt": "completions"}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("estimate", help="what a request would cost", description=__doc__)
    parser.add_argument("request", metavar="REQUEST.json", help="the request's body in a file; - reads it")
    parser.add_argument("--model", default="", help="another model than the request's")
    parser.add_argument("--api", default="", help="what it is sent to: an API's name, or a path")
    parser.add_argument(
        "--requests-per-day", type=float, default=None, metavar="N", help="a month at this rate"
    )
    parser.add_argument(
        "--config", type=Path, default=None, metavar="FILE", help="by this file, not by the running server"
    )
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_estimate)


def show_estimate(args: argparse.Namespace) -> None:
    """Print the estimate."""
    asked = _asked(args)
    client = find_server(args) if args.config is None else None
    if client is not None:
        document = dict(client.call("POST", "/v1/cost/estimate", body=asked))
    else:
        document = without_server(asked, args.config)
    if args.json:
        show_json(document)
    else:
        print(outlined(document))


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    body = read_request(args.request)
    if args.model:
        body["model"] = args.model
    api = args.api or next((name for field, name in _APIS.items() if field in body), "")
    if not api:
        api = "embeddings" if "input" in body and "instructions" not in body else "chat.completions"
    asked: dict[str, Any] = {"api": api, "request": body}
    if api == "generateContent" and args.model:
        asked["model"] = args.model
    if args.requests_per_day is not None:
        if not 0 <= args.requests_per_day <= 1e12:  # false for NaN too
            message = "--requests-per-day must be a number from 0 to 1e12."
            raise CallerFault("invalid_value", message, param="requests_per_day")
        asked["requests_per_day"] = args.requests_per_day
    return asked


def without_server(asked: dict[str, Any], config: Path | None) -> dict[str, Any]:
    """The estimate by the configuration alone. Raises `Fault`s."""
    from wicket.accounts.callers import Caller
    from wicket.cli.config import load_config
    from wicket.config.snapshot import compile_snapshot
    from wicket.gateway.request import Rates
    from wicket.server.admin_query import parse_body
    from wicket.server.app_cost import NewEstimate, estimated
    from wicket.wire.json import encode

    snapshot = compile_snapshot(load_config(config), version=0, engine_sockets={})
    caller = Caller(key_id=0, name="admin", digest=b"", is_admin=True)
    return estimated(parse_body(encode(asked), NewEstimate), caller, Nothing(), snapshot, Rates())


def outlined(document: dict[str, Any]) -> str:
    """The estimate for people."""
    rows = [
        [
            str(one["place"]),
            one["deployment"],
            f"{one['input_tokens']:,}",
            f"{one['output_tokens']:,}",
            _usd(one["cost_usd"]),
            _usd(one["max_cost_usd"]),
            _usd(one["charge_usd"]),
            one["price_row"] or "-",
        ]
        for one in document["candidates"]
    ]
    heads = ["", "DEPLOYMENT", "INPUT", "OUTPUT", "ABOUT", "AT MOST", "CHARGE", "PRICE ROW"]
    lines = [f"model  {plain(document['model'])}, by {document['api']}", "", table(heads, rows)]
    largest = document["largest"]
    if largest is not None:
        lines.append(f"The dearest of them, {plain(largest['deployment'])}: {_usd(largest['cost_usd'])}.")
    month = document.get("month")
    if month is not None:
        lines.append(
            f"{month['days']} days, {month['requests']:,.0f} requests: about {_usd(month['cost_usd'])}, "
            f"charged {_usd(month['charge_usd'])}; the dearest alone {_usd(month['largest_cost_usd'])}."
        )
    return "\n".join(lines)


def _usd(value: float | None) -> str:
    """Dollars with three digits that count, without an exponent."""
    if value is None:
        return "unknown"
    if value >= 100:
        return f"${value:,.2f}"
    from decimal import Decimal

    return "$" + format(Decimal(f"{value:.3g}"), "f")
