"""Administration without a server: the database opened by the command itself, under the server's own lock.

The server's own routes answer, in this process, and ask the supervisor's own verbs: both ways answer alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from wicket.accounts.callers import Caller
from wicket.cli.client import COMMAND_AGENT, fault_of
from wicket.config.schema import Accounts, Config
from wicket.errors import OperatorFault
from wicket.routing.deployment import Deployment
from wicket.server.app_house import Snapshot
from wicket.store.contract import Store
from wicket.supervisor.credentials import CredentialFile
from wicket.supervisor.home import HomeLock, default_home, prepare
from wicket.supervisor.messages import NOBODY, Ask, Asker, EngineState, ToWorker
from wicket.supervisor.recent import Recent
from wicket.supervisor.verbs import perform
from wicket.wire.json import decode, encode

if TYPE_CHECKING:
    from wicket.config.schema import StorageTable
    from wicket.gateway.gate import Gate
    from wicket.server.app_cost import NewEstimate
    from wicket.state.seal import Seal
    from wicket.store.contents import Contents
    from wicket.supervisor.collector import Collector
    from wicket.supervisor.keeper import Keeper
    from wicket.supervisor.reception import Reception
    from wicket.upstream.contract import Exchange, Sink
    from wicket.upstream.fetch import Response as Answered
    from wicket.wire.origin import Origin

Message = MutableMapping[str, Any]  # of ASGI
OPERATOR = 0  # the admin key's id: whoever may open the database is the operator


class Desk:
    """`supervisor.verb.House` with nobody else in it."""

    allowances = None
    dues = None

    def __init__(self, store: Store, home: Path) -> None:
        self.store = store
        self.recent = Recent()
        self._home = home
        self._collector: Collector | None = None
        self._keeper: Keeper | None = None
        self._reception: Reception | None = None

    @property
    def reception(self) -> Reception:
        """Nobody signs in here, but passwords are reset."""
        if self._reception is None:
            from wicket.supervisor.reception import Reception

            self._reception = Reception(Accounts())
        return self._reception

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

    @property
    def config(self) -> Config:
        """See `House`."""
        raise _needs_server()

    @property
    def credentials(self) -> CredentialFile:
        """Keys put in now count at the next start."""
        return CredentialFile(self._home)

    def close(self) -> None:
        """Let go of the databases."""
        if self._keeper is not None:
            self._keeper.close()
        if self._collector is not None:
            self._collector.stop()
        if self._reception is not None:
            self._reception.close()
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

    async def credits_changed(self, scopes: Sequence[str] | None = None) -> None:
        """There is no worker that would have to know."""

    def restart_workers(self) -> dict[str, Any]:
        """See `House`."""
        raise _needs_server()


class OnDisk:
    """`cli.administration.Door` without a server: the server's own routes, over databases nobody else writes.

    Whoever may open the database is the operator, so no key is asked for.
    """

    def __init__(self, desk: Desk) -> None:
        from wicket.server.app import build_app

        self._app = build_app(DeskHouse(desk))

    def call(
        self, method: str, path: str, *, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Any:
        """The decoded JSON answer. Raises the fault that it holds."""
        return decode(b"".join(self._parts(method, path, body, query)))

    def text(self, method: str, path: str, *, query: Mapping[str, str] | None = None) -> str:
        """The answer as it is: CSV, a page. Raises the fault that it holds."""
        return b"".join(self._parts(method, path, None, query)).decode()

    def lines(self, method: str, path: str, *, query: Mapping[str, str] | None = None) -> Iterator[Any]:
        """Each document of an answer of JSON lines."""
        rest = b""
        for part in self._parts(method, path, None, query):
            *whole, rest = (rest + part).split(b"\n")
            yield from map(decode, whole)

    def events(
        self, method: str, path: str, *, body: Any = None, query: Mapping[str, str] | None = None
    ) -> Iterator[tuple[bytes, Mapping[str, str]]]:
        """Without a server nothing comes in. Raises `OperatorFault`."""
        raise _needs_server()

    def _parts(self, method: str, path: str, body: Any, query: Mapping[str, str] | None) -> Iterator[bytes]:
        """The answer's body as it is made, each part asked for in its turn."""
        sent: asyncio.Queue[Message | None] = asyncio.Queue()
        asked = {"type": "http.request", "body": b"" if body is None else encode(body), "more_body": False}

        coming = [asked]

        async def receive() -> Message:
            """The request, once; then nothing: this client does not leave before its answer's end."""
            if not coming:
                await asyncio.get_running_loop().create_future()
            return coming.pop()

        async def answer() -> None:
            try:
                await self._app(_scope(method, path, query), receive, sent.put)
            finally:
                await sent.put(None)

        with asyncio.Runner() as runner:
            task = runner.get_loop().create_task(answer())
            status, failed = 200, b""
            while (message := runner.run(sent.get())) is not None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif status >= 400:
                    failed += message["body"]
                elif message.get("body"):
                    yield message["body"]
            runner.run(asyncio.wait([task]))
            task.result()
        if status >= 400:
            raise fault_of(status, failed)


class DeskHouse:
    """`server.app_house.House` with the desk behind it: what needs a running server says so."""

    is_ready = False
    is_metrics_public = False
    cors_origins = ()
    trusted_proxies = ()
    allows_plain_http = True

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def snapshot(self) -> Snapshot:
        """See `House`."""
        raise _needs_server()

    @property
    def storage(self) -> StorageTable:
        """See `House`."""
        raise _needs_server()

    @property
    def seal(self) -> Seal | None:
        """See `House`."""
        raise _needs_server()

    @property
    def contents(self) -> Contents:
        """See `House`."""
        raise _needs_server()

    async def fetch(self, origin: Origin, request: bytes) -> Answered:
        """See `House`."""
        raise _needs_server()

    def send(self, origin: Origin, request: bytes, sink: Sink) -> Exchange:
        """See `House`."""
        raise _needs_server()

    def authenticate(self, authorization: bytes | None, now_ms: int) -> Caller:
        """Whoever may open the database is the operator."""
        return Caller(key_id=OPERATOR, name="admin", digest=b"", is_admin=True)

    def engine_states(self) -> Mapping[str, EngineState]:
        """See `House`."""
        return {}

    async def engine_card(self, deployment: Deployment) -> dict[str, Any] | None:
        """See `House`."""
        return None

    @property
    def gate(self) -> Gate:
        """See `House`."""
        raise _needs_server()

    def estimate(self, asked: NewEstimate, caller: Caller) -> dict[str, Any]:
        """See `House`."""
        raise _needs_server()

    async def ask(self, verb: str, arguments: dict[str, Any], key_id: int, asker: Asker = NOBODY) -> Any:
        """The supervisor's verbs, asked here. Raises the `Fault` they answer with."""
        return await perform(self._desk, Ask(1, verb, arguments, key_id, asker))


def _scope(method: str, path: str, query: Mapping[str, str] | None) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": urlencode(query or {}).encode(),
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"user-agent", COMMAND_AGENT.encode()),
        ],
    }


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
