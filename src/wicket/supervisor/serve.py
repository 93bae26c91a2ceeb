"""`wicket serve`: everything that can fail with one line is done before the first process starts."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from wicket.config.schema import Engine
from wicket.engines import launch
from wicket.errors import Fault
from wicket.supervisor.adminkey import take_admin_key
from wicket.supervisor.home import HomeLock, default_home, prepare
from wicket.supervisor.listener import base_url, listen
from wicket.supervisor.main import Boot, Supervisor
from wicket.supervisor.settings import ServeOptions, Settings

__all__ = ["ServeOptions", "serve"]


def serve(options: ServeOptions, environ: Mapping[str, str] | None = None) -> int:
    """Serve until told to stop; returns the exit code. Faults are lines on standard error and exit code 1."""
    environ = dict(os.environ if environ is None else environ)
    home = default_home(environ)
    try:
        prepare(home)
        lock = HomeLock(home)
    except Fault as fault:
        return _complain(fault)
    try:
        boot = _boot(options, environ, home, lock)
    except Fault as fault:
        lock.release()
        return _complain(fault)
    _log_to_stderr(boot.settings.config.server.log_level)
    try:
        return asyncio.run(_run(boot))
    finally:
        lock.release()


def _boot(options: ServeOptions, environ: Mapping[str, str], home: Path, lock: HomeLock) -> Boot:
    settings = Settings(options, environ, home)
    admin = take_admin_key(home, environ)
    server = settings.config.server
    listener = listen(server.host, server.port)
    return Boot(
        home=home,
        environ=environ,
        lock=lock,
        settings=settings,
        listener=listener,
        url=base_url(listener),
        admin=admin,
        engine_command=lambda engine, socket: [
            *launch.program(options.engine_module),
            *_engine_arguments(engine, socket, home, server.drain_s),
        ],
        engine_environ=launch.environment(environ),
        worker_module=options.worker_module,
    )


async def _run(boot: Boot) -> int:
    return await Supervisor(boot).run()


def _engine_arguments(engine: Engine, socket: Path, home: Path, drain_s: float) -> list[str]:
    options = launch.EngineOptions(
        label=engine.label,
        max_batch=engine.max_batch,
        queue=engine.queue,
        kv_tokens=engine.kv_tokens,
        context_tokens=engine.context_tokens,
        threads=engine.threads,
        scheme=engine.scheme,
        drain_s=drain_s,
    )
    return launch.arguments(engine.provider, engine.model, socket, home, options)


def _complain(fault: Fault) -> int:
    for line in fault.message.splitlines():
        print(f"wicket: {line}", file=sys.stderr)
    return 1


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
