"""The configuration in force: loaded, replaced when the file changes, kept when the new one is bad."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from wicket.config.load import find, load
from wicket.config.newer import with_newer_catalogue
from wicket.config.options import override
from wicket.config.schema import Config
from wicket.errors import ConfigFault
from wicket.minis.card import MiniCard
from wicket.providers import catalogue
from wicket.supervisor.credentials import CredentialFile, as_variables
from wicket.supervisor.pins import Pinned, Pins
from wicket.supervisor.watch import Watch


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `wicket serve` was told. None leaves a choice to the environment, then to the file.

    `worker_module` and `engine_module` are what runs as a worker and as an engine's host; others than the
    usual ones are for tests.
    """

    config: Path | None = None
    model: str | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    worker_module: str = "wicket.server.process"
    engine_module: str = "wicket.engines.host"


class Settings:
    """`config` is in force; `version` counts its changes from 1; `fault` says why a later one is not.

    `cards` are those of the minis in it, by task.
    """

    def __init__(self, options: ServeOptions, environ: Mapping[str, str], home: Path) -> None:
        """Load for the first time. Raises `ConfigFault` with a line per mistake."""
        self._options = options
        self._environ = environ
        self._home = home
        self.version = 1
        self.fault = ""
        path = find(options.config, home)
        self._watch = Watch(path) if path is not None else None  # before reading: no change goes unseen
        self._pins = Pins(home)
        self.credentials = CredentialFile(home)
        self.cards: Mapping[str, MiniCard] = {}
        loaded, self.path = self._load()
        self.config, self.cards = loaded.config, loaded.cards

    @property
    def encoded(self) -> bytes:
        """As the workers are sent it; holds the secrets that they need."""
        accounts = msgspec.structs.replace(self.config.accounts, webhook=None)
        return msgspec.msgpack.encode(msgspec.structs.replace(self.config, accounts=accounts))

    def have_changed(self) -> bool:
        """Whether the file or a task's current run is another than it was; asked again and again."""
        is_new = self._watch is not None and self._watch.has_changed()
        return self._pins.have_changed() or is_new

    def reload(self) -> bool:
        """Load again; whether something is different now. Raises `ConfigFault` and keeps what is in force.

        Host and port stay those that the socket was opened with; `pending_restart` names them then.
        """
        try:
            loaded, path = self._load()
            fresh = loaded.config
            _check_compiles(fresh)
        except ConfigFault as fault:
            self.fault = fault.message
            raise
        self.fault = ""
        is_changed = fresh != self.config
        self.config, self.cards, self.path = fresh, loaded.cards, path
        self.version += is_changed
        return is_changed

    def _load(self) -> tuple[Pinned, Path | None]:
        path = find(self._options.config, self._home)
        options = self._options
        kept = self.credentials.read()
        environ = {**self._environ, **as_variables(kept, catalogue.rows())} if kept else self._environ
        config = override(
            with_newer_catalogue(load(path, environ, frozenset(kept)), self._home),
            host=options.host,
            port=options.port,
            workers=options.workers,
            model=options.model,
        )
        return self._pins.pin(config, self.cards), path


def pending_restart(opened: Config, now: Config) -> list[str]:
    """What has changed in the file but needs a restart: the listening address."""
    names = ("host", "port")
    return [f"server.{name}" for name in names if getattr(opened.server, name) != getattr(now.server, name)]


def _check_compiles(config: Config) -> None:
    from wicket.config.snapshot import compile_snapshot  # only a reload needs it here

    compile_snapshot(config, version=0, engine_sockets={})
