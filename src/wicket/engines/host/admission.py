"""How many requests an engine takes at once: so many run, so many wait, the rest are told when to return."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from wicket.errors import BusyFault

_MAX_RETRY_MS = 60_000


class Gate:
    """A bounded queue before `slots` places, first come, first served."""

    def __init__(self, slots: int, queue: int) -> None:
        self._slots = self._free = slots
        self._bound = slots + queue
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._mean_s = 1.0
        self.num_inside = 0

    @property
    def is_full(self) -> bool:
        """Whether whoever comes now is told to come again."""
        return self.num_inside >= self._bound

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be counted, from before the wait until the answer's end. Raises `BusyFault` when it is full."""
        if self.is_full:
            queued = self._bound - self._slots
            message = f"The model is busy: {self._slots} requests run and {queued} wait. Try again later."
            raise BusyFault("engine_queue_full", message, retry_after_ms=self._retry_after_ms())
        self.num_inside += 1
        try:
            yield
        finally:
            self.num_inside -= 1

    @asynccontextmanager
    async def places(self, count: int) -> AsyncIterator[None]:
        """Hold `count` places (at most all of them), after those who came before."""
        count = min(count, self._slots)
        await self._take(count)
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        try:
            yield
        finally:
            self._mean_s += 0.2 * (loop.time() - start_s - self._mean_s)
            self._give(count)

    async def _take(self, count: int) -> None:
        if not self._waiting and self._free >= count:
            self._free -= count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(count)
            else:
                self._waiting.remove((count, turn))
                self._give(0)
            raise

    def _give(self, count: int) -> None:
        self._free += count
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)

    def _retry_after_ms(self) -> int:
        """About how long until the queue has moved by one round."""
        return max(1000, min(_MAX_RETRY_MS, int(1000 * self._mean_s)))
