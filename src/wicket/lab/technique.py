"""What a technique is, and which there are: one file of `techniques/` each, found by its name.

A file is a technique if it has `Options`, `NEEDS` and `apply(model, options, material)`, which changes the
model in place and returns a report (a struct).
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

NEEDS = frozenset({"training", "calibration", "teacher"})


class Technique(msgspec.Struct, frozen=True):
    """`needs` are of `NEEDS`: what of the material it reads. `says` is its page's first sentence."""

    name: str
    options: type[msgspec.Struct]
    needs: frozenset[str]
    apply: Callable[[Llama, Any, Material], msgspec.Struct]
    says: str


def known_techniques() -> dict[str, Technique]:
    """All of them by their names."""
    found = {}
    for entry in pkgutil.iter_modules(techniques.__path__):
        module: Any = import_module(f"{techniques.__name__}.{entry.name}")
        if hasattr(module, "NEEDS"):
            says = " ".join((module.__doc__ or "").split("\n\n")[0].split())
            found[entry.name] = Technique(entry.name, module.Options, module.NEEDS, module.apply, says)
    return found
