"""A recipe: one TOML file that says what a run does, from data to gate. Read, checked, frozen. Pure but for
reading the file.

Paths in it start at its own folder. A checkpoint is a path (a GGUF file, a Hugging Face folder of
safetensors, a llama2.c file) or a name that `wicket serve --model` knows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.config.convert import convert
from wicket.config.lines import Lines
from wicket.config.mistakes import Mistakes, did_you_mean
from wicket.errors import ConfigFault
from wicket.lab.recipe_check import check
from wicket.lab.recipe_form import Recipe
from wicket.lab.technique import Technique, known_techniques

MAX_FILE_BYTES = 1 << 20


class Step(msgspec.Struct, frozen=True):
    """One technique with its options."""

    technique: Technique
    options: Any


class Resolved(msgspec.Struct, frozen=True):
    """A recipe that can be run. `document` is what was read, overrides included; `folder` where it lies."""

    recipe: Recipe
    steps: tuple[Step, ...]
    document: dict[str, Any]
    folder: Path


def read_recipe(path: Path, overrides: Sequence[str] = ()) -> Resolved:
    """Raises `ConfigFault` with every mistake, one per line: `file:line: field: what`.

    `overrides` are "key=value" with dotted keys ("steps.0.pace.steps=5"), values as in TOML.
    """
    text, document = read_document(path, overrides)
    return _resolved(text, document, source=str(path), folder=path.absolute().parent)


def read_document(path: Path, overrides: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
    """The file's text, and what it says with the overrides; see `read_recipe`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigFault("invalid_config", f"{path} is too large for a recipe.")
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFault("no_config", f"{path} can't be read: {error}.") from None
    return text, _document(text, str(path), overrides)


def parse_recipe(text: str, *, source: str, folder: Path, overrides: Sequence[str] = ()) -> Resolved:
    """`read_recipe` for text already read."""
    return _resolved(text, _document(text, source, overrides), source=source, folder=folder)


def _document(text: str, source: str, overrides: Sequence[str]) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigFault("invalid_config", f"{source}: {error}") from None
    for override in overrides:
        _set(document, override)
    return document


def _resolved(text: str, document: dict[str, Any], *, source: str, folder: Path) -> Resolved:
    mistakes = Mistakes(source, Lines(text))
    recipe = convert(Recipe, document, (), mistakes)
    steps = _steps(document.get("steps"), mistakes)
    if not len(mistakes):
        check(recipe, [step.technique for step in steps], mistakes)
    if len(mistakes):
        raise mistakes.fault()
    return Resolved(recipe, steps, document, folder)


def _steps(tables: Any, mistakes: Mistakes) -> tuple[Step, ...]:
    found = []
    techniques = known_techniques()
    for place, table in enumerate(tables if isinstance(tables, list) else []):
        path = ("steps", place)
        if not isinstance(table, dict):
            mistakes.add(path, "expected a table")
            continue
        name = table.get("technique")
        if not isinstance(name, str) or name not in techniques:
            near = did_you_mean(str(name), techniques) or f"; known: {', '.join(sorted(techniques))}"
            mistakes.add((*path, "technique"), f'"{str(name)[:40]}" is no technique{near}')
            continue
        options = {key: value for key, value in table.items() if key != "technique"}
        technique, before = techniques[name], len(mistakes)
        converted = convert(technique.options, options, path, mistakes)
        wrong = technique.mistake(converted) if len(mistakes) == before else None
        if wrong is not None:
            mistakes.add((*path, wrong[0]), wrong[1])
        found.append(Step(technique, converted))
    return tuple(found)


def _set(document: dict[str, Any], override: str) -> None:
    """Put one "key=value" into the document."""
    keys, equals, value = override.partition("=")
    if not equals or not keys.strip():
        raise ConfigFault("invalid_config", f"--set {override[:80]}: write key=value, e.g. seed=1")
    try:
        found: Any = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        found = value
    place: Any = document
    *path, last = keys.strip().split(".")
    for key in path:
        if isinstance(place, list) and key.isdigit() and int(key) < len(place):
            place = place[int(key)]
        elif isinstance(place, dict):
            place = place.setdefault(key, {})
        else:
            raise ConfigFault("invalid_config", f"--set {keys[:80]}: the recipe has no such place")
    if not isinstance(place, dict):
        raise ConfigFault("invalid_config", f"--set {keys[:80]}: the recipe has no such place")
    place[last] = found
