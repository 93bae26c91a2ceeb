"""What may be wrong with tasks: their names, and the guardrails that scrub their examples."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import wicket.guardrails
from wicket.config.lines import Path
from wicket.config.mistakes import Mistakes, did_you_mean, printable
from wicket.config.schema import Config, File, TaskTable

_DEFAULT = TaskTable().scrub  # known to be there, and loading them all costs a start a while
OFF = "off"  # what a caller sends instead of a task's name to refuse
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def known_guardrails() -> list[str]:
    """The files of `guardrails` that rewrite texts: those with `Parameters` and `scrub`."""
    names = sorted(module.name for module in pkgutil.iter_modules(wicket.guardrails.__path__))
    found = []
    for name in names:
        module = import_module(f"wicket.guardrails.{name}")
        if hasattr(module, "Parameters") and hasattr(module, "scrub"):
            found.append(name)
    return found


def tasks_of(config: Config) -> dict[str, TaskTable]:
    """Every task of a configuration: those with a table, and those that a model collects for."""
    collected = {model.collect: TaskTable() for model in config.models.values() if model.collect}
    return {**collected, **config.tasks}


def task_fault(name: str) -> str:
    """What is wrong with a task's name, or ""."""
    if not _NAME.fullmatch(name) or ".." in name:
        return "a task's name is letters, digits, '.', '_' and '-', at most 64 of them"
    return f'"{OFF}" is what a caller sends to refuse: choose another name' if name == OFF else ""


def check_tasks(file: File, mistakes: Mistakes) -> None:
    """Note what is wrong with `[tasks.…]` and with `collect`."""
    for name, task in file.tasks.items():
        _check_name(("tasks", name), name, mistakes)
        for index, guardrail in enumerate(task.scrub):
            if guardrail not in _DEFAULT and guardrail not in (known := known_guardrails()):
                near = did_you_mean(guardrail, known)
                what = f'unknown guardrail "{printable(guardrail)}"{near}; known: {", ".join(known)}'
                mistakes.add(("tasks", name, "scrub", index), what)
    for name, model in file.models.items():
        if model.collect:
            _check_name(("models", name, "collect"), model.collect, mistakes)


def _check_name(path: Path, name: str, mistakes: Mistakes) -> None:
    fault = task_fault(name)
    if fault:
        mistakes.add(path, fault)
