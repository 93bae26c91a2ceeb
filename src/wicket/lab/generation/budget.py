"""What may still be spent: held before a call, settled after it, so that calls at once can't overrun it."""

from __future__ import annotations

import asyncio

from wicket.lab.generation.plan import Spending


class Budget:
    """A bound that is None is none. Belongs to one loop."""

    def __init__(self, max_nanos: int | None, max_tokens: int | None, spent: Spending) -> None:
        self._max_nanos = max_nanos
        self._max_tokens = max_tokens
        self.spent = spent
        self.held = Spending()
        self._settled = asyncio.Event()

    async def hold(self, bound: Spending) -> bool:
        """Put `bound` by, waiting for calls under way if it takes that; False if there is too little left."""
        while not self._fits(self.spent + self.held + bound):
            if not self._fits(self.spent + bound) or self.held == Spending():
                return False
            self._settled.clear()
            await self._settled.wait()
        self.held += bound
        return True

    def settle(self, bound: Spending, used: Spending) -> None:
        """A call has ended and used so much."""
        self.held -= bound
        self.spent += used
        self._settled.set()

    def _fits(self, total: Spending) -> bool:
        return (self._max_nanos is None or total.nanos <= self._max_nanos) and (
            self._max_tokens is None or total.tokens <= self._max_tokens
        )
