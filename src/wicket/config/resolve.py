"""Providers: what was written, completed by the catalogue row and the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from urllib.parse import quote, urlsplit

import msgspec

from wicket.config import aws, google
from wicket.config.check import url_fault
from wicket.config.lines import Path
from wicket.config.mistakes import Mistakes
from wicket.config.schema import Provider, ProviderTable
from wicket.config.secrets import Secret, SecretError, read_secret, resolve_path, variable
from wicket.dialects.translation import dialect_headers
from wicket.providers.catalogue import Row
from wicket.routing.deployment import Also
from wicket.wire.quirks import Quirks

_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")
_PLACEHOLDER = re.compile(r"\{(account|region|resource)\}")


class LeftOut(Exception):
    """An optional provider has no credential: it is left out, for the reason given."""


class Place:
    """Where a provider's table stands, and what to resolve it with."""

    def __init__(self, path: Path, mistakes: Mistakes, environ: Mapping[str, str], base: FilePath) -> None:
        self.path = path
        self.mistakes = mistakes
        self.environ = environ
        self.base = base

    def wrong(self, field: str | int, what: str, *more: str | int) -> None:
        """Note a mistake in one field."""
        self.mistakes.add((*self.path, field, *more), what)


def resolve_provider(name: str, table: ProviderTable, row: Row | None, place: Place) -> Provider:
    """The provider ready for use. Raises `LeftOut` when it should be left out."""
    dialect = _dialect(table, row)
    is_other = row is not None and row.also is not None and dialect == row.also.dialect
    auth = table.auth or (row.also.auth if is_other and row and row.also else "")
    auth = auth or (row.auth if row else "bearer")
    keys = _access_keys(table, place) if auth == aws.SIGNED else {}
    secrets = _google(table, place) if auth == google.GOOGLE else []
    secrets = secrets if auth in (aws.SIGNED, google.GOOGLE) else _credentials(table, row, place)
    url = _base_url(table, row, place)
    if auth == aws.SIGNED:
        secrets = [keys["secret_access_key"]] if "secret_access_key" in keys else []
        if url and not aws.region_of(url, table.region):
            place.wrong("region", "is needed: requests are signed for a region")
    else:
        _check_unsigned(table, place)
    return Provider(
        name=name,
        row=row.name if row else "",
        title=row.title if row else name,
        base_url=url,
        credentials=tuple(secret.value for secret in secrets),
        origins=tuple(secret.origin for secret in secrets),
        auth=auth,
        access_key_id=keys["access_key_id"].value if "access_key_id" in keys else "",
        session_token=keys["session_token"].value if "session_token" in keys else "",
        dialect=dialect,
        also=_also(dialect, row, url),
        headers=_headers(table, row, dialect),
        query=f"api-version={quote(table.api_version, safe='')}" if table.api_version else "",
        path_template=row.versioned_path if row and table.api_version else "",
        ca_file=str(resolve_path(table.ca_file, place.base)) if table.ca_file else "",
        proxy=table.proxy,
        rename=table.rename if table.rename is not None else (row.rename if row else {}),
        remove=table.remove if table.remove is not None else (row.remove if row else ()),
        usage_in_stream=table.usage_in_stream or (row.usage_in_stream if row else "ask"),
        rerank=_rerank(table, row, dialect),
        quirks=row.quirks if row else Quirks(),
        prefill=table.prefill,
        models=table.models,
        prices=table.prices,
        max_concurrent=table.max_concurrent,
        queue=table.queue,
        probe_s=table.probe_s,
        region=table.region or (aws.region_of(url, "") if auth == aws.SIGNED else row.region if row else ""),
        data_collection=table.data_collection or (row.data_collection if row else ""),
        reason="declared in the configuration",
    )


def sends_in_clear(provider: Provider) -> bool:
    """Whether a credential would cross a network without TLS."""
    parts = urlsplit(provider.base_url)
    is_here = _LOOPBACK.fullmatch(parts.hostname or "") is not None
    return bool(provider.credentials) and parts.scheme == "http" and not is_here


def _dialect(table: ProviderTable, row: Row | None) -> str:
    """What was written, else the row's; the row's other one for an address that goes on to its path."""
    if table.dialect or row is None:
        return table.dialect or "openai_chat"
    own, written = urlsplit(row.base_url).path, urlsplit(table.base_url).path.rstrip("/")
    other = row.also if row.also is not None and own and row.also.path.startswith(own + "/") else None
    return other.dialect if other is not None and written.endswith(other.path) else row.dialect


def _rerank(table: ProviderTable, row: Row | None, dialect: str) -> str:
    """The dialect of rankings: what was written, else the row's; one's own OpenAI-like servers do as Jina."""
    if table.rerank is not None:
        return "" if table.rerank == "none" else table.rerank
    if row is not None:
        return row.rerank
    return "jina" if dialect == "openai_chat" else ""


def _headers(table: ProviderTable, row: Row | None, dialect: str) -> dict[str, str]:
    headers = dialect_headers(dialect) | (dict(row.headers) if row else {})
    if table.organization:
        headers["openai-organization"] = table.organization
    if table.project:
        headers["openai-project"] = table.project
    return headers | {name.lower(): value for name, value in table.headers.items()}


def _base_url(table: ProviderTable, row: Row | None, place: Place) -> str:
    url = table.base_url
    if row and not url and row.base_url_env:
        url = place.environ.get(row.base_url_env, "").strip()
        fault = url_fault(url) if url else ""
        if fault:
            place.wrong("base_url", f"{row.base_url_env} {fault}")
            return ""
    if row and url and row.versioned_url:
        return with_standard_path(url, row, is_versioned=bool(table.api_version))
    if row and not url:
        url = row.versioned_url if table.api_version and row.versioned_url else row.base_url
        if row.also is not None and table.dialect == row.also.dialect:
            url = urlsplit(url)._replace(path=row.also.path).geturl()
    if not url:
        place.wrong("base_url", "is needed: the address of the server's OpenAI-compatible API, up to /v1")
        return ""
    given = {"account": table.account, "region": table.region, "resource": table.resource}
    for word in _PLACEHOLDER.findall(url):
        if not given[word]:
            place.wrong(word, f"is needed: it fills {{{word}}} in {url}")
    return _PLACEHOLDER.sub(lambda match: quote(given[match.group(1)], safe="") or "x", url)


def _also(dialect: str, row: Row | None, url: str) -> Also | None:
    """The row's other dialect, if the provider speaks the row's own: beside the path that was configured."""
    if row is None or row.also is None or dialect != row.dialect:
        return None
    path = urlsplit(url).path.rstrip("/")
    prefix = path.removesuffix(urlsplit(row.base_url).path).removesuffix(row.also.path)
    return Also(row.also.dialect, prefix + row.also.path, row.also.auth, apis=row.also.apis)


def with_standard_path(url: str, row: Row, *, is_versioned: bool) -> str:
    """A resource's address, with or without a path, as the API in use wants it (Azure's two forms)."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    standard = urlsplit(row.versioned_url if is_versioned else row.base_url).path
    if path in ("", "/openai", "/openai/v1"):
        path = standard
    return parts._replace(path=path).geturl()


def _credentials(table: ProviderTable, row: Row | None, place: Place) -> list[Secret]:
    written = (table.api_key,) if isinstance(table.api_key, str) else table.api_key
    if not written:
        return _row_credential(table, row, place)
    secrets, missing = [], ""
    for index, text in enumerate(written):
        more = () if isinstance(table.api_key, str) else (index,)
        try:
            secrets.append(read_secret(text, place.environ, place.base))
        except SecretError as error:
            missing = str(error)
            if not (table.optional and error.is_missing):
                hint = "; or write optional = true" if error.is_missing else ""
                place.wrong("api_key", f"{error}{hint}", *more)
    if table.optional and not secrets:
        raise LeftOut(missing)
    return secrets


def _google(table: ProviderTable, place: Place) -> list[Secret]:
    try:
        return google.read_credentials(table, place.environ, place.base)
    except SecretError as error:
        if table.optional and error.is_missing:
            raise LeftOut(str(error)) from None
        place.wrong("api_key", str(error))
        return []


def _access_keys(table: ProviderTable, place: Place) -> dict[str, Secret]:
    """Access key, secret and token by their fields, those in order. Raises `LeftOut`."""
    found, wrong = aws.read_keys(table, place.environ, place.base)
    if table.optional and wrong and all(error.is_missing for error in wrong.values()):
        raise LeftOut(str(next(iter(wrong.values()))))
    for field, error in wrong.items():
        place.wrong(field, str(error))
    if table.api_key:
        place.wrong("api_key", 'is not for auth = "sigv4", which takes access_key_id and secret_access_key')
    return found


def _check_unsigned(table: ProviderTable, place: Place) -> None:
    for field in aws.FIELDS:
        if getattr(table, field):
            place.wrong(field, 'is for auth = "sigv4" only: write that too, or leave it out')


def _row_credential(table: ProviderTable, row: Row | None, place: Place) -> list[Secret]:
    if row is None or (table.auth or row.auth) == "none":
        return []
    found = [name for name in row.env if place.environ.get(name, "").strip()]
    if found:
        try:
            return [Secret(variable(found[0], place.environ), f"env:{found[0]}")]
        except SecretError as error:
            place.wrong("api_key", str(error))
            return []
    if row.auth_optional:
        return []
    wanted = " or ".join(row.env)
    if table.optional:
        raise LeftOut(f"{wanted} is not set")
    place.wrong("api_key", f"is needed: set {wanted}, or write api_key, or write optional = true")
    return []


def from_environment(
    rows: Mapping[str, Row], environ: Mapping[str, str], put_in: frozenset[str] = frozenset()
) -> tuple[dict[str, Provider], dict[str, str]]:
    """Without a file: the providers whose own variable is set, and why others with one are not usable."""
    enabled: dict[str, Provider] = {}
    unusable: dict[str, str] = {}
    for row in rows.values():
        name = next((n for n in row.env if n in environ), None)
        if name is None or not (row.is_enabled_by_env or row.name in put_in):
            continue
        try:
            secret = variable(name, environ)
        except SecretError as error:
            unusable[row.name] = str(error)
            continue
        if row.base_url_env and not environ.get(row.base_url_env, "").strip():
            unusable[row.name] = f"{name} is set, but {row.base_url_env} is not"
            continue
        mistakes = _Quiet()
        place = Place((), mistakes, {**environ, name: secret}, FilePath())
        provider = resolve_provider(row.name, ProviderTable(), row, place)
        if mistakes.first:
            unusable[row.name] = f"{name} is set, but {mistakes.first}"
            continue
        reason = "its key was put in" if row.name in put_in else f"{name} is set"
        enabled[row.name] = _because(provider, reason)
    return enabled, unusable


def _because(provider: Provider, reason: str) -> Provider:
    return msgspec.structs.replace(provider, reason=reason)


class _Quiet(Mistakes):
    """Remembers the first mistake only: nothing was written, so nothing has a line."""

    def __init__(self) -> None:
        self.first = ""

    def add(self, path: Path, what: str) -> None:
        self.first = self.first or what
