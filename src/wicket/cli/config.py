"""`wicket config check|show`: the configuration that `wicket serve` would take, without a server."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wicket.cli.output import add_json_option, show_json

if TYPE_CHECKING:
    from wicket.config.schema import Config


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("config", help="check or show the configuration", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    check = verbs.add_parser("check", help="say what is wrong, with file, line and field")
    check.set_defaults(run=check_config)
    show = verbs.add_parser("show", help="what would be in force, secrets masked")
    show.set_defaults(run=show_config)
    for verb in (check, show):
        verb.add_argument("--config", type=Path, default=None, metavar="FILE", help="wicket.toml")
        add_json_option(verb)


def check_config(args: argparse.Namespace) -> None:
    """Load it; a mistake is a fault with a line for each."""
    config = load_config(args.config)
    source = config.source
    if args.json:
        show_json({"ok": True, "source": source, "warnings": list(config.warnings)})
        return
    for warning in config.warnings:
        print(f"note: {warning}")
    print(f"{source or 'No file: the defaults and the environment'}: no mistakes.")


def show_config(args: argparse.Namespace) -> None:
    """Print it with defaults filled in."""
    from wicket.cli.status import outline
    from wicket.config.load import show

    shown = show(load_config(args.config))
    if args.json:
        show_json(shown)
    else:
        print("\n".join(outline(shown, "")))


def load_config(path: Path | None = None) -> Config:
    """What `wicket serve` would take. Raises `ConfigFault`."""
    from wicket.config.load import find, load
    from wicket.config.newer import with_newer_catalogue
    from wicket.config.snapshot import compile_snapshot
    from wicket.supervisor.home import default_home

    home = default_home(os.environ)
    config = with_newer_catalogue(load(find(path, home), os.environ), home)
    compile_snapshot(config, version=0, engine_sockets={})
    return config
