"""The running server as the verbs see it, and what the workers are told of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.accounts.callers import Caller
from wicket.accounts.cost import format_usd
from wicket.accounts.meters import Meter
from wicket.accounts.scopes import scopes_of
from wicket.accounts.usage_rows import DAY_MS
from wicket.accounts.windows import window_at
from wicket.config.schema import Config
from wicket.config.tasks import tasks_of
from wicket.errors import ConfigFault, Fault, OperatorFault, StoreFault
from wicket.store.contract import Store
from wicket.store.ledger_contract import Balances
from wicket.supervisor.allowances import Allowances
from wicket.supervisor.cascades import Cascades, write
from wicket.supervisor.credentials import CredentialFile
from wicket.supervisor.crew import Crew
from wicket.supervisor.engines import Engines
from wicket.supervisor.messages import (
    AddCaller,
    Checked,
    Committed,
    Configure,
    Examples,
    LedgerState,
    Records,
    RemoveCaller,
    SetCallers,
    ToWorker,
)
from wicket.supervisor.notifier import Notifier
from wicket.supervisor.recent import Recent
from wicket.supervisor.reception import Reception
from wicket.supervisor.sealkey import KEY_FILE, seal_key
from wicket.supervisor.settings import Settings, pending_restart
from wicket.supervisor.status import gauges, status_document
from wicket.supervisor.treasury import Treasury
from wicket.supervisor.upkeep import Upkeep
from wicket.supervisor.wards import Wards
from wicket.supervisor.worker import Worker

if TYPE_CHECKING:
    from wicket.supervisor.books import Books
    from wicket.supervisor.collector import Collector
    from wicket.supervisor.dues import Dues
    from wicket.supervisor.errands import Errands
    from wicket.supervisor.keeper import Keeper

_log = logging.getLogger("wicket.supervisor")

CASCADES_S = 1.0
COUNT_EVERY_S = 60.0

Spawn = Callable[[Coroutine[Any, Any, Any]], None]


class RunningHouse:
    """`verbs.House`. The table of callers lives here, so that every worker gets the same one, in order."""

    def __init__(self, settings: Settings, admin: Caller, url: str, home: Path, spawn: Spawn) -> None:
        self.settings = settings
        self.url = url
        self.home = home
        self.opened_with: Config = settings.config
        self.started_s = time.monotonic()
        self.crew: Crew
        self.engines: Engines
        self.books: Books | None = None
        self.opened_collector: Collector | None = None
        self.opened_keeper: Keeper | None = None
        self.dues: Dues | None = None
        self.errands: Errands | None = None
        self.cascades = Cascades(home)
        self.cascades.enact(settings.config, settings.cards)
        self._told_terms = self.cascades.message()
        self.wards = Wards(settings.config)
        self.treasury = Treasury()
        self.allowances = Allowances(self.treasury, self._redress)
        self.notifier = Notifier(lambda: self.store.ledger, lambda: self.settings.config.accounts.webhook)
        self.allowances.used_up = self._budget_used_up
        self.upkeep = Upkeep(
            lambda: self.store, lambda: self.settings.config.records.keep_days, self.credits_changed
        )
        self.reception = Reception(settings.config.accounts)
        self._admin = admin
        self._callers: dict[int, Caller] = {}
        self._reloading = asyncio.Lock()
        self._spawn = spawn

    @property
    def store(self) -> Store:
        """Keys and records."""
        return self._open_books().store

    @property
    def recent(self) -> Recent:
        """The newest records."""
        return self._open_books().recent

    @property
    def collector(self) -> Collector:
        """The examples."""
        if self.opened_collector is None:
            raise StoreFault("store_opening", "The database is being opened. Try again in a moment.")
        return self.opened_collector

    @property
    def keeper(self) -> Keeper:
        """What is kept."""
        if self.opened_keeper is None:
            raise StoreFault("store_opening", "The database is being opened. Try again in a moment.")
        return self.opened_keeper

    def caller(self, key_id: int) -> Caller | None:
        """A live key, the operator's among them."""
        found = self._admin if key_id == self._admin.key_id else self._callers.get(key_id)
        is_over = found is not None and 0 < found.expires_ms <= time.time() * 1_000
        return None if is_over else found

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.settings.config

    @property
    def credentials(self) -> CredentialFile:
        """Providers' keys that were put in."""
        return self.settings.credentials

    def lend(self, message: ToWorker) -> None:
        """Tell every worker of a caller that stands for another (`supervisor.errands`)."""
        if isinstance(message, AddCaller):
            message = AddCaller(self._dressed(message.caller))
        self.crew.tell(message)

    def tell(self, message: ToWorker) -> None:
        """Send to every worker, those that start later included."""
        if isinstance(message, AddCaller):
            self._callers[message.caller.key_id] = message.caller
            self.allowances.know(message.caller)
            message = AddCaller(self._dressed(message.caller))
        elif isinstance(message, RemoveCaller):
            self._callers.pop(message.key_id, None)
            if self.errands is not None:
                self.errands.forget(message.key_id)
        self.crew.tell(message)

    def status(self) -> dict[str, Any]:
        """Processes, engines, configuration, ledger."""
        return status_document(self)

    def metrics(self) -> str:
        """Prometheus' text."""
        return self._open_books().metrics.render(gauges(self))

    def shown_config(self) -> dict[str, Any]:
        """The configuration in force, secrets masked."""
        from wicket.config.load import show

        return show(self.settings.config)

    async def reload(self) -> dict[str, Any]:
        """Load the configuration again and enact it. Raises `ConfigFault`; nothing changes then."""
        async with self._reloading:
            before = self.settings.config
            try:
                is_changed = self.settings.reload()
            except ConfigFault as fault:
                _log.error("the configuration stays as it was, the new one is wrong:\n%s", fault.message)
                raise
            if is_changed:
                await self._enact(before)
            waiting = pending_restart(self.opened_with, self.settings.config)
            if waiting:
                _log.warning("%s: takes effect at the next start", ", ".join(waiting))
            return {"changed": is_changed, "version": self.settings.version, "needs_restart": waiting}

    def restart_workers(self) -> dict[str, Any]:
        """Begin a rolling restart. Raises `OperatorFault` while one is under way."""
        if self.crew.is_rolling:
            raise OperatorFault("restart_under_way", "A rolling restart is under way already.", status=409)
        self._spawn(self._roll())
        return {"restarting": self.crew.num_wanted}

    async def load_allowances(self, books: Books) -> None:
        """Limits and what was spent, of keys that ended too; before the writer begins."""
        self.allowances.attach(asyncio.get_running_loop())
        keys = await asyncio.to_thread(books.store.list_keys)
        await asyncio.to_thread(self.allowances.load, books.store, [key.caller() for key in keys])
        books.writer.subscribe(self.allowances.hear_commit)

    def open_books(self, books: Books, collector: Collector, callers: list[Caller]) -> None:
        """The database is open: from now on there are callers, and records and examples are taken."""
        self._callers = {caller.key_id: caller for caller in callers}
        self.books = books
        books.on_balances = self.learn
        self.opened_collector = collector
        collector.tasks = tasks_of(self.settings.config)
        self._declare()
        self.crew.tell(self.allowances.message())
        self.crew.tell(self._set_callers())

    def greet(self, worker: Worker) -> None:
        """A new worker hears everything that is in force, before anything else."""
        worker.channel.send(self._told_terms)
        worker.channel.send(self._configure())
        self.allowances.greet(worker)
        for engine in self.engines.current.values():
            worker.channel.send(engine.message())
        if self.books is not None:
            worker.channel.send(self._set_callers())
            if not self.books.writer.is_open:
                worker.channel.send(LedgerState(is_open=False))
        self.wards.greet(worker)

    def take(self, worker: Worker, message: Records) -> None:
        """Records from a worker; it hears when they are committed."""
        if self.books is None:
            return  # not confirmed, so the worker keeps them
        done = Committed(sequence=message.sequence)

        def confirm() -> None:
            worker.channel.send(done)
            self.allowances.committed(worker, message.settled)

        self.books.offer(message.records, confirm)

    def collect(self, message: Examples) -> None:
        """Examples from a worker."""
        if self.opened_collector is not None:
            self.opened_collector.offer(message)

    def check_came_out(self, message: Checked) -> None:
        """A worker has compared two answers: the mini may be worth less now."""
        self.cascades.take(message)
        self._tell_terms()

    async def watch_cascades(self) -> None:
        """For ever: what the ledger says of budgets is asked again each minute, the watch is kept on disk."""
        next_count_s = 0.0
        while True:
            await asyncio.sleep(CASCADES_S)
            if not self.cascades.standing:
                next_count_s = 0.0
                continue
            if self.books is not None and time.monotonic() >= next_count_s:
                next_count_s = time.monotonic() + COUNT_EVERY_S
                await self._count_cascades()
            await asyncio.to_thread(write, self.cascades.unsaved())

    async def _count_cascades(self) -> None:
        now_ms = int(time.time() * 1000)
        yesterday_ms = (now_ms // DAY_MS - 1) * DAY_MS
        by = ("day", "model", "deployment", "api")
        try:
            rows = await asyncio.to_thread(self.store.usage, by, yesterday_ms)
        except StoreFault as fault:
            _log.warning("cascades keep their floors, the ledger can't be read: %s", fault.message)
            return
        self.cascades.count(rows, now_ms)
        self._tell_terms()

    def _tell_terms(self) -> None:
        message = self.cascades.message()
        if message != self._told_terms:
            self._told_terms = message
            self.crew.tell(message)

    async def _enact(self, before: Config) -> None:
        config = self.settings.config
        self._declare()
        self.reception.table = config.accounts
        if self.opened_collector is not None:
            self.opened_collector.tasks = tasks_of(config)
        if self.opened_keeper is not None:
            self.opened_keeper.storage = config.storage
            self.opened_keeper.wake()
        retire = await self.engines.change(config.engines, before.server.drain_s)
        self.cascades.enact(config, self.settings.cards)
        self._tell_terms()
        self.wards.enact(before, config)
        self.tell(self._configure())
        self.wards.divide()
        for engine in self.engines.current.values():
            self.tell(engine.message())
        retire()
        self.crew.set_count(config.server.workers, round(config.server.drain_s * 1_000))
        _log.info("configuration %d is in force", self.settings.version)

    async def _roll(self) -> None:
        try:
            await self.crew.roll(round(self.settings.config.server.drain_s * 1_000))
        except Fault as fault:
            _log.error("%s", fault.message)
        else:
            _log.info("all workers are new")

    def _declare(self) -> None:
        """Names that the operator wrote get a label of their own in the metrics."""
        if self.books is not None:
            config = self.settings.config
            engines = [engine.deployment_id for engine in config.engines.values()]
            written = [id for model in config.models.values() for id in model.ids]
            self.books.metrics.declare(["mini", "auto", *config.models, *engines], [*engines, *written])

    def _configure(self) -> Configure:
        return Configure(
            self.settings.version,
            self.settings.encoded,
            engine_sockets=self.engines.sockets,
            seal_key=self._seal_key(),
        )

    def _seal_key(self) -> bytes:
        """The key of sealed ids, where such are given out, or were: what they name may be under way still."""
        is_old = (self.home / KEY_FILE).exists()
        storage = self.settings.config.storage
        if "provider" not in (storage.responses, storage.batches) and not is_old:
            return b""
        try:
            return seal_key(self.home)
        except OperatorFault as fault:
            _log.error("%s", fault.message)
            return b""

    def _set_callers(self) -> SetCallers:
        lent = self.errands.callers() if self.errands is not None else []
        callers = (self._admin, *self._callers.values(), *lent)
        return SetCallers([self._dressed(caller) for caller in callers])

    def _budget_used_up(self, meter: Meter, unix_ms: int) -> None:
        """A soft budget's crossing goes to the webhook, once for each of its windows."""
        begins_ms = window_at(meter.window, meter.zone, unix_ms)[0]
        facts = {
            "budget": meter.id,
            "scope": meter.scope,
            "per": meter.window,
            "model": meter.model,
            "usd": format_usd(meter.amount),
        }
        self._spawn(self._tell_webhook("budget.used_up", facts, f"{meter.id}@{begins_ms}"))

    async def _tell_webhook(self, kind: str, facts: dict[str, Any], once: str) -> None:
        try:
            await self.notifier.notify(kind, facts, once=once)
        except StoreFault as fault:
            _log.warning("the webhook is not told of %s: %s", kind, fault.message)

    def _dressed(self, caller: Caller) -> Caller:
        """The caller with what the workers must know of its money and its limits."""
        payer, meters = self.treasury.payer(caller), self.allowances.meters_of(caller)
        return msgspec.structs.replace(caller, payer=payer, meters=meters)

    def _redress(self) -> None:
        """Other meters count for callers than before."""
        if self.books is not None:
            self.crew.tell(self._set_callers())

    async def credits_changed(self, scopes: Sequence[str] | None = None) -> None:
        """Look these credits up again, or all, and tell who must know."""
        self.learn(await asyncio.to_thread(self.store.ledger.balances, scopes))

    def learn(self, balances: Balances) -> None:
        """What the ledger says of credits; callers with a new one hear of their new payer."""
        new = set(self.treasury.learn(balances))
        self.notifier.look_at(balances.of)
        for caller in self._callers.values() if new else ():
            if new & set(scopes_of(caller)):
                self.crew.tell(AddCaller(self._dressed(caller)))

    def _open_books(self) -> Books:
        if self.books is None:
            raise StoreFault("store_opening", "The database is being opened. Try again in a moment.")
        return self.books
