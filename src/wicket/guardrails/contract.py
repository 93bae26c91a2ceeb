"""What every guardrail file offers: pure functions over texts, found by their names.

A guardrail that rewrites texts has at its top level `Parameters`, a struct whose defaults are what the
configuration's bare name means, and `scrub`; `module(name)` loads one.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol, cast


class Guardrail(Protocol):
    """A rewriter of texts. Nothing here does I/O."""

    def scrub(self, texts: Sequence[str], /) -> list[str]:
        """The texts of one example, rewritten: the same value reads the same in all of them."""
        ...


def module(name: str) -> Guardrail:
    """The guardrail called `name`; raises `ModuleNotFoundError` for an unknown one."""
    return cast(Guardrail, importlib.import_module(f"wicket.guardrails.{name}"))
