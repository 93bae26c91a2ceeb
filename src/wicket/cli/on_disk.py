"""Administration without a server: the database opened by the command itself, under the server's own lock.

It asks the supervisor's own verbs, so that both ways answer alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from wicket.accounts.request_ids import parse_id
from wicket.errors import CallerFault, OperatorFault
from wicket.server.admin_query import NewKey, log_filter, parse_body, span_query, usage_query
from wicket.server.admin_shapes import now_ms, record_json, records_json, report_json, savings_json
from wicket.server.example_query import NewFeedback, erase_query, examples_query
from wicket.server.example_shapes import example_json
from wicket.store.contract import Store
from wicket.supervisor.home import HomeLock, default_home, prepare
from wicket.supervisor.messages import ToWorker
from wicket.supervisor.recent import Recent
from wicket.supervisor.verbs import VERBS
from wicket.wire.json import encode

if TYPE_CHECKING:
    from wicket.supervisor.collector import Collector
    from wicket.supervisor.keeper import Keeper

OPERATOR = 0  # the admin key's id: whoever may open the database is the operator


class Desk:
    """`supervisor.verb.House` with nobody else in it."""

    def __init__(self, store: Store, home: Path) -> None:
        self.store = store
        self.recent = Recent()
        self._home = home
        self._collector: Collector | None = None
        self._keeper: Keeper | None = None

    @property
    def collector(self) -> Collector:
        """The examples. Nothing expires here: how long they may be kept is in the server's configuration."""
        if self._collector is None:
            from wicket.supervisor.collector import Collector  # most commands need none

            self._collector = Collector(self._home, {}, is_expiring=False)
            self._collector.start()
        return self._collector

    @property
    def keeper(self) -> Keeper:
        """What is kept. Nothing expires here either."""
        if self._keeper is None:
            from wicket.config.schema import StorageTable
            from wicket.supervisor.keeper import Keeper  # most commands need none

            self._keeper = Keeper(self._home, StorageTable())
        return self._keeper

    def close(self) -> None:
        """Let go of the databases."""
        if self._keeper is not None:
            self._keeper.close()
        if self._collector is not None:
            self._collector.stop()
        self.store.close()

    def tell(self, message: ToWorker) -> None:
        """There is no worker to tell."""

    def status(self) -> dict[str, Any]:
        """See `House`."""
        raise _needs_server()

    def metrics(self) -> str:
        """See `House`."""
        raise _needs_server()

    def shown_config(self) -> dict[str, Any]:
        """See `House`."""
        raise _needs_server()

    async def reload(self) -> dict[str, Any]:
        """See `House`."""
        raise _needs_server()

    def restart_workers(self) -> dict[str, Any]:
        """See `House`."""
        raise _needs_server()


class OnDisk:
    """`cli.administration.Administration` over databases that nobody else writes."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def create_key(self, new: dict[str, Any]) -> dict[str, Any]:
        """See `Administration`."""
        wanted = parse_body(encode(new), NewKey)
        return dict(self._ask("keys.create", wanted.arguments(now_ms())))

    def list_keys(self) -> list[dict[str, Any]]:
        """See `Administration`."""
        return list(self._ask("keys.list", {}))

    def revoke_key(self, id: str) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._ask("keys.revoke", {"id": id}))

    def usage(self, query: Mapping[str, str]) -> dict[str, Any]:
        """See `Administration`."""
        wanted = usage_query(query, now_ms())
        return report_json(self._ask("usage", msgspec.to_builtins(wanted)))

    def savings(self, query: Mapping[str, str]) -> dict[str, Any]:
        """See `Administration`."""
        return savings_json(self._ask("savings", msgspec.to_builtins(span_query(query, now_ms()))))

    def logs(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """See `Administration`."""
        wanted = log_filter(query, now_ms())
        return records_json(self._ask("logs", msgspec.to_builtins(wanted))["records"])

    def follow(self, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """See `Administration`: without a server nothing comes in."""
        raise _needs_server()

    def request(self, id: str) -> dict[str, Any]:
        """See `Administration`."""
        record = self._ask("requests.get", {"id": parse_id(id)})
        if record is None:
            raise CallerFault("unknown_request", f"There is no request {id}.", status=404, param="id")
        return record_json(record)

    def backup(self, path: str) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._ask("backup", {"path": path}))

    def examples(self, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """See `Administration`."""
        wanted = examples_query(query, now_ms())
        last = -1
        while last:
            found = self._ask("examples.page", {**wanted, "after_id": max(0, last)})
            yield from map(example_json, found["rows"])
            last = found["last"]

    def erase(self, query: Mapping[str, str]) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._ask("examples.erase", erase_query(query)))

    def tasks(self) -> list[dict[str, Any]]:
        """See `Administration`."""
        return list(self._ask("tasks.list", {}))

    def feedback(self, said: dict[str, Any]) -> dict[str, Any]:
        """See `Administration`."""
        return dict(self._ask("feedback.add", parse_body(encode(said), NewFeedback).arguments()))

    def _ask(self, verb: str, arguments: dict[str, Any]) -> Any:
        async def ask() -> Any:
            return await VERBS[verb](self._desk, arguments, OPERATOR)

        return asyncio.run(ask())


@contextmanager
def open_disk(environ: Mapping[str, str]) -> Iterator[OnDisk]:
    """The data folder's database. Raises `OperatorFault` while a server holds it, else `StoreFault`."""
    from wicket.store.sqlite import SqliteStore
    from wicket.supervisor.books import DATABASE_FILE, SPOOL_FOLDER
    from wicket.supervisor.ledger import spool_import

    home = default_home(environ)
    prepare(home)
    lock = HomeLock(home)
    try:
        desk = Desk(SqliteStore(home / DATABASE_FILE), home)
        try:
            spool_import(home / SPOOL_FOLDER, desk.store)  # what a killed server left counts too
            yield OnDisk(desk)
        finally:
            desk.close()
    finally:
        lock.release()


def _needs_server() -> OperatorFault:
    return OperatorFault("no_server", "No server runs here, and this needs one: `wicket serve` starts it.")
