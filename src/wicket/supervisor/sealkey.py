"""The key that ids are sealed with: a 0600 file in the data folder, made when it is first needed."""

from __future__ import annotations

import secrets
from pathlib import Path

from wicket.errors import OperatorFault
from wicket.state.seal import KEY_BYTES
from wicket.supervisor.home import write_private

KEY_FILE = "seal.key"


def seal_key(home: Path) -> bytes:
    """The key that ids are sealed with, made at the first call. Raises `OperatorFault` for a damaged file."""
    path = home / KEY_FILE
    try:
        if not path.exists():
            write_private(path, secrets.token_hex(KEY_BYTES) + "\n")
        key = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        message = f"{path} can't be read or made: {error.strerror or error}."
        raise OperatorFault("seal_key", message) from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        message = f"{path} is no key ({KEY_BYTES * 2} hexadecimal digits): put it back, or delete it."
        raise OperatorFault("seal_key", f"{message} Without the old one, ids given out so far are unknown.")
    return key
