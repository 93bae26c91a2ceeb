"""`wicket version`: of Wicket, Python and the packages that matter."""

from __future__ import annotations

import argparse
import platform
from importlib import metadata
from typing import Any

import wicket
from wicket.cli.output import add_json_option, show_json

PACKAGES = ("uvicorn", "starlette", "msgspec", "httptools", "uvloop", "openvino", "tokenizers", "llguidance")


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser = subparsers.add_parser("version", help="show the version", description=__doc__)
    add_json_option(parser)
    parser.set_defaults(run=show_version)


def show_version(args: argparse.Namespace) -> None:
    """Print it."""
    packages = {name: version for name in PACKAGES if (version := _version(name))}
    if args.json:
        show_json({"wicket": wicket.__version__, "python": platform.python_version(), "packages": packages})
        return
    print(f"wicket {wicket.__version__} (Python {platform.python_version()})")
    for name, version in packages.items():
        print(f"  {name} {version}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
