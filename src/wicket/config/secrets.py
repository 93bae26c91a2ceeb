"""Credentials: where they come from, what is wrong with them, and how they may be shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath

import msgspec

_UNEXPANDED = re.compile(r"\$\{?[A-Za-z_]|^%[A-Za-z_]+%$")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MAX_SECRET_BYTES = 16 * 1024


class Secret(msgspec.Struct, frozen=True):
    """A credential in clear text and where it came from: "env:NAME", "file:PATH" or "literal"."""

    value: str
    origin: str


class SecretError(ValueError):
    """Why a credential can't be used; never holds the credential. `is_missing`: simply not there."""

    def __init__(self, message: str, *, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing


def mask(secret: str) -> str:
    """A form to show: the last four characters of a long secret, none of a short one."""
    if len(secret) < 16:
        return "…"
    prefix = "sk-" if secret.startswith("sk-") else ""
    return f"{prefix}…{secret[-4:]}"


def read_secret(written: str, environ: Mapping[str, str], base: FilePath) -> Secret:
    """Resolve `env:NAME`, `file:PATH` (relative to `base`) or a literal. Raises `SecretError`."""
    if written.startswith("env:"):
        name = written[4:].strip()
        if not _VARIABLE.fullmatch(name):
            raise SecretError("what follows env: is not the name of a variable")
        return Secret(variable(name, environ), f"env:{name}")
    if written.startswith("file:"):
        path = resolve_path(written[5:].strip(), base)
        return Secret(_clean(_read(path), f"the file {path}"), f"file:{path}")
    if _UNEXPANDED.search(written):
        raise SecretError('nothing expands "$" in this file: write env:NAME to take a variable')
    return Secret(_clean(written, "it"), "literal")


def variable(name: str, environ: Mapping[str, str]) -> str:
    """A credential from the environment. Raises `SecretError` when it can't be one."""
    value = environ.get(name)
    if value is None:
        raise SecretError(f"the environment variable {name} is not set", is_missing=True)
    if not value.strip():
        raise SecretError(f"the environment variable {name} is empty", is_missing=True)
    if _UNEXPANDED.search(value):
        raise SecretError(
            f"{name} holds text with a $ sign that the shell did not expand; set it to the key itself"
        )
    return _clean(value, name)


def resolve_path(text: str, base: FilePath) -> FilePath:
    """`~` and relative paths; relative ones start at the configuration file's folder."""
    try:
        return base / FilePath(text).expanduser()
    except RuntimeError:  # no home folder known
        return base / text


def _read(path: FilePath) -> str:
    try:
        if not path.is_file():
            raise SecretError(f"there is no file {path}", is_missing=True)
        with path.open("rb") as file:
            data = file.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, SecretError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise SecretError(f"the file can't be read: {reason}") from None
    if len(data) > MAX_SECRET_BYTES:
        raise SecretError(f"the file {path} is too large for a key")
    return data.decode("utf-8", "replace")


def _clean(value: str, what: str) -> str:
    value = value.strip()
    if not value:
        raise SecretError(f"{what} is empty", is_missing=True)
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise SecretError(f"{what} holds spaces, line ends or other characters that no key has")
    return value
