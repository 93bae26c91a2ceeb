"""What `wicket providers check` asks each provider, and what its answer means; no credential is shown."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from wicket.cli.web import get, with_pool
from wicket.config.aws import aws_keys
from wicket.config.deployments import auth_headers
from wicket.config.google import google_keys
from wicket.config.schema import Provider
from wicket.errors import Fault
from wicket.gateway.tokens import fetch_token
from wicket.providers.catalogue import row_of
from wicket.upstream.contract import Pool
from wicket.upstream.fetch import Response
from wicket.upstream.proxies import proxy_for
from wicket.upstream.sigv4 import signed_headers
from wicket.wire.json import DecodeError, decode
from wicket.wire.origin import Origin

MAX_BYTES = 16 << 20
MAX_AT_ONCE = 8
_LISTING = "/models"
_KEY = {401, 403}
_NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})


def check_all(
    providers: Sequence[Provider], timeout_ms: int, wanted: Mapping[str, Sequence[str]] = _NOTHING
) -> list[dict[str, Any]]:
    """One result for each credential of each provider, in their order.

    `wanted` are the models that the configuration names, by provider: those that a provider does not list are
    told (`not_listed`), which is no failure, since many answer to names that they do not list.
    """

    async def work(pool: Pool) -> list[dict[str, Any]]:
        slots = asyncio.Semaphore(MAX_AT_ONCE)

        async def one(provider: Provider, index: int) -> dict[str, Any]:
            async with slots:
                return await _check(pool, provider, index, timeout_ms, wanted.get(provider.name, ()))

        asked = [one(p, index) for p in providers for index in range(max(1, len(p.credentials)))]
        return await asyncio.gather(*asked)

    return with_pool(work)


async def _check(
    pool: Pool, provider: Provider, index: int, timeout_ms: int, wanted: Sequence[str]
) -> dict[str, Any]:
    began = time.monotonic()
    status: int | None = None
    missing: list[str] = []
    try:
        answer = await _ask(pool, provider, index, timeout_ms)
        status = answer.status
        code, message = judge(answer, provider)
        if code == "ok":
            missing = not_listed(answer.body, wanted)
            message += f"; not among them: {', '.join(missing)}" if missing else ""
    except NoToken as error:
        code, message = "no_token", str(error)
    except Fault as fault:
        code, message = fault.code, failure(fault.code, provider, timeout_ms)
    return {
        "provider": provider.name,
        "credential": index,
        "num_credentials": len(provider.credentials),
        "ok": code in ("ok", "reachable"),
        "code": code,
        "status": status,
        "message": message,
        "not_listed": missing,
        "ms": round((time.monotonic() - began) * 1000),
    }


async def _ask(pool: Pool, provider: Provider, index: int, timeout_ms: int) -> Response:
    parts = urlsplit(provider.base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    proxy = provider.proxy
    if proxy is None:
        proxy = proxy_for(parts.scheme, host, port, os.environ)
    origin = Origin(parts.scheme, host, port, proxy=proxy, ca_file=provider.ca_file)
    secret = provider.credentials[index] if provider.credentials else ""
    query = f"?{provider.query}" if provider.query else ""
    path = provider.also.path if provider.also is not None else parts.path.rstrip("/")
    target = path + (_probe(provider) or _LISTING) + query
    headers = [("accept", "application/json"), *auth_headers(provider, secret)]
    keys = aws_keys(provider, secret)
    token = await _token(pool, provider, secret)
    if token:
        headers.append(("authorization", f"Bearer {token}"))
    if keys is not None:
        headers += signed_headers("GET", target, {"host": origin.authority}, b"", keys, int(time.time()))
    return await get(pool, origin, target, headers, total_ms=timeout_ms, max_bytes=MAX_BYTES)


class NoToken(Exception):
    """No access token came, for the reason given."""


async def _token(pool: Pool, provider: Provider, secret: str) -> str:
    """An access token, "" for a provider that wants none. Raises `NoToken`."""
    keys = google_keys(provider, secret, lambda scheme, host, port: proxy_for(scheme, host, port, os.environ))
    if keys is None:
        return ""
    try:
        return (await fetch_token(pool, keys, int(time.time()))).value
    except Fault as fault:
        place = keys.origin.host
        raise NoToken(f"no access token from {place}: {fault.message} Check {_origins(provider)}") from None


def _probe(provider: Provider) -> str:
    row = row_of(provider.row) if provider.row else None
    return row.probe if row is not None else _LISTING


def judge(answer: Response, provider: Provider) -> tuple[str, str]:
    """A code and a sentence for an answer. "reachable": it is there, and whether the key is right can't be
    told without a request that costs something."""
    status = answer.status
    if status in _KEY:
        return _key_fault(status, provider)
    if status == 400 and b"API_KEY_INVALID" in answer.body:  # Google's word for a 401
        return _key_fault(401, provider)
    if 200 <= status < 300 and _probe(provider):
        return _listing(answer)
    if status == 404 and _probe(provider):
        return (
            "not_found",
            f"{provider.base_url} has no {_probe(provider)} (404): check base_url, mostly up to /v1",
        )
    if status == 429:
        return "reachable", "it answers and limits this key just now (429)"
    if status >= 500:
        return "provider_down", f"it answers {status}: a fault of its own; try again later"
    if status < 500 and not _probe(provider):
        return (
            "reachable",
            "it answers; whether the key is right shows with the first request, as listing is not offered",
        )
    if 300 <= status < 400:
        return (
            "redirected",
            f"it answers {status}, a redirect, which requests do not follow: correct base_url",
        )
    return "unexpected", f"it answers {status}: check base_url and the provider's state"


def _key_fault(status: int, provider: Provider) -> tuple[str, str]:
    if not provider.credentials:
        return "no_credential", f"it wants a key ({status}): write api_key into [providers.{provider.name}]"
    if status == 403:
        return (
            "not_permitted",
            "the key is known but may not do this (403): check its rights, region and account",
        )
    return "bad_credential", f"the key is refused (401): correct {_origins(provider)}"


def _origins(provider: Provider) -> str:
    """Where the keys come from, never what they are."""
    return (
        " or ".join(dict.fromkeys(provider.origins)).replace("literal", "api_key in the configuration")
        or "api_key"
    )


def _listing(answer: Response) -> tuple[str, str]:
    try:
        document = decode(answer.body)
    except DecodeError:
        return (
            "no_json",
            "it answers 200 with something that is no JSON: base_url leads to another kind of server",
        )
    listed = document.get("data", document.get("models")) if isinstance(document, dict) else document
    if isinstance(listed, list):
        return "ok", f"works, {len(listed)} model{'s' if len(listed) != 1 else ''} listed"
    return "ok", "works"


def not_listed(body: bytes, wanted: Sequence[str]) -> list[str]:
    """The wanted models that a whole listing does not have; none where it is a page, or of no known form."""
    document = decode(body)
    listed = document.get("data", document.get("models")) if isinstance(document, dict) else document
    is_page = isinstance(document, dict) and (document.get("has_more") or document.get("nextPageToken"))
    if is_page or not isinstance(listed, list):
        return []
    found = {
        str(each[name]).removeprefix("models/")
        for each in listed
        if isinstance(each, dict)
        for name in ("id", "name", "model")
        if name in each
    }
    return [name for name in wanted if name not in found] if found else []


def failure(code: str, provider: Provider, timeout_ms: int) -> str:
    """What to do where no answer came; the fault's own words could hold what a proxy's URL holds."""
    parts = urlsplit(provider.base_url)
    place = parts.hostname or provider.base_url
    said = {
        "dns_failed": f"the name {place} can't be resolved: check base_url and this machine's DNS",
        "connect_failed": f"nothing answers at {parts.netloc}: is it running, is a firewall in the way?",
        "connect_timeout": f"no connection to {parts.netloc} in time: a firewall, or http there?",
        "tls_failed": f"TLS with {place} fails: if its authority is your own, set ca_file",
        "proxy_failed": "the proxy refuses or does not answer: check proxy or HTTPS_PROXY",
        "total_timeout": f"no answer within {timeout_ms / 1000:g} s: try again, or with a longer --timeout",
        "reset": f"{place} closed the connection without an answer: is base_url http where https is meant?",
        "cut": f"{place} closed the connection amid its answer",
        "malformed": f"{place} does not speak HTTP there: check base_url's scheme and port",
        "too_large": f"{place} sent more than {MAX_BYTES >> 20} MiB: is base_url that of another server?",
    }
    return said.get(
        code, f"the request can't be made ({code}): check the provider's table in the configuration"
    )
