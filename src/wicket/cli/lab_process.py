"""The lab in a process of its own, which alone loads torch and gives way to others."""

from __future__ import annotations

import importlib.util
import os
import subprocess

from wicket.errors import OperatorFault

NICENESS = 10  # training gives way to whatever the machine is there for


def run_nicely(words: list[str]) -> int:
    """The process's exit code; it gives way to others, and ends when we are interrupted."""
    with subprocess.Popen(words, preexec_fn=lambda: os.nice(NICENESS) and None) as process:  # noqa: PLW1509, S603 - our own module
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise


def require_lab() -> None:
    """Raise `OperatorFault` where training's packages are not installed."""
    missing = [name for name in ("torch", "safetensors", "gguf") if importlib.util.find_spec(name) is None]
    if missing:
        message = (
            f"Training needs {', '.join(missing)}, not installed here: run `make lab` in a checkout, or "
            "pip install 'wicket[lab]'."
        )
        raise OperatorFault("lab_missing", message)
