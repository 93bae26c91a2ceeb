"""Where a provider's own page overrules the open catalogues: `corrections.toml`, read once.

A correction says what the catalogues came to when the page was read. It holds while they still come to that:
once they say something else, they have news, and the correction is past.
"""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from collections.abc import Mapping
from typing import Literal

import msgspec

from wicket.providers.facts import Date, Fact

Field = Literal["deprecation_date", "successor", "knowledge", "max_output_tokens", "context_tokens"]
Value = str | int


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a field was when the page was read, and what the page says; "" for nothing."""

    was: Value
    now: Value = msgspec.field(name="is")


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's page: when it was read, of which day the copy was ("" for not known), what it says."""

    url: str
    read: Date
    models: dict[str, dict[Field, Change]]
    stored: str = ""


class Correction(msgspec.Struct, frozen=True):
    """One field of one model, and the page."""

    field: Field
    change: Change
    url: str
    read: str


def parse(text: str) -> dict[str, list[Correction]]:
    """Corrections by a model's id. Raises `msgspec.ValidationError` or `tomllib.TOMLDecodeError`."""
    found: dict[str, list[Correction]] = {}
    for page in msgspec.convert(tomllib.loads(text)["pages"], list[Page]):
        for id, changes in page.models.items():
            of_model = found.setdefault(id, [])
            of_model += [Correction(field, change, page.url, page.read) for field, change in changes.items()]
    return found


@functools.cache
def shipped() -> Mapping[str, list[Correction]]:
    """Those that came with this version."""
    place = importlib.resources.files("wicket.providers.sources").joinpath("corrections.toml")
    return parse(place.read_text(encoding="utf-8"))


def correct(fact: Fact, known: Mapping[str, list[Correction]]) -> tuple[Fact, list[str]]:
    """`fact` with what pages say of it, and which corrections of it are past, a line each."""
    past: list[str] = []
    done: list[str] = []
    changed: dict[str, Value | bool] = {}
    id = f"{fact.provider}/{fact.model}"
    for one in known.get(id, ()):
        came_to, change = getattr(fact, one.field) or type(one.change.was)(), one.change
        if came_to not in (change.was, change.now):
            past.append(f"{id}: {one.field} is {came_to!r} now, was {change.was!r} when {one.url} was read")
        elif came_to != change.now:
            changed[one.field] = change.now
            done.append(f"{one.field}: {change.was or 'nothing'}; {one.url}, read {one.read}")
    if not done:
        return fact, past
    if "deprecation_date" in changed:
        changed["is_deprecated"] = True
    return msgspec.structs.replace(fact, **changed, corrected=tuple(done)), past
