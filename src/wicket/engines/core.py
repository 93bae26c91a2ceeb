"""The engine's own process: one thread that steps the model and reads commands between steps.

Started by the host with one end of a socket pair (`--fd`), so that no other process can reach it. It
ends when that socket does, and on Linux also by the parent's death signal.
"""

from __future__ import annotations

import argparse
import importlib
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.engines import contract, lifeline, link
from wicket.errors import EngineFault, Fault

_READ_BYTES = 256 * 1024
LOAD_REFUSED = 3


class CoreConfig(msgspec.Struct, frozen=True):
    """What to load: `module` is a file of this folder with a `load` function taking `model` and `options`."""

    module: str
    model: str
    options: dict[str, Any] = {}


def load(config: CoreConfig) -> contract.Engine:
    """Import the engine's module and load the checkpoint. Raises `EngineFault` with one clear line."""
    if not config.module.isidentifier():
        raise EngineFault("unknown_engine", f"There is no engine named {config.module!r}.")
    options = dict(config.options)
    if options.get("cache_dir") is not None:
        options["cache_dir"] = Path(options["cache_dir"])
    try:
        module = importlib.import_module(f"wicket.engines.{config.module}")
        engine: contract.Engine = module.load(Path(config.model), **options)
    except Fault:
        raise
    except ImportError as error:
        message = f"The engine's packages are missing ({error.name}): install wicket[compact]."
        raise EngineFault("engine_missing", message) from None
    except MemoryError:
        raise EngineFault("out_of_memory", f"There is not enough memory to load {config.model}.") from None
    except Exception as error:
        line = (str(error) or type(error).__name__).splitlines()[0][:300]
        raise EngineFault("bad_checkpoint", f"{config.model} can't be loaded: {line}") from error
    return engine


class Loop:
    """Commands in, events out, one step at a time."""

    def __init__(self, channel: socket.socket, engine: contract.Engine) -> None:
        self._channel = channel
        self._engine = engine
        self._unpacker: link.Unpacker[contract.Command] = link.Unpacker(contract.Command)

    def run(self) -> None:
        """Work until the host closes its end. A fault ends the process, and the host starts another."""
        while self._read():
            if not self._engine.is_idle():
                self._write(self._engine.step())

    def _read(self) -> bool:
        """Take in what has come; waits only when there is nothing to step. False at the host's end."""
        wait_s = None if self._engine.is_idle() else 0.0
        while select.select([self._channel], [], [], wait_s)[0]:
            data = self._channel.recv(_READ_BYTES)
            if not data:
                return False
            for command in self._unpacker.feed(data):
                self._take(command)
            wait_s = 0.0
        return True

    def _take(self, command: contract.Command) -> None:
        if isinstance(command, contract.Cancel):
            self._engine.cancel(command.id)
        elif isinstance(command, contract.Describe):
            self._write([msgspec.structs.replace(self._engine.capabilities(), id=command.id)])
        else:
            try:
                self._engine.submit(command)
            except Fault as fault:
                code = fault.code if fault.code in contract.ENGINE_CODES else "internal"
                self._write([contract.Refused(command.id, code, fault.message)])

    def _write(self, events: Sequence[contract.Event]) -> None:
        if events:
            self._channel.sendall(b"".join([link.pack(event) for event in events]))


def serve(channel: socket.socket, config: CoreConfig) -> int:
    """Load and loop; the first event has id 0: `Capabilities`, or `Refused` with the reason."""
    try:
        engine = load(config)
    except Fault as fault:
        channel.sendall(link.pack(contract.Refused(0, fault.code, fault.message)))
        return LOAD_REFUSED
    try:
        channel.sendall(link.pack(msgspec.structs.replace(engine.capabilities(), id=0)))
        Loop(channel, engine).run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the host is gone: nobody is left to answer
    finally:
        engine.close()
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The process's entry: `python -m wicket.engines.core --fd N --config JSON`."""
    parser = argparse.ArgumentParser(prog="wicket.engines.core")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--config", required=True)
    given = parser.parse_args(arguments)
    lifeline.end_with_parent(signal.SIGKILL)
    # Ctrl-C belongs to the supervisor; the host ends this process by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = msgspec.json.decode(given.config, type=CoreConfig)
    with socket.socket(fileno=given.fd) as channel:
        return serve(channel, config)


if __name__ == "__main__":
    sys.exit(main())
