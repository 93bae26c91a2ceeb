"""A bounded number of places at one provider, and a queue before them that is fair between callers. Pure.

Round robin over callers, first come first served within one. When the queue is full, whoever waits last in
the longest line makes room for a caller with a shorter one: nobody fills the queue for everybody.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

W = TypeVar("W")


class Lane(Generic[W]):
    """`limit` places, `max_waiting` waiters; a caller is named by a number."""

    def __init__(self, limit: int, max_waiting: int) -> None:
        self.limit = limit
        self.max_waiting = max_waiting
        self.num_running = 0
        self.num_waiting = 0
        self._lines: dict[int, deque[W]] = {}  # in the order of the callers' turns

    @property
    def has_room(self) -> bool:
        """Whether one more would run at once."""
        return self.num_running < self.limit and not self.num_waiting

    @property
    def num_held(self) -> int:
        """How many places are taken or may be: above `limit` while a smaller limit has not come about yet."""
        return max(self.limit, self.num_running)

    def take(self) -> bool:
        """Take a place, if one is free and nobody waits for it."""
        if not self.has_room:
            return False
        self.num_running += 1
        return True

    def wait(self, caller: int, waiter: W) -> W | None:
        """Queue up. Returns who has to leave for it: nobody, somebody else, or `waiter` itself."""
        line = self._lines.get(caller)
        displaced: W | None = None
        if self.num_waiting >= self.max_waiting:
            longest = max(self._lines, key=lambda each: len(self._lines[each]), default=caller)
            num_own = 0 if line is None else len(line)
            if longest == caller or len(self._lines[longest]) <= num_own + 1:
                return waiter
            displaced = self._lines[longest].pop()
            self.num_waiting -= 1
        if line is None:
            line = self._lines[caller] = deque()
        line.append(waiter)
        self.num_waiting += 1
        return displaced

    def free(self) -> W | None:
        """A place is given back; whoever has it now, if anybody."""
        self.num_running -= 1
        return self._next()

    def resize(self, limit: int) -> list[W]:
        """Another limit; who may run now because of it."""
        self.limit = limit
        started: list[W] = []
        while (waiter := self._next()) is not None:
            started.append(waiter)
        return started

    def remove(self, caller: int, waiter: W) -> bool:
        """Leave the queue; False if it was not in it."""
        line = self._lines.get(caller)
        if line is None or waiter not in line:
            return False
        line.remove(waiter)
        if not line:
            del self._lines[caller]
        self.num_waiting -= 1
        return True

    def clear(self) -> list[W]:
        """Send everybody away who waits."""
        waiters = [waiter for line in self._lines.values() for waiter in line]
        self._lines.clear()
        self.num_waiting = 0
        return waiters

    def _next(self) -> W | None:
        if not self.num_waiting or self.num_running >= self.limit:
            return None
        caller, line = next(iter(self._lines.items()))
        waiter = line.popleft()
        del self._lines[caller]
        if line:
            self._lines[caller] = line  # its next turn comes after everybody else's
        self.num_waiting -= 1
        self.num_running += 1
        return waiter
