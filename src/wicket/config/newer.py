"""The models that `wicket models update` fetched: used if valid and not older than the shipped ones."""

from __future__ import annotations

from pathlib import Path

import msgspec

from wicket.config.schema import Config
from wicket.providers import catalogue
from wicket.providers.catalogue import NewerFile
from wicket.providers.changes import check
from wicket.providers.facts import Facts, Outline
from wicket.wire import json

FILE_NAME = "models.json"


def with_newer_catalogue(config: Config, home: Path) -> Config:
    """`config` with the file in `home`, if it may be used; a warning says why one is not."""
    path = home / FILE_NAME
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError:
        return config
    fault = _fault(path)
    if fault:
        warning = f"{path} is not used: {fault}; the models that came with this version are"
        return msgspec.structs.replace(config, warnings=(*config.warnings, warning))
    return msgspec.structs.replace(config, catalogue=NewerFile(str(path), changed_ns))


def _fault(path: Path) -> str:
    try:
        facts = json.decode(path.read_bytes(), type=Facts)
    except OSError as error:
        return f"it can't be read ({error.strerror})"
    except json.DecodeError as error:
        return f"it is not a catalogue ({error})"
    faults = check(facts, catalogue.rows())
    if faults:
        return faults[0]
    shipped = json.decode(catalogue.shipped(), type=Outline).generated
    if facts.generated < shipped:
        return f"it is of {facts.generated}, older than {shipped} (`wicket models update` renews it)"
    return ""
