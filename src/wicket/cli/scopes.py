"""Whose limit or budget it is: the options that `wicket limits` and `wicket budgets` share."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.accounts.scopes import KINDS


def add_scope_options(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    """`--key`, `--team`, `--organisation`: one of them."""
    group = parser.add_mutually_exclusive_group(required=is_required)
    for kind in KINDS:
        group.add_argument(f"--{kind}", default="", metavar="NAME", help=f"the {kind}, by name or id")


def add_window_options(parser: argparse.ArgumentParser) -> None:
    """`--model`, `--zone`."""
    parser.add_argument("--model", default="", help="only requests for this model count (else all)")
    parser.add_argument("--zone", default="UTC", help="by whose midnights days and months begin (else UTC)")


def named_scope(args: argparse.Namespace) -> dict[str, Any]:
    """The scope that was named, as the routes take it; {} for none."""
    return {kind: getattr(args, kind) for kind in KINDS if getattr(args, kind)}


def whose(row: dict[str, Any]) -> str:
    """A row's scope and model in a few words."""
    model = f" · {row['model']}" if row["model"] else ""
    return f"{row['scope']} {row['name'] or row['scope_id']}{model}"
