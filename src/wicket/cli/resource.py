"""What the commands over one kind of thing share: ask a route, print a document or a line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import plain, table


def add_verb(verbs: Any, name: str, text: str, run: Any, *words: str) -> argparse.ArgumentParser:
    """A verb of a command, with the options that all have; `words` are its positional arguments."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    for word in words:
        parser.add_argument(word)
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=run)
    return parser


def given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given, by name."""
    return {name: getattr(args, name) for name in names if getattr(args, name, None) not in (None, "")}


def listed(text: str) -> list[str]:
    """A comma list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def path(*parts: str) -> str:
    """A path below the administration's, each part quoted."""
    return "/admin/v1/" + "/".join(quote(part, safe="") for part in parts)


def ask(args: argparse.Namespace, method: str, where: str, body: Any = None, **query: str) -> Any:
    """The answer of one route. Raises the `Fault` that came instead."""
    with administration(args) as house:
        return house.call(method, where, body=body, query=query or None)


def tell(args: argparse.Namespace, document: Any, line: str) -> None:
    """The document under `--json`, else a line for people."""
    if args.json:
        show_json(document)
    else:
        print(plain(line))


def show_list(args: argparse.Namespace, rows: Sequence[dict[str, Any]], columns: str, none: str) -> None:
    """A table of some columns, or the line `none`."""
    if args.json:
        show_json(list(rows))
    elif not rows:
        print(none)
    else:
        names = columns.split()
        lines = [[plain(_cell(row.get(name))) for name in names] for row in rows]
        print(table([name.upper().replace("_", " ") for name in names], lines))


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)
