"""Who comes in: hashes passwords off the loop, counts tries, knows the setup code, has a clock of its own.

One per server, so that all workers share its counts. Nothing of it outlives the process.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from wicket.accounts import passwords
from wicket.accounts.networks import block_of
from wicket.accounts.passwords import Hardness
from wicket.accounts.tenants import Session
from wicket.accounts.throttle import Throttle
from wicket.config.schema import Accounts
from wicket.errors import BusyFault
from wicket.store.contract import Store

R = TypeVar("R")
Seconds = Callable[[], float]
MAX_WAITING = 32  # passwords that wait to be hashed
WINDOW_S = 300.0
TRIES_PER_ADDRESS = 30
TRIES_PER_ACCOUNT = 10
_CODE_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"
_NICENESS = 10


class ForwardClock:
    """Unix ms that never run back: a clock that is set back must not make a session live longer."""

    def __init__(
        self, wall_s: Callable[[], float] = time.time, steady_s: Callable[[], float] = time.monotonic
    ):
        self._wall_s, self._steady_s = wall_s, steady_s
        self._last_ms, self._last_s = 0, steady_s()

    def now_ms(self) -> int:
        """The wall's time, or where the last one and the steady clock have come to, whichever is later."""
        steady_s = self._steady_s()
        run_ms = self._last_ms + int((steady_s - self._last_s) * 1000) if self._last_ms else 0
        self._last_ms, self._last_s = max(int(self._wall_s() * 1000), run_ms), steady_s
        return self._last_ms

    def start_at(self, unix_ms: int) -> None:
        """Not earlier than that, as an earlier process has seen it."""
        self._last_ms, self._last_s = max(self._last_ms, unix_ms), self._steady_s()


class Reception:
    """`table` is `[accounts]` as it is in force."""

    def __init__(self, table: Accounts, hardness: Hardness = passwords.STANDARD) -> None:
        self.table = table
        self.setup_code = new_setup_code()
        self.clock = ForwardClock()
        self.signing_up = asyncio.Lock()
        self._hardness = hardness
        self._by_address = Throttle(TRIES_PER_ADDRESS, WINDOW_S)
        self._by_account = Throttle(TRIES_PER_ACCOUNT, WINDOW_S)
        self._nobodys = passwords.nobodys(hardness)
        self._num_waiting = 0
        self._pool = ThreadPoolExecutor(_num_threads(), "passwords", initializer=_step_back)
        self._opening = threading.Lock()
        self._is_open = False

    def open(self, store: Store) -> None:
        """Learn how late it was when somebody was last here; blocks, and does nothing a second time."""
        with self._opening:
            if not self._is_open:
                self._is_open = True
                newest = store.look(lambda rows: rows.all(Session, limit=50, newest_first=True))
                self.clock.start_at(max((session.seen_ms for session in newest), default=0))

    @property
    def idle_ms(self) -> int:
        """How long a session may rest."""
        return round(self.table.session_idle_h * 3_600_000)

    @property
    def max_ms(self) -> int:
        """How long a session may live."""
        return round(self.table.session_max_h * 3_600_000)

    def count_try(self, address: str, account: str = "") -> None:
        """One more try from there, at that account. Raises `BusyFault` when there were too many."""
        now_s = time.monotonic()
        wait_s = self._by_address.take(block_of(address), now_s)
        if account and not wait_s:
            wait_s = self._by_account.take(account, now_s)
        if wait_s:
            message = "Too many attempts; come back later."
            raise BusyFault("too_many_attempts", message, retry_after_ms=round(wait_s * 1000))

    def forgive(self, account: str) -> None:
        """The password was right."""
        self._by_account.forget(account)

    async def hashed(self, password: bytes) -> str:
        """What is kept of a password. Raises `BusyFault` when too many wait."""
        return await self._apart(lambda: passwords.hashed(password, self._hardness))

    async def matches(self, password: str, kept: str) -> bool:
        """Whether it is the password behind `kept`; for "" as much work is done, in vain."""
        return await self._apart(lambda: self._matches(password, kept))

    def is_outdated(self, kept: str) -> bool:
        """Whether the password should be hashed anew."""
        return passwords.is_outdated(kept, self._hardness)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password: str, kept: str) -> bool:
        return passwords.matches(password, kept or self._nobodys) and bool(kept)

    async def _apart(self, work: Callable[[], R]) -> R:
        if self._num_waiting >= MAX_WAITING:
            raise BusyFault("sign_in_busy", "Too many sign in at once; try again.", retry_after_ms=3_000)
        self._num_waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._num_waiting -= 1


def new_setup_code() -> str:
    """What the first sign-up from elsewhere takes; 78 random bits, to be typed."""
    chars = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(16))
    return "-".join(chars[start : start + 4] for start in range(0, 16, 4))


def _num_threads() -> int:
    return max(1, min(4, (os.cpu_count() or 1) // 2))


def _step_back() -> None:
    """Hashing gives way to the workers: on Linux a thread has a niceness of its own (setpriority(2))."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
