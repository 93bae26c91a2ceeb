"""What the database needs now and then: grants end, old records go, messages that were sent are forgotten."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from wicket.accounts.usage_rows import DAY_MS, record_ms
from wicket.errors import StoreFault
from wicket.store.contract import RecordFilter, Store
from wicket.supervisor.verb import now_ms

EXPIRE_EVERY_S = 5.0
REFRESH_EVERY_S = 60.0
PRUNE_EVERY_S = 86_400.0
KEEP_NOTICES_MS = 30 * DAY_MS
_MAX_DRIFT_S = 3_600.0

_log = logging.getLogger("wicket.supervisor")


def prune_before_ms(now: int, newest_ms: int, keep_days: float) -> int:
    """Records begun before this time (Unix ms) go; 0 for none.

    Days are counted back from now, yet from no later than a day after the newest record: a clock that runs
    far ahead must not take everything with it.
    """
    if not keep_days or not newest_ms:
        return 0
    return max(0, round(min(now, newest_ms + DAY_MS) - keep_days * DAY_MS))


class Upkeep:
    """One per supervisor. `credits_changed` is told that balances may be others now."""

    def __init__(
        self,
        store: Callable[[], Store],
        keep_days: Callable[[], float],
        credits_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._keep_days = keep_days
        self._credits_changed = credits_changed
        self._drift_s = time.time() - time.monotonic()
        self._next_refresh_s = 0.0
        self._next_prune_s = time.monotonic() + REFRESH_EVERY_S

    async def watch(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EXPIRE_EVERY_S)
            try:
                await self._expire()
                await self._prune()
            except StoreFault as fault:
                _log.warning("upkeep waits: %s", fault.message)

    async def _expire(self) -> None:
        ended = await asyncio.to_thread(self._store().ledger.expire, now_ms())
        if ended:
            _log.info("%d grants ended with something left", len(ended))
        if ended or time.monotonic() >= self._next_refresh_s:
            self._next_refresh_s = time.monotonic() + REFRESH_EVERY_S
            await self._credits_changed()

    async def _prune(self) -> None:
        if time.monotonic() < self._next_prune_s:
            return
        self._next_prune_s = time.monotonic() + PRUNE_EVERY_S
        await asyncio.to_thread(self._store().ledger.forget_notices, now_ms() - KEEP_NOTICES_MS)
        drift_s = time.time() - time.monotonic()
        if abs(drift_s - self._drift_s) > _MAX_DRIFT_S:
            _log.warning("the clock was set by more than an hour: old records are kept for another day")
            self._drift_s = drift_s
            return
        newest = await asyncio.to_thread(self._store().records, RecordFilter(limit=1))
        newest_ms = record_ms(newest[0].id) if newest else 0
        before_ms = prune_before_ms(now_ms(), newest_ms, self._keep_days())
        if before_ms:
            num = await asyncio.to_thread(self._store().prune, before_ms)
            _log.info("%d records were older than records.keep_days and are gone", num)
