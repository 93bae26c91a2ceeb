"""Whole answers from the network for commands, through the same pool as requests: proxies, TLS, names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from wicket.errors import CallerFault, ProviderFault, UpstreamBroken
from wicket.upstream.contract import Pool
from wicket.upstream.fetch import Response, fetch
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.proxies import proxy_for
from wicket.upstream.request_head import head, without_body
from wicket.wire.origin import Origin

CONNECT_MS = 10_000
MAX_REDIRECTS = 3
T = TypeVar("T")


async def get(
    pool: Pool,
    origin: Origin,
    target: str,
    headers: Sequence[tuple[str, str]],
    *,
    total_ms: int,
    max_bytes: int,
) -> Response:
    """`GET target` of an origin. Raises `ProviderFault`."""
    request = without_body(head("GET", target, origin, [*headers, ("user-agent", "wicket")]))
    connect_ms = min(CONNECT_MS, total_ms * 9 // 10)  # so that it is told which of the two took too long
    return await fetch(pool, origin, request, connect_ms=connect_ms, total_ms=total_ms, max_bytes=max_bytes)


async def download(pool: Pool, url: str, *, total_ms: int, max_bytes: int) -> bytes:
    """A document at a URL, following a few redirects, never from https to http.

    Raises `CallerFault` for what is no URL, `ProviderFault` for what does not answer with 200.
    """
    at = url
    for _ in range(MAX_REDIRECTS + 1):
        origin, target = _split(at)
        answer = await get(pool, origin, target, [("accept", "*/*")], total_ms=total_ms, max_bytes=max_bytes)
        if answer.status == 200:
            return answer.body
        if answer.status not in (301, 302, 303, 307, 308):
            raise ProviderFault("not_fetched", f"{at} answered with status {answer.status}.")
        to = urljoin(at, answer.header(b"location").decode("latin-1"))
        if at.startswith("https:") and not to.startswith("https:"):
            raise UpstreamBroken("not_fetched", f"{at} leads from https to http.")
        at = to
    raise UpstreamBroken("not_fetched", f"{url} leads from address to address.")


def _split(url: str) -> tuple[Origin, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or not url.isprintable():
        raise CallerFault("invalid_url", f"{url!r} is no address: it looks like https://host/path")
    proxy = proxy_for(parts.scheme, host, port, os.environ)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, host, port, proxy=proxy), target


def with_pool(work: Callable[[Pool], Coroutine[Any, Any, T]]) -> T:
    """The result of `work`, which gets a pool of connections of its own."""

    async def run() -> T:
        pool = KeepAlivePool()
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())
