"""Requests of the server to itself, in a key's name: how the lines of batches are asked.

They come in through the listening socket as everybody's do, so that limits, routes and records are the same;
only where a key may be used from was asked when its batch was made.
What they authenticate with is made anew at each start, stands in no file, and dies with the key.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from wicket.accounts.callers import Caller, digest
from wicket.errors import ProviderFault
from wicket.supervisor.messages import AddCaller, ToWorker
from wicket.upstream.fetch import Response, fetch_once
from wicket.upstream.pool import KeepAlivePool
from wicket.upstream.request_head import complete, head
from wicket.wire.origin import Origin

TOTAL_MS = 3_600_000
MAX_ANSWER_BYTES = 64 * 1024 * 1024
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # after an answer that says to come back
BUSY = (429, 503)
NOT_SENT = ("connect_failed", "connect_timeout")
_MAX_PAUSE_S = 60.0
_REVOKED = b'{"error":{"message":"The key of this batch is revoked.","type":"authentication_error",' + (
    b'"param":null,"code":"invalid_api_key"}}'
)


class Errands:
    """`supervisor.batches.Errand`. `find` knows the live callers, `tell` speaks to every worker."""

    def __init__(
        self, url: str, find: Callable[[int], Caller | None], tell: Callable[[ToWorker], None]
    ) -> None:
        parts = urlsplit(url)
        self._origin = Origin("http", parts.hostname or "127.0.0.1", parts.port or 80)
        self._find = find
        self._tell = tell
        self._tokens: dict[int, tuple[str, Caller]] = {}
        self._pool = KeepAlivePool(max_idle=0)  # a kept connection might be closed while it is used

    def callers(self) -> list[Caller]:
        """What new workers must know besides the keys."""
        return [caller for _, caller in self._tokens.values()]

    def forget(self, key_id: int) -> None:
        """The key is revoked, and the workers have been told so."""
        self._tokens.pop(key_id, None)

    async def close(self) -> None:
        """End all connections."""
        await self._pool.close()

    async def __call__(self, key_id: int, path: str, body: bytes) -> tuple[int, str, bytes]:
        """See `Errand`. One that is told to come back does so, as often as `PAUSES_S` has pauses."""
        for pause_s in (*PAUSES_S, 0.0):
            token = self._token(key_id)
            if not token:
                return 401, "", _REVOKED
            try:
                answer = await self._ask(token, path, body)
            except ProviderFault as fault:
                if fault.code not in NOT_SENT or not pause_s:
                    raise
                await asyncio.sleep(pause_s)
                continue
            if answer.status not in BUSY or not pause_s:
                break
            told = answer.header(b"retry-after")
            await asyncio.sleep(min(_MAX_PAUSE_S, max(pause_s, float(told) if told.isdigit() else 0.0)))
        return answer.status, answer.header(b"x-request-id").decode("latin-1"), answer.body

    async def _ask(self, token: str, path: str, body: bytes) -> Response:
        headers = (
            ("authorization", f"Bearer {token}"),
            ("content-type", "application/json"),
            ("user-agent", "wicket"),
        )
        request = complete(head("POST", path, self._origin, headers), body)
        return await fetch_once(
            self._pool, self._origin, request, connect_ms=5_000, total_ms=TOTAL_MS, max_bytes=MAX_ANSWER_BYTES
        )

    def _token(self, key_id: int) -> str:
        """What a live key's errands go out with; "" for a key that lives no more."""
        caller = self._find(key_id)
        if caller is None:
            return ""
        known = self._tokens.get(key_id)
        token = known[0] if known is not None else secrets.token_urlsafe(32)
        lent = msgspec.structs.replace(
            caller, digest=digest(token.encode()), is_admin=False, networks=(), previous=b"", is_lent=True
        )
        if known is None or known[1] != lent:  # new, or what the key may do has changed
            self._tokens[key_id] = (token, lent)
            self._tell(AddCaller(lent))
        return token
