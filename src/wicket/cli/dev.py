"""`wicket dev`: a scripted provider, recorded providers, and how well our dialects read recordings."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from wicket.cli.output import add_json_option


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("dev", help="tools for developers", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    upstream = verbs.add_parser(
        "upstream", help="a scripted provider to test against", add_help=False, prefix_chars="\0"
    )
    upstream.add_argument("rest", nargs=argparse.REMAINDER)
    upstream.set_defaults(run=run_upstream)
    _add_replay(verbs)
    _add_conformance(verbs)


def _add_replay(verbs: Any) -> None:
    parser = verbs.add_parser(
        "replay",
        help="answer with recorded provider traffic",
        description="Answer with recorded provider traffic. Set a provider's base_url to "
        "http://127.0.0.1:PORT/PROVIDER and the provider's own path (/v1 …); GET / lists what is there.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="recordings: YAML, JSON or JSONL")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--provider", default="", metavar="P", help="answer with this provider's only")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where streams are cut (default: 0)")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="FIELD", help="a top-level field that may differ"
    )
    parser.set_defaults(run=run_replay)


def _add_conformance(verbs: Any) -> None:
    parser = verbs.add_parser(
        "conformance",
        help="how well our dialects read recordings",
        description="Read every recording with our dialects: what parses, what is lost, what translates.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="recordings: YAML, JSON or JSONL")
    parser.add_argument("--provider", default="", metavar="P", help="this provider's recordings only")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where streams are cut (default: 0)")
    parser.add_argument("--failures", action="store_true", help="list what failed under the table")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--check", action="store_true", help="exit 1 if something failed")
    add_json_option(parser)
    parser.set_defaults(run=run_conformance)


def run_upstream(args: argparse.Namespace) -> int:
    """Hand over to the scripted upstream, which knows its own options."""
    main = import_module("wicket.upstream.scripted").main
    return int(main(args.rest) or 0)


def run_replay(args: argparse.Namespace) -> int:
    """Serve recordings until told to stop."""
    return int(import_module("wicket.cli.recordings").replay(args))


def run_conformance(args: argparse.Namespace) -> int:
    """Print the report."""
    return int(import_module("wicket.cli.recordings").conformance(args))
