"""Google's credentials as a provider's (`auth = "google"`): a key file, what gcloud left, or the machine's.

Source: "How Application Default Credentials works", Google Cloud documentation; AIP-4110 to 4115.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Final
from urllib.parse import urlsplit

import msgspec

from wicket.config.schema import Provider, ProviderTable
from wicket.config.secrets import Secret, SecretError, resolve_path
from wicket.wire.google_keys import GoogleKeys
from wicket.wire.origin import Origin

GOOGLE = "google"
METADATA: Final = "metadata"
SERVICE_ACCOUNT: Final = "service_account"
AUTHORIZED_USER: Final = "authorized_user"
FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
METADATA_VARIABLE = "GCE_METADATA_HOST"
METADATA_HOST = "metadata.google.internal"
_METADATA_TARGET = "/computeMetadata/v1/instance/service-accounts/default/token"
_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105
_MAX_BYTES = 64 * 1024
_PROJECT = re.compile(r"[a-zA-Z0-9.:_-]*")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _File(msgspec.Struct, omit_defaults=True):
    """A credential file; what it says beside this is passed over."""

    type: str = ""
    client_email: str = ""
    private_key: str = ""
    private_key_id: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    quota_project_id: str = ""
    token_uri: str = ""


_NEEDED = {
    SERVICE_ACCOUNT: ("client_email", "private_key"),
    AUTHORIZED_USER: ("client_id", "client_secret", "refresh_token"),
}


def read_credentials(table: ProviderTable, environ: Mapping[str, str], base: FilePath) -> list[Secret]:
    """The credentials that are written, or the machine's own where none is. Raises `SecretError`.

    A secret is the file's JSON, as far as it is used, or `METADATA` and the metadata server's host.
    """
    written = (table.api_key,) if isinstance(table.api_key, str) else table.api_key
    return [_read(one, environ, base) for one in written if one] or [_default(environ, base)]


def _read(written: str, environ: Mapping[str, str], base: FilePath) -> Secret:
    if written == METADATA:
        return Secret(_metadata(environ), METADATA)
    kind, _, rest = written.partition(":")
    if kind == "file":
        path = resolve_path(rest.strip(), base)
        return Secret(_checked(_content(path)), f"file:{path}")
    if kind == "env":
        text = environ.get(rest.strip())
        if not text:
            raise SecretError(f"the environment variable {rest.strip()} is not set", is_missing=True)
        return Secret(_checked(text.encode()), written)
    raise SecretError(f'is "file:PATH" or "env:NAME" of a credential file\'s JSON, or "{METADATA}"')


def _default(environ: Mapping[str, str], base: FilePath) -> Secret:
    """Where Google's own libraries look, in their order; nothing is asked over the network here."""
    named = environ.get(FILE_VARIABLE, "").strip()
    if named:
        return _read(f"file:{named}", environ, base)
    folder = environ.get("CLOUDSDK_CONFIG", "").strip() or "~/.config/gcloud"
    path = resolve_path(f"{folder}/application_default_credentials.json", base)
    if path.is_file():
        return Secret(_checked(_content(path)), f"file:{path}")
    return Secret(_metadata(environ), METADATA)


def _metadata(environ: Mapping[str, str]) -> str:
    return f"{METADATA}:{environ.get(METADATA_VARIABLE, '').strip() or METADATA_HOST}"


def _content(path: FilePath) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        raise SecretError(f"the file {path} can't be read: {error.strerror}", is_missing=is_missing) from None
    if len(data) > _MAX_BYTES:
        raise SecretError(f"the file {path} is too large for a credential")
    return data


def _checked(data: bytes) -> str:
    """The used part of a credential file. Raises `SecretError`, which never holds any of it."""
    try:
        file = msgspec.json.decode(data, type=_File)
    except msgspec.DecodeError:
        raise SecretError("is no credential file of Google's: it is not JSON of that form") from None
    needed = _NEEDED.get(file.type)
    if needed is None:
        known = " or ".join(_NEEDED)
        raise SecretError(f"has the type {file.type[:40]!r}; {known} are understood, or an access token")
    for name in needed:
        if not getattr(file, name):
            raise SecretError(f"has no {name}")
    _endpoint(file.token_uri or _TOKEN_URI)
    if not _PROJECT.fullmatch(file.quota_project_id):
        raise SecretError("has a quota_project_id that is no project's")
    if file.type == SERVICE_ACCOUNT and importlib.util.find_spec("cryptography") is None:
        raise SecretError("has a key that signs, which needs a package: pip install 'wicket[vertex]'")
    return msgspec.json.encode(file).decode()


def _endpoint(uri: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and target. Raises `SecretError` for an address that no secret may go to."""
    try:
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise SecretError("has a token_uri that is no URL") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise SecretError("has a token_uri that is not an https address")
    return parts.scheme, parts.hostname, port, parts.path or "/"


def google_keys(
    provider: Provider, secret: str, proxy_for: Callable[[str, str, int], str]
) -> GoogleKeys | None:
    """What a provider's tokens are asked for with; None for one that needs none."""
    if provider.auth != GOOGLE or not secret:
        return None
    kind, _, host = secret.partition(":")
    if kind == METADATA:
        name, _, port = host.partition(":")
        return GoogleKeys(
            kind=METADATA, origin=Origin("http", name, int(port or 80)), target=_METADATA_TARGET
        )
    file = msgspec.json.decode(secret, type=_File)
    uri = file.token_uri or _TOKEN_URI
    scheme, name, number, target = _endpoint(uri)
    proxy = proxy_for(scheme, name, number) if provider.proxy is None else provider.proxy
    return GoogleKeys(
        kind=SERVICE_ACCOUNT if file.type == SERVICE_ACCOUNT else AUTHORIZED_USER,
        origin=Origin(scheme, name, number, proxy=proxy, ca_file=provider.ca_file),
        target=target,
        audience=uri,
        client_email=file.client_email,
        private_key=file.private_key,
        private_key_id=file.private_key_id,
        client_id=file.client_id,
        client_secret=file.client_secret,
        refresh_token=file.refresh_token,
        quota_project=file.quota_project_id if file.type == AUTHORIZED_USER else "",
    )
