"""What a technique is, and which there are: one file of `techniques/` each, found by its name.

A file is a technique if it has `Options`, `NEEDS` and `apply(model, options, material)`, which changes the
model in place and returns a report (a struct). `mistake(options)`, if there, tells what of them is wrong.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import msgspec

from wicket.lab import techniques
from wicket.lab.llama import Llama
from wicket.lab.material import Material

NEEDS = frozenset({"training", "calibration", "teacher", "any_teacher"})  # the last: where there is one


class Technique(msgspec.Struct, frozen=True):
    """`needs` are of `NEEDS`: what of the material it reads. `says` is its page's first sentence. `mistake`
    tells what of its options can't go together: the field and what is wrong."""

    name: str
    options: type[msgspec.Struct]
    needs: frozenset[str]
    apply: Callable[[Llama, Any, Material], msgspec.Struct]
    says: str
    mistake: Callable[[Any], tuple[str, str] | None] = lambda options: None

    @property
    def listens(self) -> bool:
        """Whether it asks the teacher, if there is one."""
        return bool(self.needs & {"teacher", "any_teacher"})


def known_techniques() -> dict[str, Technique]:
    """All of them by their names."""
    found = {}
    for entry in pkgutil.iter_modules(techniques.__path__):
        module: Any = import_module(f"{techniques.__name__}.{entry.name}")
        if hasattr(module, "NEEDS"):
            says = " ".join((module.__doc__ or "").split("\n\n")[0].split())
            mistake = getattr(module, "mistake", lambda options: None)
            found[entry.name] = Technique(
                entry.name, module.Options, module.NEEDS, module.apply, says, mistake
            )
    return found
