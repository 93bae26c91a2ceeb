"""`wicket status`: what the server is doing."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from wicket.cli.administration import running_server
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import milliseconds, paint, plain, table


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("status", help="what the server is doing", description=__doc__)
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=show_status)


def show_status(args: argparse.Namespace) -> None:
    """Print it."""
    client = running_server(args, "status")
    status = client.call("GET", "/admin/v1/status")
    if args.json:
        show_json(status)
        return
    print(paint(f"Wicket on {client.url}", "bold"))
    deployments = status.pop("deployments", [])
    for line in outline(status):
        print(line)
    if deployments:
        print("\n" + health_table(deployments))


def health_table(deployments: Sequence[Mapping[str, Any]]) -> str:
    """One line for each deployment that was asked or is spared."""
    rows = [
        [
            one["deployment"] + (f" ({one['credential']})" if one["credential"] else ""),
            one["state"] + (f" {one['cooldown_s']:g} s" if one["cooldown_s"] else ""),
            one["reason"] or "-",
            one["running"],
            milliseconds(one["first_token_ms"]),
            "-" if one["tokens_per_s"] is None else f"{one['tokens_per_s']:.0f}",
            f"{one['headroom']:.0%}",
        ]
        for one in deployments
    ]
    return table(["DEPLOYMENT", "STATE", "REASON", "RUNNING", "FIRST TOKEN", "TOKENS/S", "HEADROOM"], rows)


def outline(value: Any, indent: str = "  ") -> list[str]:
    """A document as indented lines."""
    lines: list[str] = []
    for name, part in value.items():
        if isinstance(part, dict):
            lines += [f"{indent}{plain(name)}", *outline(part, indent + "  ")]
        elif isinstance(part, list) and part and isinstance(part[0], dict):
            lines.append(f"{indent}{plain(name)}")
            for entry in part:
                first, *rest = outline(entry, "") or ["-"]
                lines += [f"{indent}  - {first}", *(f"{indent}    {line}" for line in rest)]
        else:
            shown = ", ".join(map(str, part)) if isinstance(part, list) else str(part)
            lines.append(f"{indent}{plain(name)}: {plain(shown) or '-'}")
    return lines
