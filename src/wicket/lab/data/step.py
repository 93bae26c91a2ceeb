"""What every file in `steps/` offers, found by its name.

A step is a pure function of a shard, its options and the evaluation data. With `SCOPE = "document"` it sees
each document alone, so that shards may be worked on apart and joined; with "shard" it needs all of them.
`VERSION` rises whenever the same input would give another output.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, Protocol, cast

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data import steps
from wicket.lab.data.document import Document, Shard

DEFAULT_STEPS = ("exact_duplicates", "length", "refusals", "quality", "near_duplicates", "pii")
AGAINST = "decontaminate"  # comes in by itself where evaluation data is named


class Removed(msgspec.Struct, frozen=True):
    """A document that goes, why in a word, and where what it clashes with stands."""

    document: Document
    reason: str
    where: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """`kept` in the shard's order, new documents behind their model; `found` are further counts."""

    kept: Sequence[Document]
    removed: Sequence[Removed] = ()
    num_changed: int = 0
    num_added: int = 0
    found: dict[str, int] = {}


class Step(Protocol):
    """A module of `steps/`."""

    VERSION: int
    SCOPE: Literal["document", "shard"]
    Options: type[Any]

    def apply(self, shard: Shard, options: Any, evaluation: Shard) -> Outcome:
        """The work. Raises `CallerFault` for options that can't be."""
        ...


class Asked(msgspec.Struct, frozen=True):
    """A step by its name with its options, as a recipe or the command line gives them."""

    name: str
    options: Mapping[str, Any] = {}


@cache
def names() -> tuple[str, ...]:
    """Every step there is."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(steps.__path__)))


def module(name: str) -> Step:
    """The step called `name`. Raises `CallerFault`."""
    if name not in names():
        raise CallerFault("unknown_step", f"There is no step {name!r}; steps: {', '.join(names())}.")
    return cast(Step, importlib.import_module(f"{steps.__name__}.{name}"))


def options_of(asked: Asked) -> Any:
    """The step's options as its struct. Raises `CallerFault` naming the step and what is wrong."""
    kind = module(asked.name).Options
    try:
        return msgspec.convert(dict(asked.options), kind)
    except msgspec.ValidationError as error:
        known = ", ".join(kind.__struct_fields__) or "none"
        raise CallerFault("bad_option", f"Step {asked.name}: {error}. Its options: {known}.") from None
