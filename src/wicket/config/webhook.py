"""`[accounts.webhook]`: what types can't say, and its secret resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from wicket.config.mistakes import Mistakes
from wicket.config.schema import Accounts
from wicket.config.secrets import SecretError, read_secret

_PATH = ("accounts", "webhook")
MIN_SECRET_CHARS = 16


def resolve_webhook(
    accounts: Accounts, environ: Mapping[str, str], base: Path, mistakes: Mistakes
) -> Accounts:
    """With the webhook's secret in clear; mistakes are noted."""
    webhook = accounts.webhook
    if webhook is None:
        return accounts
    fault = _url_fault(webhook.url)
    if fault:
        mistakes.add((*_PATH, "url"), fault)
    try:
        secret = read_secret(webhook.secret, environ, base).value
    except SecretError as error:
        mistakes.add((*_PATH, "secret"), str(error))
        return accounts
    if len(secret) < MIN_SECRET_CHARS:
        mistakes.add((*_PATH, "secret"), f"needs {MIN_SECRET_CHARS} characters or more")
    return msgspec.structs.replace(accounts, webhook=msgspec.structs.replace(webhook, secret=secret))


def _url_fault(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or port == 0:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must start with http:// or https:// and name a host"
    if "@" in parts.netloc or parts.fragment:
        return "must not hold a user, a password or a fragment"
    return ""
