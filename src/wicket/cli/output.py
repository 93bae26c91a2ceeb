"""What every command shares of its output: `--json` is one document, always."""

from __future__ import annotations

import argparse
from typing import Any

from wicket.wire.json import dumps


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def show_json(document: Any) -> None:
    """Print the one document."""
    print(dumps(document))
