"""Providers' keys that were put in by the administration: one private file in the data folder.

They count as if the provider's own variable held them, and go before what the environment says. Nothing
reads them out again but the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wicket.errors import OperatorFault
from wicket.providers.catalogue import Row
from wicket.supervisor.home import write_private
from wicket.wire.json import DecodeError, decode, encode

FILE_NAME = "credentials.json"


class CredentialFile:
    """Provider → key. Mode 0600, replaced whole, so that a crash leaves the old one or the new one."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE_NAME

    def read(self) -> dict[str, str]:
        """All of them; raises `OperatorFault` for a file that is not ours."""
        try:
            return decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, DecodeError) as error:
            message = f"{self._path} can't be read: {error}. Remove it, and put the keys in again."
            raise OperatorFault("credentials_unreadable", message) from None

    def put(self, provider: str, key: str) -> None:
        """Keep a key, in place of an earlier one."""
        self._write(self.read() | {provider: key})

    def remove(self, provider: str) -> bool:
        """Whether there was one."""
        kept = self.read()
        found = kept.pop(provider, None) is not None
        if found:
            self._write(kept)
        return found

    def _write(self, kept: dict[str, str]) -> None:
        try:
            write_private(self._path, encode(kept).decode() + "\n")
        except OSError as error:
            message = f"{self._path} can't be written: {error.strerror}. The keys are as they were."
            raise OperatorFault("credentials_unwritable", message) from None


def as_variables(kept: Mapping[str, str], rows: Mapping[str, Row]) -> dict[str, str]:
    """The variables that the kept keys stand for."""
    return {rows[name].env[0]: key for name, key in kept.items() if name in rows and rows[name].env}
