"""Access tokens for deployments that need one, renewed before they end; no request pays for the renewal.

One task per credential, which sleeps until it is time. Only a request that comes before the first token (or
after renewals have failed until the last one ended) waits for it, within its own limits of time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from wicket.errors import Fault, OperatorFault, ProviderFault
from wicket.upstream.contract import Pool
from wicket.upstream.fetch import fetch
from wicket.upstream.google_tokens import Token, read_token, token_request
from wicket.wire.google_keys import GoogleKeys

if TYPE_CHECKING:
    from wicket.gateway.attempt import Attempt

LIMIT_MS = 10_000
MAX_BYTES = 64 * 1024
AHEAD_S = 300.0  # before its end a token is renewed, or half its life if that is less
FIRST_PAUSE_S = 1.0  # after a failure; doubled up to the longest
LONGEST_PAUSE_S = 60.0

_log = logging.getLogger("wicket.tokens")
Ask = Callable[[], None]


async def fetch_token(pool: Pool, keys: GoogleKeys, unix_s: int) -> Token:
    """Ask for a token. Raises `Fault`. Signing happens in a thread: it takes milliseconds."""
    request = await asyncio.to_thread(token_request, keys, unix_s)
    answer = await fetch(
        pool, keys.origin, request, connect_ms=LIMIT_MS // 2, total_ms=LIMIT_MS, max_bytes=MAX_BYTES
    )
    return read_token(answer)


class _Kept:
    """One credential's token, who waits for it, and the task that renews it."""

    def __init__(self) -> None:
        self.line = b""
        self.ends_us = 0
        self.fault: Fault | None = None  # why there is none, since the last try
        self.waiting: list[tuple[Attempt, Ask]] = []
        self.task: asyncio.Task[None] | None = None


class Tokens:
    """A worker's tokens by credential. `now_us` is monotonic, `unix_s` the time of day that is signed."""

    def __init__(self, pool: Pool, now_us: Callable[[], int], unix_s: Callable[[], int]) -> None:
        self._pool = pool
        self._now_us = now_us
        self._unix_s = unix_s
        self._kept: dict[GoogleKeys, _Kept] = {}

    def configure(self, wanted: Iterable[GoogleKeys]) -> None:
        """Another configuration: tokens that are needed are fetched now, others given up."""
        names = set(wanted)
        for keys in [keys for keys in self._kept if keys not in names]:
            self._give_up(self._kept.pop(keys))
        for keys in names:
            self._find(keys)

    def line(self, keys: GoogleKeys) -> bytes:
        """The header lines of a token that holds, b"" while there is none."""
        kept = self._find(keys)
        return kept.line if kept.ends_us > self._now_us() else b""

    def wait(self, keys: GoogleKeys, attempt: Attempt, ask: Ask) -> None:
        """Let `ask` send the attempt once there is a token; it fails when the next try for one does."""
        self._find(keys).waiting.append((attempt, ask))

    async def close(self) -> None:
        """Give up what is under way."""
        kept = list(self._kept.values())
        self._kept.clear()
        for each in kept:
            self._give_up(each)
        await asyncio.gather(*[each.task for each in kept if each.task], return_exceptions=True)

    def _find(self, keys: GoogleKeys) -> _Kept:
        kept = self._kept.get(keys)
        if kept is None:
            kept = self._kept[keys] = _Kept()
            kept.task = asyncio.get_running_loop().create_task(self._renew(keys, kept))
        return kept

    def _give_up(self, kept: _Kept) -> None:
        if kept.task is not None:
            kept.task.cancel()
        _wake(kept, OperatorFault("credential_gone", "The provider's credential is not configured any more."))

    async def _renew(self, keys: GoogleKeys, kept: _Kept) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                token = await fetch_token(self._pool, keys, self._unix_s())
            except Fault as fault:
                _log.warning("no access token from %s: %s", keys.origin.host, fault.message)
                if kept.ends_us <= self._now_us():
                    _wake(kept, _told(fault))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            kept.line = _line(keys, token)
            kept.ends_us = self._now_us() + token.lifetime_s * 1_000_000
            _wake(kept, None)
            await asyncio.sleep(max(token.lifetime_s - AHEAD_S, token.lifetime_s / 2))


def _told(fault: Fault) -> Fault:
    """What a caller hears: the endpoint's reason may name the operator's account."""
    if not isinstance(fault, ProviderFault) or fault.code == "provider_auth_failed":
        text = "The provider gave the gateway's credential no access token; the operator should check it."
        return ProviderFault("provider_auth_failed", text)
    return fault


def _line(keys: GoogleKeys, token: Token) -> bytes:
    line = b"authorization: Bearer %b\r\n" % token.value.encode()
    if keys.quota_project:
        line += b"x-goog-user-project: %b\r\n" % keys.quota_project.encode()
    return line


def _wake(kept: _Kept, fault: Fault | None) -> None:
    """Tell those who wait: each in its own turn of the loop, and only whose request is still under way."""
    waiting, kept.waiting = kept.waiting, []
    for attempt, ask in waiting:
        asyncio.get_running_loop().call_soon(_go_on, attempt, ask, fault)


def _go_on(attempt: Attempt, ask: Ask, fault: Fault | None) -> None:
    if attempt.done:
        return
    if fault is not None:
        attempt.refuse(fault)
    else:
        attempt.started_us = attempt.clock()  # its own clock begins where it goes out
        ask()
