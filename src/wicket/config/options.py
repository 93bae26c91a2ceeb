"""What stands above the file: the environment's `WICKET_HOST` and `WICKET_PORT`, and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from wicket.config.check import is_host, model_fault
from wicket.config.local_models import resolve_engine
from wicket.config.mistakes import Mistakes
from wicket.config.schema import Config, Engine, EngineTable, Server
from wicket.errors import ConfigFault

MAX_PORT = 65_535
MAX_WORKERS = 64


def with_environment(server: Server, environ: Mapping[str, str], mistakes: Mistakes) -> Server:
    """`server` with what the environment says of host and port."""
    host = environ.get("WICKET_HOST", "").strip()
    port = environ.get("WICKET_PORT", "").strip()
    if host and not is_host(host):
        mistakes.add_plain("WICKET_HOST: is not a host name or an IP address")
    elif host:
        server = msgspec.structs.replace(server, host=host)
    if port and not (port.isascii() and port.isdigit() and int(port[:6]) <= MAX_PORT):
        mistakes.add_plain(f"WICKET_PORT: is not a port number (0 to {MAX_PORT})")
    elif port:
        server = msgspec.structs.replace(server, port=int(port))
    return server


def override(
    config: Config,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    model: str | None = None,
) -> Config:
    """The command line's options over everything else; `model` is what the engine `compact` runs.

    Raises `ConfigFault` naming the option that can't be.
    """
    server = config.server
    if host is not None:
        _demand(is_host(host), "--host: is not a host name or an IP address")
        server = msgspec.structs.replace(server, host=host)
    if port is not None:
        _demand(0 <= port <= MAX_PORT, f"--port: is not a port number (0 to {MAX_PORT})")
        server = msgspec.structs.replace(server, port=port)
    if workers is not None:
        _demand(1 <= workers <= MAX_WORKERS, f"--workers: from 1 to {MAX_WORKERS}")
        server = msgspec.structs.replace(server, workers=workers)
    engines = config.engines
    if model is not None:
        _demand("compact" not in config.providers, "--model: a provider of the file is called compact")
        engines = {"compact": _compact(model), **{n: e for n, e in engines.items() if n != "compact"}}
    return msgspec.structs.replace(config, server=server, engines=engines)


def _compact(model: str) -> Engine:
    """The engine for `--model`: whatever is there under that path, else what the file could say."""
    path = Path(model).expanduser()
    if path.exists():
        model = str(path.absolute())
    fault = model_fault(model)
    _demand(not fault, f"--model: {fault}")
    return resolve_engine("compact", EngineTable(model=model), Path.cwd())


def _demand(is_good: bool, message: str) -> None:
    if not is_good:
        raise ConfigFault("invalid_option", message)
