"""Providers as the administration sees them, and their keys, which only go in."""

from __future__ import annotations

import asyncio
from typing import Any

from wicket.config.secrets import SecretError, variable
from wicket.errors import CallerFault, ConfigFault
from wicket.providers import catalogue
from wicket.providers.catalogue import Row
from wicket.supervisor.verb import Arguments, House, Verb

MAX_KEY_CHARS = 4_096


async def providers_list(house: House, arguments: Arguments, key_id: int) -> Any:
    """Every provider that is configured or known; no secret."""
    return await asyncio.to_thread(_listed, house)


async def credentials_put(house: House, arguments: Arguments, key_id: int) -> Any:
    """`provider`, `key` → the provider as it is now. A key that the configuration refuses is taken out."""
    row = _row(arguments["provider"])
    key = _checked(arguments["key"], row)
    before = house.credentials.read().get(row.name)
    await asyncio.to_thread(house.credentials.put, row.name, key)
    try:
        await house.reload()
    except ConfigFault:
        if before is None:
            await asyncio.to_thread(house.credentials.remove, row.name)
        else:
            await asyncio.to_thread(house.credentials.put, row.name, before)
        raise
    return next(one for one in _listed(house)["data"] if one["name"] == row.name)


async def credentials_remove(house: House, arguments: Arguments, key_id: int) -> Any:
    """`provider` → the provider as it is now."""
    name = arguments["provider"]
    if not await asyncio.to_thread(house.credentials.remove, name):
        raise CallerFault("unknown_credential", f"No key was put in for {name[:80]!r}.", status=404)
    await house.reload()
    return {"provider": name, "removed": True}


def _listed(house: House) -> dict[str, Any]:
    config, kept = house.config, house.credentials.read()
    rows = catalogue.rows()
    listed = [_shown(name, rows.get(name), house, kept) for name in config.providers]
    listed += [_shown(name, row, house, kept) for name, row in rows.items() if name not in config.providers]
    return {"data": listed, "is_file_in_force": bool(config.source)}


def _shown(name: str, row: Row | None, house: House, kept: dict[str, str]) -> dict[str, Any]:
    provider = house.config.providers.get(name)
    known_by = provider.row if provider is not None and provider.row else name
    return {
        "name": name,
        "title": (provider.title if provider is not None else "") or (row.title if row is not None else name),
        "base_url": provider.base_url if provider is not None else (row.base_url if row is not None else ""),
        "auth": provider.auth if provider is not None else (row.auth if row is not None else "bearer"),
        "env": list(row.env) if row is not None else [],
        "is_configured": provider is not None,
        "has_credential": provider is not None and bool(provider.credentials),
        "source": provider.origins[0] if provider is not None and provider.origins else "",
        "is_stored_here": name in kept,
        "problem": house.config.unusable.get(name, ""),
        "models": len(catalogue.known_models(known_by)) if provider is not None else None,  # takes a while
    }


def _row(name: str) -> Row:
    row = catalogue.row_of(name) if catalogue.has_row(name) else None
    if row is None:
        message = f"There is no provider {name[:80]!r} in the catalogue: declare it in wicket.toml."
        raise CallerFault("unknown_provider", message, status=404, param="provider")
    if not row.env:
        raise CallerFault("no_credential", f"{row.title} takes no key.", param="provider")
    return row


def _checked(key: str, row: Row) -> str:
    if not 0 < len(key) <= MAX_KEY_CHARS:
        raise CallerFault("invalid_credential", f"A key has 1 to {MAX_KEY_CHARS:,} characters.", param="key")
    name = row.env[0]
    try:
        return variable(name, {name: key})
    except SecretError as error:
        raise CallerFault("invalid_credential", f"That is no key: {error}.", param="key") from None


PROVIDER_VERBS: dict[str, Verb] = {
    "providers.list": providers_list,
    "credentials.put": credentials_put,
    "credentials.remove": credentials_remove,
}
