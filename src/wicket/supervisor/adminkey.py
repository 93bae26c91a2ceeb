"""The operator's key: given by `WICKET_ADMIN_KEY`, else made at the first start and kept in a 0600 file."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from wicket.accounts.callers import Caller, digest
from wicket.errors import OperatorFault
from wicket.supervisor.home import ADMIN_KEY_FILE, write_private

MIN_CHARACTERS = 20
VARIABLE = "WICKET_ADMIN_KEY"


class AdminKey(msgspec.Struct, frozen=True):
    """The key, where it is kept, and whether this start made it. `repr` hides the key."""

    key: str
    file: Path
    is_new: bool
    is_from_variable: bool

    def __repr__(self) -> str:
        return f"AdminKey(file={self.file!r})"

    def caller(self) -> Caller:
        """The operator as admission knows it: key id 0, may do everything, may call every model."""
        return Caller(key_id=0, name="admin", digest=digest(self.key.encode()), is_admin=True, salt="admin")


def take_admin_key(home: Path, environ: Mapping[str, str]) -> AdminKey:
    """The key now in force, also written to `admin.key` in `home` so that the command line finds it.

    Raises `OperatorFault` when the variable or the file holds something that is no key.
    """
    file = home / ADMIN_KEY_FILE
    given = environ.get(VARIABLE, "").strip(" ")  # HTTP strips them from a header as well
    kept = _read(file)
    if given:
        _check(given, f"The variable {VARIABLE}", f"Set {VARIABLE} to a longer one, or unset it.")
        if kept != given:
            write_private(file, given + "\n")
        return AdminKey(given, file, is_new=False, is_from_variable=True)
    if kept:
        _check(kept, f"The file {file}", "Remove that file, and the next start makes a new key.")
        return AdminKey(kept, file, is_new=False, is_from_variable=False)
    made = "wk-admin-" + secrets.token_urlsafe(24)
    write_private(file, made + "\n")
    return AdminKey(made, file, is_new=True, is_from_variable=False)


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorFault(
            "admin_key", f"The admin key in {file} can't be read: {error}. Remove it."
        ) from error


def _check(key: str, where: str, remedy: str) -> None:
    if len(key) < MIN_CHARACTERS or not all(" " <= char <= "~" for char in key):
        raise OperatorFault(
            "admin_key",
            f"{where} holds no admin key: it takes {MIN_CHARACTERS} or more printable ASCII characters. "
            f"{remedy}",
        )
