"""`wicket lab`: training data from files and teachers."""

from __future__ import annotations

from typing import Any

from wicket.cli import lab_data


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("lab", help="training data", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    lab_data.add_verbs(verbs)
