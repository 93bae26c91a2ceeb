"""What all verbs share: the supervisor's parts as they see them, and how keys are found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from wicket.accounts.roles import Actor
from wicket.config.schema import Config
from wicket.errors import CallerFault
from wicket.store.contract import Store
from wicket.supervisor.credentials import CredentialFile
from wicket.supervisor.messages import Asker, ToWorker
from wicket.supervisor.recent import Recent

if TYPE_CHECKING:
    from wicket.supervisor.allowances import Allowances
    from wicket.supervisor.collector import Collector
    from wicket.supervisor.dues import Dues
    from wicket.supervisor.keeper import Keeper
    from wicket.supervisor.reception import Reception


class House(Protocol):
    """The supervisor, as far as the verbs need it."""

    @property
    def store(self) -> Store:
        """Keys and records."""
        ...

    @property
    def recent(self) -> Recent:
        """The newest records."""
        ...

    @property
    def collector(self) -> Collector:
        """The examples."""
        ...

    @property
    def allowances(self) -> Allowances | None:
        """Limits, budgets and credits as they stand; None without a server."""
        ...

    @property
    def keeper(self) -> Keeper:
        """What is kept: answers, files, batches."""
        ...

    @property
    def dues(self) -> Dues | None:
        """What providers work on; None without a server, and while it opens its databases."""
        ...

    @property
    def config(self) -> Config:
        """The configuration in force. Raises `OperatorFault` where no server runs."""
        ...

    @property
    def credentials(self) -> CredentialFile:
        """Providers' keys that were put in."""
        ...

    @property
    def reception(self) -> Reception:
        """Who signs in, and when it is."""
        ...

    def tell(self, message: ToWorker) -> None:
        """Send to every worker."""
        ...

    def status(self) -> dict[str, Any]:
        """Processes, engines, configuration, ledger."""
        ...

    def metrics(self) -> str:
        """Prometheus' text."""
        ...

    def shown_config(self) -> dict[str, Any]:
        """The configuration in force, secrets masked."""
        ...

    async def reload(self) -> dict[str, Any]:
        """Load the configuration again. Raises `ConfigFault`."""
        ...

    async def credits_changed(self, scopes: Sequence[str] | None = None) -> None:
        """The ledger has other balances for these scopes than before (None: perhaps for any)."""
        ...

    def restart_workers(self) -> dict[str, Any]:
        """Begin a rolling restart. Raises `OperatorFault` while one is under way."""
        ...


Arguments = dict[str, Any]
Verb = Callable[[House, Arguments, int], Awaitable[Any]]
ActorVerb = Callable[[House, Arguments, Actor], Awaitable[Any]]
OpenVerb = Callable[[House, Arguments, Asker], Awaitable[Any]]


async def key_number(house: House, text: str) -> int | None:
    """The key id behind a public id or a name; "admin" is 0, "" is all."""
    if not text:
        return None
    if text == "admin":
        return 0
    keys = await asyncio.to_thread(house.store.list_keys)
    for key in reversed(keys):
        if text in (key.public_id, key.name):
            return key.id
    raise CallerFault(
        "unknown_key", f"There is no key {text[:80]!r}; `wicket keys list` shows them.", status=404
    )


def now_ms() -> int:
    """Unix time in ms."""
    return int(time.time() * 1000)


def iso(unix_ms: int) -> str | None:
    """Unix ms as ISO 8601 in UTC; None for 0 (never)."""
    if not unix_ms:
        return None
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
