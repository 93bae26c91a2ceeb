"""Health and lanes between the workers: turns go on at once, everything else once a second."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from wicket.config.schema import Config
from wicket.supervisor.board import Board
from wicket.supervisor.messages import Digests, LaneHeld, LaneShare, Turned
from wicket.supervisor.shares import Shares

if TYPE_CHECKING:
    from wicket.supervisor.crew import Crew
    from wicket.supervisor.worker import Worker

ROUND_S = 1.0


class Wards:
    """Hears the workers and tells them; `crew` is set before the first of them starts."""

    def __init__(self, config: Config) -> None:
        self.crew: Crew
        self.board = Board()
        self.waiting: dict[str, dict[int, int]] = {}  # provider → worker → requests that wait for room
        self.running: dict[str, dict[int, int]] = {}
        self.lanes: dict[str, Shares] = {}
        self._limit(config)

    def enact(self, before: Config, config: Config) -> None:
        """Another configuration: of providers that changed nothing is known any more."""
        self.board.forget([n for n, each in before.providers.items() if config.providers.get(n) != each])
        self._limit(config)

    def greet(self, worker: Worker) -> None:
        """A new worker hears what is open, and its shares."""
        turns = self.board.standing(_now_us())
        if turns:
            worker.channel.send(Turned(turns))
        self.divide()

    def hear(self, worker: Worker, message: Turned | Digests | LaneHeld) -> None:
        """What a worker says."""
        match message:
            case Turned(turns=turns):
                now_us = _now_us()
                for turn in turns:
                    self.board.turn(turn, now_us)
                for other in self.crew.workers:
                    if other is not worker:
                        other.channel.send(message)
            case Digests():
                self.board.take(worker.index, message.digests)
                for provider, lane in self.lanes.items():
                    waiting, running = message.waiting.get(provider, 0), message.running.get(provider, 0)
                    self.waiting.setdefault(provider, {})[worker.index] = waiting
                    self.running.setdefault(provider, {})[worker.index] = running
                    lane.note_demand(worker.index, running + waiting)
            case LaneHeld(provider=provider, held=held, serial=serial):
                found = self.lanes.get(provider)
                if found is not None:
                    found.confirm(worker.index, held, serial)
                    self.divide()

    def round(self) -> None:
        """Once a second."""
        workers = {worker.index: worker for worker in self.crew.workers}
        self.board.set_workers(workers)
        for counts in (*self.waiting.values(), *self.running.values()):
            for index in [index for index in counts if index not in workers]:
                del counts[index]
        told = self.board.round()
        if len(workers) > 1:
            for index, digests in told.items():
                workers[index].channel.send(Digests(digests))
        for lane in self.lanes.values():
            lane.rotate()
        self.divide()

    def divide(self) -> None:
        """Tell each worker its shares, where they changed."""
        if not self.lanes:
            return
        workers = {worker.index: worker for worker in self.crew.workers}
        leaving = {index: worker.is_leaving for index, worker in workers.items()}
        for provider, lane in self.lanes.items():
            lane.set_workers(leaving)
            for order in lane.divide():
                workers[order.worker].channel.send(LaneShare(provider, order.limit, order.serial))

    async def watch(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(ROUND_S)
            self.round()

    def lanes_now(self) -> list[dict[str, Any]]:
        """Every provider with a limit: its places, how many are taken, how many requests wait."""
        return [
            {
                "provider": provider,
                "max_concurrent": lane.limit,
                "running": sum(self.running.get(provider, {}).values()),
                "waiting": sum(self.waiting.get(provider, {}).values()),
            }
            for provider, lane in self.lanes.items()
        ]

    def _limit(self, config: Config) -> None:
        limits = {name: each.max_concurrent for name, each in config.providers.items() if each.max_concurrent}
        self.lanes = {name: self.lanes.get(name) or Shares(limit) for name, limit in limits.items()}
        for name, limit in limits.items():
            self.lanes[name].limit = limit
        self.waiting = {name: each for name, each in self.waiting.items() if name in limits}
        self.running = {name: each for name, each in self.running.items() if name in limits}


def _now_us() -> int:
    return time.monotonic_ns() // 1_000
