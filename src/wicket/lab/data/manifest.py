"""Where a shard came from and what was done to it, as a value."""

from __future__ import annotations

from typing import Any

import msgspec

from wicket.lab.examples import BrokenLine


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it was read. `broken` are the first lines that could not be; blank lines don't count."""

    path: str
    sha256: str
    bytes: int
    form: str
    num_lines: int
    num_documents: int
    num_broken: int = 0
    broken: tuple[BrokenLine, ...] = ()
    licence: str = "unknown"


class Shown(msgspec.Struct, frozen=True):
    """One document that a step took out: where it stood, why, and what it clashes with."""

    origin: str
    reason: str
    where: str = ""
    text: str = ""


class StepReport(msgspec.Struct, frozen=True, kw_only=True):
    """One step's work. `key` is the hash of everything that it depends on, `sha256` that of what it left."""

    name: str
    version: int
    key: str
    options: dict[str, Any]
    num_before: int
    num_after: int
    num_removed: int
    sha256: str
    num_changed: int = 0
    num_added: int = 0
    reasons: dict[str, int] = {}
    found: dict[str, int] = {}  # what else was counted, such as values scrubbed by kind
    shown: tuple[Shown, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The sources and every step so far; `sha256` is that of the shard it belongs to."""

    sources: tuple[Source, ...]
    num_documents: int
    sha256: str
    evaluation: tuple[Source, ...] = ()
    steps: tuple[StepReport, ...] = ()
    version: int = 1
