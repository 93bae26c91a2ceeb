"""How a supervisor starts an engine: the command, its environment, and what to expect of it.

The process listens at `socket` at once (mode 0600) and answers `GET /healthz`; `GET /readyz` is 503 with
{"status": "loading"} or {"status": "failed", "error": {…}} until it is 200. It prints nothing on standard
output and one line per event on standard error. It restarts its core process by itself; it ends on
SIGTERM (after what is running, at most `drain_s`) with status 0, or when its parent ends, and with
status 1 and one line if it can't listen.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

_KEPT = {"PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"} | {
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONWARNINGS",
}
_KEPT_PREFIXES = ("LC_", "XDG_", "OMP_", "OPENVINO_", "OV_", "ONEDNN_")


class EngineOptions(msgspec.Struct, frozen=True):
    """An engine's settings; 0 and "" leave the choice to the engine. Times in seconds."""

    label: str = ""
    max_batch: int = 0
    queue: int = 64
    kv_tokens: int = 0
    context_tokens: int = 0
    threads: int = 0
    scheme: str = ""
    drain_s: float = 30.0


DEFAULT_OPTIONS = EngineOptions()


def command(
    name: str, spec: str, socket: Path, home: Path, options: EngineOptions = DEFAULT_OPTIONS
) -> list[str]:
    """The command line of an engine's host process for the model `spec` (see `checkpoint.find`)."""
    return [*program(), *arguments(name, spec, socket, home, options)]


def program(module: str = "wicket.engines.host") -> list[str]:
    """How a module is run as an engine's host."""
    # -P: a folder named like one of our modules in the working directory must not be imported.
    return [sys.executable, "-P", "-m", module]


def arguments(name: str, spec: str, socket: Path, home: Path, options: EngineOptions) -> list[str]:
    """What a host is told of its model, its place and its limits."""
    words = ["--name", name, "--model", spec, "--socket", str(socket), "--home", str(home)]
    for field in msgspec.structs.fields(EngineOptions):
        value = getattr(options, field.name)
        if value or field.name == "queue":
            words += [f"--{field.name.replace('_', '-')}", str(value)]
    return words


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What of an environment an engine needs: no provider's key is among it."""
    return {
        name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
