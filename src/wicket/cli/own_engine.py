"""An engine of the command's own, for `chat` and `ask` while no server runs: started, asked, ended."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wicket.cli.client import Client
from wicket.cli.discovery import find_server
from wicket.cli.terminal import progress
from wicket.errors import EngineFault, Fault, UnknownModelFault

if TYPE_CHECKING:
    from wicket.config.schema import Engine

LOAD_LIMIT_S = 300.0
_POLL_S = 0.05
_GRACE_S = 5.0
_DRAIN_S = 0.5
_MAX_SHOWN = 300
_NOT_YET = ("server_unreachable", "no_fault")  # no socket yet, or {"status": "loading"}


@contextmanager
def model_server(args: argparse.Namespace) -> Iterator[tuple[Client, str]]:
    """Who answers, and the model's name to ask for: the running server, else an engine of our own.

    `args.model` "" leaves the choice to the server. Raises `Fault` if nobody can.
    """
    client = find_server(args)
    if client is not None:
        from wicket.cli.conversation import default_model

        yield client, args.model or default_model(client)
        return
    from wicket.supervisor.home import default_home

    home = default_home(os.environ)
    engine = local_engine(args.model)
    with running(engine, home) as own:
        yield own, engine.label


def local_engine(model: str) -> Engine:
    """The configured local model that goes by `model` ("" and "mini" are the first one)."""
    from wicket.cli.config import load_config

    config = load_config()
    engines = [e for e in config.engines.values() if e.kind == "generation" and not e.task]
    if not engines:
        message = "No server runs here, and no local model is configured: `wicket serve` starts a server."
        raise EngineFault("no_engine", message)
    for engine in engines:
        if model in ("", "mini", engine.label, engine.deployment_id):
            return engine
    known = ", ".join(engine.deployment_id for engine in engines)
    message = f"No server runs here, so only {known} can answer; `wicket serve` starts one for {model!r}."
    raise UnknownModelFault("model_not_found", message)


@contextmanager
def running(engine: Engine, home: Path) -> Iterator[Client]:
    """The engine's process on a socket of its own, ready; ended with the block."""
    from wicket.engines import launch

    with tempfile.TemporaryDirectory(prefix="wicket-") as folder:
        socket = Path(folder) / "engine.sock"
        log = Path(folder) / "log"
        options = launch.EngineOptions(
            label=engine.label,
            max_batch=1,
            context_tokens=engine.context_tokens,
            threads=engine.threads,
            scheme=engine.scheme,
            drain_s=_DRAIN_S,
        )
        command = launch.command(engine.name, engine.model, socket, home, options)
        with log.open("wb") as output:
            process = start(command, launch.environment(os.environ), output.fileno())
        try:
            client = Client("http://localhost", socket_path=str(socket))
            with progress(f"Starting {engine.deployment_id}"):
                wait_ready(client, process, log)
            yield client
        finally:
            end(process)


def start(command: list[str], environ: Mapping[str, str], output: int) -> subprocess.Popen[bytes]:
    """The process, in a session of its own so that Ctrl-C is ours to hear."""
    return subprocess.Popen(  # noqa: S603  the command is ours, never a caller's
        command,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def wait_ready(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the engine answers. Raises `EngineFault` when it ended, failed, or takes too long."""
    deadline = time.monotonic() + LOAD_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise EngineFault("engine_failed", f"The local model can't run: {_last_line(log)}")
        try:
            client.call("GET", "/readyz")
            return
        except Fault as fault:
            if fault.code not in _NOT_YET:
                message = f"The local model can't run: {fault.message}"
                raise EngineFault("engine_failed", message) from None
        time.sleep(_POLL_S)
    raise EngineFault("engine_failed", f"The local model was not ready after {LOAD_LIMIT_S:g} s.")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; make it, if it does not."""
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:_MAX_SHOWN] if lines else "its process ended without a word"
