"""Where the server is and which key opens it: options, then variables, then the data folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from wicket.cli.client import Client
from wicket.errors import OperatorFault
from wicket.supervisor.home import ADMIN_KEY_FILE, default_home, is_locked, read_server_file


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """`--url` and `--api-key`."""
    parser.add_argument(
        "--url", default="", help="the server's address (else WICKET_URL, else the local one)"
    )
    parser.add_argument(
        "--api-key",
        default="",
        metavar="KEY",
        help="the key to use (else WICKET_API_KEY or the local admin key)",
    )


def find_server(args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Client | None:
    """The server to talk to; None when none is named and none runs in the data folder.

    Raises `OperatorFault` when one is there but has no address or no readable key yet.
    """
    home = default_home(environ)
    url = args.url or environ.get("WICKET_URL", "")
    if url:
        client = Client(
            url, args.api_key or environ.get("WICKET_API_KEY", "") or environ.get("WICKET_ADMIN_KEY", "")
        )
        if not client.key and client.url == str(read_server_file(home).get("url", "")):
            client.key = _read_key(home / ADMIN_KEY_FILE)  # our own key goes to our own server only
        return client
    if not is_locked(home):
        return None
    facts = read_server_file(home)
    if not facts.get("url"):
        message = (
            f"A server in {home} is starting, or another command uses the database. Try again in a moment."
        )
        raise OperatorFault("server_starting", message)
    key = args.api_key or _read_key(Path(facts.get("admin_key_file") or home / ADMIN_KEY_FILE))
    return Client(str(facts["url"]), key or environ.get("WICKET_ADMIN_KEY", ""))


def _read_key(file: Path) -> str:
    """The key in a file; "" if there is none that this user may read."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
