"""The examples' one writer: scrubs what the workers collected and commits it, in a thread of its own.

Examples are material, not money: what does not fit the queue, what the disk does not take and what can't be
scrubbed is counted and forgotten. Nothing here is waited for by a request or by the ledger; the thread leaves
the processor to others for as long as it has worked, and stops writing while little room is left on the disk,
so that the ledger's room is never taken. The database is made when there is a first thing to keep.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from wicket.accounts.example import Example
from wicket.config.schema import TaskTable
from wicket.errors import Fault, StoreFault
from wicket.guardrails.contract import module
from wicket.guardrails.examples import Unfit, scrubbed, scrubbed_text
from wicket.store.examples import SqliteExamples
from wicket.store.examples_contract import ExampleStore
from wicket.supervisor.messages import Examples

DATABASE_FILE = "examples.db"
MAX_QUEUED_BYTES = 32 * 1024 * 1024
RESERVE_BYTES = 256 * 1024 * 1024  # room on the disk that is left to the ledger
BATCH = 50  # examples scrubbed and committed at once
EXPIRE_S = 3_600.0
NEVER_S = threading.TIMEOUT_MAX
RETRY_S = 5.0  # after a fault nothing is tried for so long
QUEUE_FULL, NO_DATABASE, DISK_LOW, UNREADABLE = "queue_full", "database", "disk_low", "unreadable"
REFUSED = "refused"  # by the caller: not dropped by us
_MAX_REST_S = 0.5
_DAY_MS = 86_400_000
_PLAIN_TASK = TaskTable()
_log = logging.getLogger("wicket.collector")

T = TypeVar("T")


class Job(NamedTuple):
    """What is to be done once `after` examples were taken in hand."""

    after: int
    function: Callable[[ExampleStore], object]
    done: Future[object]


class CollectorCounters(msgspec.Struct):
    """Since the start: examples written by task, and what was not kept, by the reason."""

    written: Counter[str] = msgspec.field(default_factory=Counter)
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    num_queued: int = 0
    num_expired: int = 0
    num_faults: int = 0


class Collector:
    """Takes examples from any thread; `do` runs deletions and the like in order behind them."""

    def __init__(
        self,
        home: Path,
        tasks: Mapping[str, TaskTable],
        *,
        reserve_bytes: int = RESERVE_BYTES,
        is_expiring: bool = True,
    ) -> None:
        self.path = home / DATABASE_FILE
        self.tasks = tasks
        self.counters = CollectorCounters()
        self.last_fault: Fault | None = None
        self._reserve_bytes = reserve_bytes
        self._store: SqliteExamples | None = None
        self._opening = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: deque[Example] = deque()
        self._queued_bytes = self._num_offered = self._num_taken = 0
        self._jobs: deque[Job] = deque()
        self._is_stopping = False
        self._next_expiry_s = 0.0 if is_expiring else NEVER_S
        self._blocked_until_s = 0.0
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        """Begin; what has outlived its retention goes first."""
        self._thread.start()

    def offer(self, message: Examples) -> None:
        """Take what a worker collected. Neither blocks on the disk nor raises."""
        with self._changed:
            self.counters.left_out.update(message.left_out)
            for example in message.examples:
                size = len(example.request) + len(example.answer)
                if self._queued_bytes + size > MAX_QUEUED_BYTES or self._is_stopping:
                    self.counters.left_out[QUEUE_FULL] += 1
                    continue
                self._waiting.append(example)
                self._queued_bytes += size
                self._num_offered += 1
            self.counters.num_queued = len(self._waiting)
            self._changed.notify()

    def do(self, job: Callable[[ExampleStore], T]) -> T:
        """Run `job` on the store once everything offered before is written; blocks. Raises its fault."""
        done: Future[object] = Future()
        with self._changed:
            if self._is_stopping or not self._thread.is_alive():
                raise StoreFault("store_closed", f"{self.path} is closed already.")
            self._jobs.append(Job(self._num_offered, job, done))
            self._changed.notify()
        return done.result()  # type: ignore[return-value]

    @property
    def state(self) -> str:
        """ "idle" (nothing kept yet), "open" or "fault"."""
        if self.last_fault is not None:
            return "fault"
        return "idle" if self._store is None else "open"

    def read(self) -> ExampleStore | None:
        """The store, for reading from any thread; None while there is nothing in it. Raises `StoreFault`."""
        return self._open() if self._store is not None or self.path.exists() else None

    def scrub_text(self, task: str, text: str) -> str:
        """A correction, rewritten as the task's examples are."""
        return scrubbed_text(text, self._scrubs(task))

    def stop(self, timeout_s: float = 5.0) -> None:
        """Write what waits, as far as that can be done in time, and close."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        with self._changed:
            if self._waiting:
                _log.warning("%d examples that waited are not kept", len(self._waiting))
                self._num_taken += len(self._waiting)
                self._waiting.clear()
        if self._thread.is_alive():
            self._thread.join(1.0)
        if self._store is not None:
            self._store.close()

    # the thread

    def _run(self) -> None:
        while True:
            batch, jobs = self._wait()
            began = time.monotonic()
            try:
                if batch:
                    self._write(batch)
                for job in jobs:
                    self._perform(job)
                self._expire_if_due()
            except Exception:  # whatever it is, the thread lives
                _log.exception("the collector failed inside")
            with self._changed:  # what was offered meanwhile is still to be written
                if self._is_stopping and not self._waiting and not self._jobs:
                    return
            if batch and not self._is_stopping:
                self._rest(min(time.monotonic() - began, _MAX_REST_S))

    def _wait(self) -> tuple[list[Example], list[Job]]:
        """Some examples, and the jobs for which no example is left that was offered before them."""
        with self._changed:
            if not (self._waiting or self._jobs or self._is_stopping):
                self._changed.wait(max(0.0, self._next_expiry_s - time.monotonic()))
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._queued_bytes -= sum(len(example.request) + len(example.answer) for example in batch)
            self.counters.num_queued = len(self._waiting)
            self._num_taken += len(batch)
            jobs: list[Job] = []
            while self._jobs and self._jobs[0].after <= self._num_taken:
                jobs.append(self._jobs.popleft())
            return batch, jobs

    def _rest(self, seconds: float) -> None:
        """Half of the time belongs to others, unless somebody waits for a job."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._jobs) or self._is_stopping, seconds)

    def _write(self, batch: Sequence[Example]) -> None:
        if time.monotonic() < self._blocked_until_s:
            self.counters.left_out[NO_DATABASE] += len(batch)
            return
        if self._is_disk_low():
            self.counters.left_out[DISK_LOW] += len(batch)
            return
        clean = [example for example in map(self._scrubbed, batch) if example is not None]
        try:
            self._open().insert(clean)
        except Fault as fault:
            self._note(fault)
            self.counters.left_out[NO_DATABASE] += len(clean)
            return
        if self.last_fault is not None:
            _log.warning("examples are kept again")
            self.last_fault = None
        self.counters.written.update(example.task for example in clean)

    def _scrubbed(self, example: Example) -> Example | None:
        try:
            request, answer = scrubbed(example.request, example.answer, self._scrubs(example.task))
        except Unfit as fault:
            self.counters.left_out[fault.code] += 1
            return None
        except Exception as error:  # a defect of ours loses an example and tells nothing of it
            _log.error("an example could not be scrubbed: %s", type(error).__name__)
            self.counters.left_out[UNREADABLE] += 1
            return None
        return msgspec.structs.replace(example, request=request, answer=answer)

    def _scrubs(self, task: str) -> list[Callable[[Sequence[str]], list[str]]]:
        return [module(name).scrub for name in self.tasks.get(task, _PLAIN_TASK).scrub]

    def _perform(self, job: Job) -> None:
        try:
            job.done.set_result(job.function(self._open()))
        except BaseException as error:  # who waits hears it
            job.done.set_exception(error)

    def _expire_if_due(self) -> None:
        if time.monotonic() < self._next_expiry_s:
            return
        self._next_expiry_s = time.monotonic() + EXPIRE_S
        try:
            store = self.read()
            if store is not None:
                self.counters.num_expired += expire(store, self.tasks, int(time.time() * 1_000))
        except Fault as fault:
            self.counters.num_faults += 1
            _log.error("examples that are too old could not be deleted: %s", fault.message)

    def _open(self) -> SqliteExamples:
        with self._opening:
            if self._store is None:
                self._store = SqliteExamples(self.path)
            return self._store

    def _note(self, fault: Fault) -> None:
        self.counters.num_faults += 1
        self._blocked_until_s = time.monotonic() + RETRY_S
        if self.last_fault is None:
            _log.error("no example is kept: %s", fault.message)
        self.last_fault = fault

    def _is_disk_low(self) -> bool:
        try:
            room = os.statvfs(self.path.parent)
        except OSError:
            return False
        return room.f_bavail * room.f_frsize < self._reserve_bytes


def expire(store: ExampleStore, tasks: Mapping[str, TaskTable], now_ms: int) -> int:
    """Delete what is older than its task's retention, and say how many examples that were.

    A task that is configured no more keeps to the default, and so does what was said of other requests.
    """
    num_gone = 0
    for count in store.counts():
        days = tasks.get(count.task, _PLAIN_TASK).retention_days
        num_gone += store.expire(count.task, max(0, now_ms - round(days * _DAY_MS)))
    store.expire_feedback(max(0, now_ms - round(_PLAIN_TASK.retention_days * _DAY_MS)))
    return num_gone
