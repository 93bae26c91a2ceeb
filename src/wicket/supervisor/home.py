"""Wicket's data folder, and the lock that lets only one supervisor live in it.

Places follow the XDG Base Directory Specification 0.8 on Linux and each platform's own custom elsewhere.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wicket.errors import OperatorFault

ADMIN_KEY_FILE = "admin.key"
SERVER_FILE = "server.json"
LOCK_FILE = "lock"
RUN_FOLDER = "run"


def default_home(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """`WICKET_HOME`, else the platform's data folder for Wicket (which may not exist yet)."""
    if environ.get("WICKET_HOME"):
        return Path(environ["WICKET_HOME"]).expanduser().absolute()
    user = Path(environ.get("HOME") or os.path.expanduser("~"))
    if platform == "darwin":
        return user / "Library" / "Application Support" / "wicket"
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or user / "AppData" / "Local") / "wicket"
    data = environ.get("XDG_DATA_HOME", "")
    return (Path(data) if os.path.isabs(data) else user / ".local" / "share") / "wicket"


def prepare(home: Path) -> None:
    """Make the folder (0700) and the one for sockets inside; raises `OperatorFault` if it can't be used."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / RUN_FOLDER).mkdir(mode=0o700, exist_ok=True)
        probe = home / f".probe-{os.getpid()}"
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as error:
        raise OperatorFault(
            "home_unwritable",
            f"Wicket can't write to its data folder {home} ({error.strerror}). "
            "Set WICKET_HOME to a folder that this user can write to.",
        ) from error


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, readable by this user only, and never for a moment by anybody else."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


class HomeLock:
    """Held for as long as the supervisor lives; the kernel lets go of it however the process ends."""

    def __init__(self, home: Path) -> None:
        """Raises `OperatorFault`, naming the other's process and address, when somebody holds it."""
        self._home = home
        self._handle = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._handle)
            raise OperatorFault("home_in_use", _who_holds(home)) from error

    def write_server_file(self, facts: dict[str, Any]) -> None:
        """Tell the command line where the running server is."""
        write_private(self._home / SERVER_FILE, json.dumps(facts) + "\n")

    def release(self) -> None:
        """Remove the server file and let go."""
        (self._home / SERVER_FILE).unlink(missing_ok=True)
        os.close(self._handle)


def read_server_file(home: Path) -> dict[str, Any]:
    """Facts about the server that runs in this folder: `pid`, `url`, `admin_key_file`; else empty.

    The file of a server that was killed stays behind, so ask whether the lock is held before trusting it.
    """
    try:
        facts = json.loads((home / SERVER_FILE).read_text())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def is_locked(home: Path) -> bool:
    """Whether a supervisor lives in this folder now."""
    try:
        handle = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _who_holds(home: Path) -> str:
    facts = read_server_file(home)
    who = f" (process {facts['pid']}, {facts['url']})" if {"pid", "url"} <= facts.keys() else ""
    return (
        f"Another Wicket already runs with the data folder {home}{who}. "
        "Stop that one, or set WICKET_HOME to another folder."
    )
