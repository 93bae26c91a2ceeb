"""All workers: kept alive, counted up and down, restarted one after the other, drained together."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from wicket.errors import OperatorFault
from wicket.supervisor.backoff import Backoff
from wicket.supervisor.channel import pack
from wicket.supervisor.children import Children
from wicket.supervisor.messages import ToSupervisor, ToWorker
from wicket.supervisor.worker import Worker, WorkerCommand, start_worker

NUM_INDEXES = 127  # a request id has 7 bits for the worker; the last is the app's own
READY_LIMIT_S = 60.0
HOPELESS_STARTS = 4  # so many dead workers in one place before the first was ready end the start
TICK_S = 1.0
LATE_S = 2.0  # a worker that is still there this long after its deadline is killed

_log = logging.getLogger("wicket.supervisor")


class Slot:
    """A place that should always have a worker in it."""

    def __init__(self) -> None:
        self.worker: Worker | None = None
        self.backoff = Backoff()


class Crew:
    """The workers of one supervisor. `greet` is called with each new one, before anything else is sent."""

    def __init__(
        self,
        children: Children,
        command: WorkerCommand,
        greet: Callable[[Worker], None],
        hear: Callable[[Worker, ToSupervisor], None],
    ) -> None:
        self._children = children
        self._command = command
        self._greet = greet
        self._hear = hear
        self._living: dict[int, Worker] = {}
        self._slots: list[Slot] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_index = 0
        self._rolling = asyncio.Lock()
        self.restarts = 0
        self.is_closing = False
        self.first_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def workers(self) -> list[Worker]:
        """Everybody alive, draining ones included."""
        return list(self._living.values())

    @property
    def num_wanted(self) -> int:
        """How many should be at work."""
        return len(self._slots)

    @property
    def is_rolling(self) -> bool:
        """Whether a rolling restart is under way."""
        return self._rolling.locked()

    def tell(self, message: ToWorker) -> None:
        """Send to everybody; the message is packed once."""
        data = pack(message)
        for worker in self.workers:
            worker.channel.send_packed(data)

    def set_count(self, wanted: int, drain_ms: int) -> None:
        """Have `wanted` workers: new ones start at once, surplus ones drain."""
        while len(self._slots) < wanted:
            slot = Slot()
            self._slots.append(slot)
            self._spawn(self._fill(slot))
        while len(self._slots) > wanted:
            worker = self._slots.pop().worker
            if worker is not None:
                self._spawn(self._retire(worker, drain_ms))

    async def roll(self, drain_ms: int) -> None:
        """Replace every worker, one after the other; the old one goes when the new one is ready.

        Raises `OperatorFault` when a new worker does not get ready: the old ones then stay.
        """
        async with self._rolling:
            for slot in tuple(self._slots):
                if self._wants(slot):
                    await self._replace(slot, drain_ms)

    async def watch_pulses(self) -> None:
        """Kill workers that hang, for ever; each is replaced like any that dies."""
        while True:
            await asyncio.sleep(TICK_S)
            for worker in self.workers:
                if worker.pulse.tick() and worker.state == "ready":
                    _log.error("worker %d (process %d) hangs and is ended", worker.index, worker.child.pid)
                    worker.child.send(signal.SIGKILL)

    async def close(self, drain_ms: int, hurry: asyncio.Event) -> None:
        """Drain everybody within `drain_ms`; when `hurry` is set, at once."""
        self.is_closing = True
        leaving = [self._spawn(self._retire(worker, drain_ms)) for worker in self.workers]
        rushing = asyncio.create_task(self._rush(hurry))
        if leaving:
            await asyncio.wait(leaving)
        rushing.cancel()
        if not self.first_ready.done():
            self.first_ready.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(rushing, *self._tasks, return_exceptions=True)

    async def _fill(self, slot: Slot) -> None:
        """Put a worker into a slot and watch it; when none can be started, try again later."""
        while self._wants(slot):
            try:
                worker = await self._start()
            except OSError as error:
                _log.error("a worker can't be started: %s", error)
                await asyncio.sleep(slot.backoff.after(0))
                continue
            self._seat(slot, worker)
            return

    def _seat(self, slot: Slot, worker: Worker) -> None:
        slot.worker = worker
        self._spawn(self._watch(slot, worker))

    async def _watch(self, slot: Slot, worker: Worker) -> None:
        code = await worker.ended()
        if worker.is_leaving or slot.worker is not worker or not self._wants(slot):
            return
        delay_s = slot.backoff.after(worker.child.lived_s)
        self.restarts += 1
        why = f" ({worker.channel.fault})" if worker.channel.fault else ""
        when = f"in {delay_s:g} s" if delay_s else "now"
        what = f"worker {worker.index} (process {worker.child.pid}) {describe_exit(code)}{why}"
        _log.error("%s; a new one starts %s", what, when)
        if slot.backoff.failures >= HOPELESS_STARTS and not self.first_ready.done():
            message = "No worker gets ready; the messages above say why."
            self.first_ready.set_exception(OperatorFault("no_worker", message))
        await asyncio.sleep(delay_s)
        if slot.worker is worker:
            await self._fill(slot)

    async def _start(self) -> Worker:
        worker, control = start_worker(self._children, self._command, self._free_index())
        self._living[worker.index] = worker
        self._greet(worker)
        self._spawn(self._bury(worker))
        await worker.listen(control, self._on_message)
        return worker

    async def _replace(self, slot: Slot, drain_ms: int) -> None:
        fresh = await self._start()
        signs: list[asyncio.Future[Any]] = [fresh.ready, fresh.child.ended]
        await asyncio.wait(signs, timeout=READY_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._wants(slot):
            await self._retire(fresh, drain_ms)
            return
        if fresh.state != "ready":
            fresh.child.send(signal.SIGKILL)
            raise OperatorFault(
                "restart_failed", "A new worker did not get ready; the old ones stay. Its messages say why."
            )
        old = slot.worker
        self._seat(slot, fresh)
        if old is not None:
            self._spawn(self._retire(old, drain_ms))

    async def _retire(self, worker: Worker, drain_ms: int) -> None:
        is_serving = worker.ready.done()
        worker.drain(drain_ms)
        if is_serving:
            await worker.child.wait(drain_ms / 1000 + LATE_S)
        else:
            await worker.child.end(LATE_S)  # it has nothing under way yet
        await worker.ended()

    async def _rush(self, hurry: asyncio.Event) -> None:
        await hurry.wait()
        for worker in self.workers:
            worker.drain(0)
        await asyncio.sleep(LATE_S)
        for worker in self.workers:
            worker.child.send(signal.SIGKILL)

    async def _bury(self, worker: Worker) -> None:
        await worker.ended()
        self._living.pop(worker.index, None)

    def _on_message(self, worker: Worker, message: ToSupervisor) -> None:
        if worker.ready.done() and not self.first_ready.done():
            self.first_ready.set_result(None)
        self._hear(worker, message)

    def _wants(self, slot: Slot) -> bool:
        return slot in self._slots and not self.is_closing

    def _free_index(self) -> int:
        while self._next_index in self._living:
            self._next_index = (self._next_index + 1) % NUM_INDEXES
        index = self._next_index
        self._next_index = (index + 1) % NUM_INDEXES
        return index

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
