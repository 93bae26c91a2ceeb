"""`wicket tasks`: what is collected to learn from."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.cli import tasks_discover
from wicket.cli.administration import administration
from wicket.cli.discovery import add_server_options
from wicket.cli.output import add_json_option, show_json
from wicket.cli.terminal import table


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("tasks", help="what is collected to learn from", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="every task: how many examples, since when")
    listing.set_defaults(run=list_tasks)
    for verb in (listing,):
        add_server_options(verb)
        add_json_option(verb)
    tasks_discover.add_verb(verbs)


def list_tasks(args: argparse.Namespace) -> None:
    """Print them."""
    with administration(args) as house:
        tasks = house.tasks()
    if args.json:
        show_json(tasks)
        return
    if not tasks:
        print('Nothing is collected; `collect = "NAME"` at a model in wicket.toml begins.')
        return
    headers = ["TASK", "EXAMPLES", "BY MINIS", "CORRECTED", "SCORED", "BYTES", "FIRST", "LAST", "KEPT"]
    rows = [[*(task[name] for name in _COLUMNS), *_times(task)] for task in tasks]
    print(table(headers, rows))


_COLUMNS = ("task", "examples", "by_minis", "corrected", "scored", "bytes")


def _times(task: dict[str, Any]) -> list[str]:
    first, last = ((task[name] or "-")[:16].replace("T", " ") for name in ("first_at", "last_at"))
    return [first, last, f"{task['retention_days']:g} days"]
