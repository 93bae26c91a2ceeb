"""The supervisor: its parts put together, and what happens from the first process to the last."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.config.tasks import tasks_of
from wicket.errors import ConfigFault, Fault, OperatorFault, StoreFault
from wicket.supervisor.adminkey import AdminKey
from wicket.supervisor.announce import engine_line, setup_lines, start_message
from wicket.supervisor.children import Children
from wicket.supervisor.crew import Crew
from wicket.supervisor.engines import Command, EngineProcess, Engines
from wicket.supervisor.environment import for_child
from wicket.supervisor.home import RUN_FOLDER, HomeLock
from wicket.supervisor.house import RunningHouse
from wicket.supervisor.messages import (
    Ask,
    Checked,
    Digests,
    Examples,
    LaneHeld,
    LeaseNotes,
    LedgerState,
    Records,
    ToSupervisor,
    Turned,
)
from wicket.supervisor.settings import Settings
from wicket.supervisor.sign_up import has_owner
from wicket.supervisor.verb import now_ms
from wicket.supervisor.worker import Worker, WorkerCommand

if TYPE_CHECKING:
    from wicket.supervisor.batches import Batches
    from wicket.supervisor.books import Books
    from wicket.supervisor.collector import Collector

VERBS = "wicket.supervisor.verbs"
WATCH_S = 0.5
UNASKED_S = 1.0
ENGINE_GRACE_S = 5.0

_log = logging.getLogger("wicket.supervisor")


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """What was made ready before the loop: each part may have failed with one line and nothing to undo."""

    home: Path
    environ: Mapping[str, str]
    lock: HomeLock
    settings: Settings
    listener: socket.socket
    url: str
    admin: AdminKey
    engine_command: Command
    engine_environ: Mapping[str, str]
    worker_module: str


class Supervisor:
    """One per server; made inside the running loop. `run` returns the process's exit code."""

    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure = ""
        self._had_terminal = os.isatty(0)
        self._children = Children()
        self._batches: Batches | None = None
        self.house = RunningHouse(boot.settings, boot.admin.caller(), boot.url, boot.home, self._spawn)
        command = WorkerCommand(boot.listener, boot.home, for_child(boot.environ), boot.worker_module)
        self._crew = self.house.crew = Crew(self._children, command, self.house.greet, self._hear)
        self.house.wards.crew = self.house.allowances.crew = self._crew
        run_folder = boot.home / RUN_FOLDER
        self._engines = self.house.engines = Engines(
            self._children, boot.engine_command, boot.engine_environ, run_folder, self._engine_changed
        )

    async def run(self) -> int:
        """From the first process to the last."""
        config = self._boot.settings.config
        self._catch_signals()
        try:
            self._engines.start(config.engines)
            self._crew.set_count(config.server.workers, 0)
            await self._open()
            await self._until_ready()
            self._spawn(self._watch_files())
            self._spawn(self.house.watch_cascades())
            self._spawn(self.house.upkeep.watch())
            self._spawn(self.house.notifier.watch())
            self._spawn(self._crew.watch_pulses())
            self._spawn(self.house.wards.watch())
            self._spawn(self.house.allowances.watch())
            self._keep()
            self._spawn(self._read_verbs())
            await self._stop.wait()
        except Fault as fault:
            self._failure = fault.message
        return await self._close()

    async def _open(self) -> None:
        """Open the books while the processes load."""
        table = self._boot.settings.config.records

        def open_them() -> tuple[Books, Collector]:
            from wicket.supervisor.books import Books  # while the workers start, not before
            from wicket.supervisor.collector import Collector
            from wicket.supervisor.dues import Dues
            from wicket.supervisor.keeper import Keeper

            self.house.opened_keeper = Keeper(self._boot.home, self._boot.settings.config.storage)

            tasks = tasks_of(self._boot.settings.config)  # what has expired goes at once
            books = Books(self._boot.home, table, self._ledger_turned)
            self.house.dues = Dues(self.house.keeper, books, self._crew)
            return books, Collector(self._boot.home, tasks)

        books, collector = await asyncio.to_thread(open_them)
        callers = await asyncio.to_thread(books.live_callers, now_ms())
        await self.house.load_allowances(books)  # before anything more is committed
        books.start()
        collector.start()
        with suppress(StoreFault):  # what can't be written now is tried again by the upkeep
            await asyncio.to_thread(books.store.ledger.expire, now_ms())
        self.house.treasury.learn(await asyncio.to_thread(books.store.ledger.balances))
        self.house.open_books(books, collector, callers)
        if books.num_imported:
            _log.info("%d records came in from the spool", books.num_imported)

    async def _read_verbs(self) -> None:
        """Read what the administration needs: the first answers do without."""
        await asyncio.sleep(UNASKED_S)
        await asyncio.to_thread(importlib.import_module, VERBS)

    def _keep(self) -> None:
        """Let go of what is too old, and go on with batches."""
        from wicket.supervisor.batches import Batches
        from wicket.supervisor.errands import Errands

        house = self.house
        house.errands = Errands(self._boot.url, house.caller, house.lend)
        self._batches = Batches(house.keeper, house.errands)
        self._spawn(house.keeper.watch())
        self._spawn(self._batches.run())
        if house.dues is not None:
            self._spawn(house.dues.watch())

    async def _until_ready(self) -> None:
        """Wait for the first worker, then say where everything is. Raises `OperatorFault` without one."""
        stopping = asyncio.create_task(self._stop.wait())
        signs: list[asyncio.Future[Any]] = [self._crew.first_ready, stopping]
        await asyncio.wait(signs, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        if not self._crew.first_ready.done():
            return
        self._crew.first_ready.result()
        boot = self._boot
        facts = {"pid": os.getpid(), "url": boot.url, "admin_key_file": str(boot.admin.file)}
        boot.lock.write_server_file(facts)
        say(start_message(boot.settings.config, boot.url, boot.admin, boot.home))
        if not await asyncio.to_thread(self.house.store.look, has_owner):
            say(setup_lines(boot.url, self.house.reception.setup_code))
        for engine in self._engines.current.values():
            say(engine_line(engine.spec, engine.readiness, engine.load_s))

    async def _close(self) -> int:
        server = self._boot.settings.config.server
        self._boot.listener.close()
        if self._batches is not None:
            self._batches.is_closing = True
        num_busy = sum(worker.load.in_flight for worker in self._crew.workers)
        if num_busy:
            say(f"Finishing {num_busy} requests within {server.drain_s:g} s; a second Ctrl-C stops at once.")
        await self._crew.close(round(server.drain_s * 1_000), self._hurry)
        if self._batches is not None:
            await self._batches.rest()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.house.books is not None:
            await asyncio.to_thread(self.house.books.close)
        if self.house.opened_collector is not None:
            await asyncio.to_thread(self.house.opened_collector.stop)
        if self.house.errands is not None:
            await self.house.errands.close()
        if self.house.opened_keeper is not None:
            await asyncio.to_thread(self.house.opened_keeper.close)
        await asyncio.to_thread(self.house.cascades.save)
        self.house.reception.close()
        await self._engines.close(1.0 if self._hurry.is_set() else ENGINE_GRACE_S)
        self._children.close()
        if self._failure:
            print(f"wicket: {self._failure}", file=sys.stderr)
            return 1
        return 0

    # what workers and engines say

    def _hear(self, worker: Worker, message: ToSupervisor) -> None:
        if isinstance(message, Records):
            self.house.take(worker, message)
        elif isinstance(message, Examples):
            self.house.collect(message)
        elif isinstance(message, Ask):
            self._spawn(self._answer(worker, message))
        elif isinstance(message, Checked):
            self.house.check_came_out(message)
        elif isinstance(message, LeaseNotes):
            self.house.allowances.hear(worker, message.notes)
        elif isinstance(message, Turned | Digests | LaneHeld):
            self.house.wards.hear(worker, message)

    async def _answer(self, worker: Worker, ask: Ask) -> None:
        from wicket.supervisor.verbs import answer

        worker.channel.send(await answer(self.house, ask))

    def _engine_changed(self, engine: EngineProcess) -> None:
        self.house.tell(engine.message())
        if self._crew.first_ready.done():
            say(engine_line(engine.spec, engine.readiness, engine.load_s))

    def _ledger_turned(self, is_open: bool) -> None:
        _log.log(
            logging.INFO if is_open else logging.ERROR, "the ledger is %s", "open" if is_open else "full"
        )
        self.house.tell(LedgerState(is_open=is_open))

    # what the operator says

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        loop.add_signal_handler(signal.SIGUSR2, self._on_restart)

    def _ask_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _on_hangup(self) -> None:
        """SIGHUP means reload, but it also comes when the terminal that we were started in goes away."""
        if self._had_terminal and not _has_terminal():
            self._ask_to_stop()
        else:
            self._spawn(self._reload_quietly())

    def _on_restart(self) -> None:
        try:
            self.house.restart_workers()
        except OperatorFault as fault:
            _log.warning("%s", fault.message)

    async def _reload_quietly(self) -> None:
        try:
            await self.house.reload()
        except ConfigFault:
            pass  # the house has said so

    async def _watch_files(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            if self._boot.settings.have_changed():
                await self._reload_quietly()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def say(text: str) -> None:
    """Tell the person at the terminal; one who has gone does not stop the server."""
    try:
        print(text, flush=True)
    except OSError:
        pass


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
