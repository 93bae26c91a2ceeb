"""Access keys of AWS as a provider's credential (`auth = "sigv4"`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath

from wicket.config.schema import Provider, ProviderTable
from wicket.config.secrets import Secret, SecretError, read_secret
from wicket.wire.aws_keys import AwsKeys

SIGNED = "sigv4"
FIELDS = ("access_key_id", "secret_access_key", "session_token")
_HOST = re.compile(r"https?://[^/]*?\.([a-z]{2}(?:-[a-z]+)+-\d)\.")


def read_keys(
    table: ProviderTable, environ: Mapping[str, str], base: FilePath
) -> tuple[dict[str, Secret], dict[str, SecretError]]:
    """The keys that are written, and what is wrong with those that can't be read, by their fields.

    Nothing is taken from AWS_ variables that the configuration does not name.
    """
    found: dict[str, Secret] = {}
    wrong: dict[str, SecretError] = {}
    for field in FIELDS:
        written: str = getattr(table, field)
        if not written:
            if field != "session_token":
                wrong[field] = SecretError(f'is needed to sign: write "env:AWS_{field.upper()}" or the like')
            continue
        try:
            found[field] = read_secret(written, environ, base)
        except SecretError as error:
            wrong[field] = error
    return found, wrong


def region_of(url: str, written: str) -> str:
    """The region that requests are signed for: as written, else as the host names it, else ""."""
    found = _HOST.match(url)
    return written or (found.group(1) if found else "")


def aws_keys(provider: Provider, secret: str) -> AwsKeys | None:
    """What a provider's requests are signed with; None for one whose requests are not."""
    if provider.auth != SIGNED or not secret:
        return None
    return AwsKeys(
        access_key_id=provider.access_key_id,
        secret_access_key=secret,
        session_token=provider.session_token,
        region=provider.region,
    )
