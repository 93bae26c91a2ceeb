"""The configuration in force: loaded, replaced when the file changes, kept when the new one is bad."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from wicket.config.load import find, load
from wicket.config.options import override
from wicket.config.schema import Config
from wicket.errors import ConfigFault
from wicket.supervisor.watch import Watch


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `wicket serve` was told. None leaves a choice to the environment, then to the file.

    `worker_module` is what runs as a worker; `wicket.server.worker` but for tests of the supervisor.
    """

    config: Path | None = None
    model: str | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    worker_module: str = "wicket.server.worker"


class Settings:
    """`config` is in force; `version` counts its changes from 1; `fault` says why a later one is not."""

    def __init__(self, options: ServeOptions, environ: Mapping[str, str], home: Path) -> None:
        """Load for the first time. Raises `ConfigFault` with a line per mistake."""
        self._options = options
        self._environ = environ
        self._home = home
        self.version = 1
        self.fault = ""
        path = find(options.config, home)
        self.watch = Watch(path) if path is not None else None  # before reading: no change goes unseen
        self.config, self.path = self._load()

    @property
    def encoded(self) -> bytes:
        """As the workers are sent it; holds secrets."""
        return msgspec.msgpack.encode(self.config)

    def reload(self) -> bool:
        """Load again; whether something is different now. Raises `ConfigFault` and keeps what is in force.

        Host and port stay those that the socket was opened with; `pending_restart` names them then.
        """
        try:
            fresh, path = self._load()
            _check_compiles(fresh)
        except ConfigFault as fault:
            self.fault = fault.message
            raise
        self.fault = ""
        is_changed = fresh != self.config
        self.config, self.path = fresh, path
        self.version += is_changed
        return is_changed

    def _load(self) -> tuple[Config, Path | None]:
        path = find(self._options.config, self._home)
        options = self._options
        config = override(
            load(path, self._environ),
            host=options.host,
            port=options.port,
            workers=options.workers,
            model=options.model,
        )
        return config, path


def pending_restart(opened: Config, now: Config) -> list[str]:
    """What has changed in the file but needs a restart: the listening address."""
    names = ("host", "port")
    return [f"server.{name}" for name in names if getattr(opened.server, name) != getattr(now.server, name)]


def _check_compiles(config: Config) -> None:
    from wicket.config.snapshot import compile_snapshot  # only a reload needs it here

    compile_snapshot(config, version=0, engine_sockets={})
