"""`wicket explain REQUEST.json`: who would be asked for a request, in which order and why. Asks nobody.

The running server is asked, which knows how the deployments have been doing; without one the configuration
is read here, and nothing is known of that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wicket.cli.discovery import add_server_options, find_server
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import milliseconds, plain, table
from wicket.errors import CallerFault
from wicket.routing.estimate import dollars

_PATHS = {"messages": "/chat/completions", "prompt": "/completions", "input": "/embeddings"}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "explain", help="who would be asked for a request, and why", description=__doc__
    )
    parser.add_argument("request", metavar="REQUEST.json", help="the request's body in a file; - reads it")
    parser.add_argument("--model", default="", help="another model than the request's")
    parser.add_argument(
        "--config", type=Path, default=None, metavar="FILE", help="explain this file, not the running server"
    )
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=explain)


def explain(args: argparse.Namespace) -> None:
    """Print the plan."""
    body = read_request(args.request)
    if args.model:
        body["model"] = args.model
    path = next((path for field, path in _PATHS.items() if field in body), "/chat/completions")
    client = find_server(args) if args.config is None else None
    if client is not None:
        own = body.get("wicket")
        body["wicket"] = {**(own if isinstance(own, dict) else {}), "explain": True}
        plan = dict(client.call("POST", f"/v1{path}", body=body))
    else:
        plan = without_server(body, path, args.config)
    if args.json:
        show_json(plan)
    else:
        print(outlined(plan))


def read_request(name: str) -> dict[str, Any]:
    """The request in a file or on standard input. Raises `CallerFault`."""
    from wicket.wire.json import DecodeError, decode

    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise CallerFault("no_request", f"{name} can't be read: {reason}.") from None
    try:
        body = decode(data)
    except (DecodeError, RecursionError) as error:
        raise CallerFault("invalid_json", f"{name} is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise CallerFault("invalid_json", f"{name} holds no request: it must be a JSON object.")
    return body


def without_server(body: dict[str, Any], path: str, config: Path | None) -> dict[str, Any]:
    """The plan by the configuration alone: nothing is known of health. Raises `Fault`s."""
    import time

    from wicket.accounts.callers import Caller
    from wicket.accounts.request_ids import RequestIds
    from wicket.cli.config import load_config
    from wicket.config.snapshot import compile_snapshot
    from wicket.dialects.openai_chat import APIS
    from wicket.gateway.admit import admit
    from wicket.gateway.call import Arrival
    from wicket.gateway.explain import explain as explained
    from wicket.wire.json import encode

    snapshot = compile_snapshot(load_config(config), version=0, engine_sockets={})
    api = next(api for api in APIS if api.path == path)
    unix_ms = time.time_ns() // 1_000_000
    arrival = Arrival(
        api, {}, encode(body), RequestIds(0).next(unix_ms), time.monotonic_ns() // 1_000, unix_ms
    )
    caller = Caller(key_id=0, name="admin", digest=b"", is_admin=True)
    return explained(Nothing(), admit(arrival, caller, snapshot))


class Nothing:
    """`gateway.planning.Situation` where no server runs."""

    unready: frozenset[str] = frozenset()
    health = None
    cascades: Mapping[str, Any] = {}


def outlined(plan: Mapping[str, Any]) -> str:
    """The plan for people."""
    times = ", ".join(f"{name.removesuffix('_s')} {value:g} s" for name, value in plan["timeouts"].items())
    lines = [
        f"model    {plan['model']}",
        f"policy   {plan['policy']}, commit {plan['commit']}",
        f"limits   {times}",
    ]
    if plan["hedge"]:
        lines.append(f"hedge    {_hedge(plan['hedge'])}")
    if plan["continue"]:
        lines.append("continue where the next deployment supports it")
    if plan["needs"]["features"]:
        lines.append(f"needs    {', '.join(plan['needs']['features'])}")
    if plan["dropped"]:
        lines.append(f"dropped  {', '.join(plan['dropped'])}")
    lines.append(f"about    {plan['needs']['input_tokens']:,} tokens of input")
    rows = [[str(one["place"]), *_row(one)] for one in plan["candidates"]]
    text = "\n".join(plain(line) for line in lines)
    if rows:
        text += "\n\n" + table(["", "DEPLOYMENT", "KEY", "ABOUT USD", "CONTEXT", "FEATURES", "WHY"], rows)
    else:
        text += "\n\nNobody is left to answer it."
    if any(one["health"] for one in plan["candidates"]):
        text += "\n\n" + _health_table(plan["candidates"])
    gone = [[one["deployment"], str(one["credential"]), one["reason"]] for one in plan["filtered"]]
    if gone:
        text += "\n\n" + table(["NOT ASKED", "KEY", "WHY"], gone)
    return text


def _hedge(hedge: Mapping[str, Any]) -> str:
    when = f"{hedge['after_s']:g} s"
    if hedge["after_s"] is None:
        when = f"{hedge['after']:.4g} of its first tokens"
    return f"when the first is later than {when}, {hedge['max_share']:.2%} of the requests at most"


def _health_table(candidates: Sequence[Mapping[str, Any]]) -> str:
    """What is known of each now."""
    rows = []
    for one in candidates:
        state = one["health"]
        rest_s = state["reopens_in_ms"] / 1_000
        speed = state["tokens_per_s"]
        rows.append(
            [
                one["deployment"],
                str(one["credential"]),
                f"cools {rest_s:.1f} s" if state["is_cooling"] else "well" if state["has_room"] else "full",
                str(state["running"]),
                milliseconds(state["first_token_ms"]),
                milliseconds(state["late_ms"]),
                "-" if speed is None else f"{speed:.0f}",
                f"{state['headroom']:.0%}",
            ]
        )
    heads = ["NOW", "KEY", "STATE", "RUNNING", "FIRST TOKEN", "LATE AFTER", "TOKENS/S", "HEADROOM"]
    return table(heads, rows)


def _row(one: Mapping[str, Any]) -> list[str]:
    cost, context, features = one["estimate_usd"], one["context_tokens"], one["features"]
    return [
        one["deployment"],
        str(one["credential"]),
        "unknown" if cost is None else dollars(round(cost * 1e12)),
        f"{context:,}" if context else "unknown",
        _features(features),
        one["reason"],
    ]


def _features(known: Mapping[str, bool | None]) -> str:
    """What it can, and what it can't with a dash before it."""
    said = [name if has else f"-{name}" for name, has in known.items() if has is not None]
    return " ".join(said) or "unknown"
