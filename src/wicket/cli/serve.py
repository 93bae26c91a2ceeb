"""`wicket serve`: start the server."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import Any

_DESCRIPTION = """Start the server: a supervisor, its workers and its local models.
WICKET_HOME says where data lives, WICKET_HOST and WICKET_PORT where it listens, WICKET_ADMIN_KEY what opens
it. SIGTERM or Ctrl-C finishes what is under way and stops, SIGHUP loads the configuration again, SIGUSR2
replaces the workers one after the other."""


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("serve", help="start the server", description=_DESCRIPTION)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="else wicket.toml, here or in WICKET_HOME"
    )
    parser.add_argument(
        "--model", metavar="PATH", help="what the compact engine runs: a name, file or folder"
    )
    parser.add_argument("--host", help="the address to listen on (127.0.0.1; 0.0.0.0 is every interface)")
    parser.add_argument("--port", type=_port, help="the port to listen on (4242; 0 takes a free one)")
    parser.add_argument("--workers", type=_workers, metavar="N", help="worker processes (1)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    gc.disable()  # reading modules leaves next to no garbage, but a seventh of it went into looking for some
    try:
        from wicket.supervisor.serve import ServeOptions, serve
    finally:
        gc.freeze()
        gc.enable()
    return serve(
        ServeOptions(
            config=args.config, model=args.model, host=args.host, port=args.port, workers=args.workers
        )
    )


def _port(text: str) -> int:
    return _number(text, 0, 65_535)


def _workers(text: str) -> int:
    return _number(text, 1, 64)


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {most}")
    return int(text)
