"""`[accounts]` and the networks of `[server]`: what types can't say, and secrets resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from wicket.accounts.networks import checked_networks
from wicket.config.mistakes import Mistakes, printable
from wicket.config.schema import Accounts, Server
from wicket.config.secrets import SecretError, read_secret
from wicket.errors import CallerFault


def check_proxies(server: Server, mistakes: Mistakes) -> None:
    """Note what is no network."""
    for index, text in enumerate(server.trusted_proxies):
        try:
            checked_networks([text])
        except CallerFault:
            what = f'"{printable(text)}" is no network; one looks like 10.0.0.0/8 or 127.0.0.1/32'
            mistakes.add(("server", "trusted_proxies", index), what)


def check_accounts(accounts: Accounts, mistakes: Mistakes) -> None:
    """Note what is missing or wrong."""
    for name, table in accounts.oidc.items():
        path = ("accounts", "oidc", name)
        for field in ("issuer", "client_id"):
            if not getattr(table, field):
                mistakes.add(path, f"needs {field}")
        is_here = table.issuer.startswith(("http://127.0.0.1", "http://localhost", "http://[::1]"))
        if table.issuer and not table.issuer.startswith("https://") and not is_here:
            mistakes.add((*path, "issuer"), "must start with https:// (only this machine may do without)")
        for index, domain in enumerate(table.allowed_domains):
            if not domain or "@" in domain or not domain.isprintable():
                mistakes.add((*path, "allowed_domains", index), 'a domain reads "example.com"')


def resolve_accounts(
    accounts: Accounts, environ: Mapping[str, str], base: Path, mistakes: Mistakes
) -> Accounts:
    """With every `client_secret` in clear; mistakes are noted."""
    found = {}
    for name, table in accounts.oidc.items():
        if table.client_secret:
            try:
                secret = read_secret(table.client_secret, environ, base).value
                table = msgspec.structs.replace(table, client_secret=secret)
            except SecretError as error:
                mistakes.add(("accounts", "oidc", name, "client_secret"), str(error))
        found[name] = table
    return msgspec.structs.replace(accounts, oidc=found)
