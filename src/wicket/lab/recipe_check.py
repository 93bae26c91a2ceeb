"""What a recipe's fields say together, and what of that can't be. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from wicket.config.mistakes import Mistakes, did_you_mean
from wicket.errors import Fault
from wicket.lab.data.curation import steps_of
from wicket.lab.data.step import options_of
from wicket.lab.export_gguf import FORMATS
from wicket.lab.measures import MEASURES
from wicket.lab.recipe_form import Data, Recipe, Shape, Student, Teacher
from wicket.lab.technique import Technique

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
OF_WEIGHTS = ("max_kl", "max_loss_increase", "min_same_top", "max_bytes", "min_speed")


def check(recipe: Recipe, techniques: Sequence[Technique], mistakes: Mistakes) -> None:
    """Note every mistake."""
    if not NAME.fullmatch(recipe.name):
        mistakes.add(("name",), "use letters, digits, '.', '_' and '-'")
    for section in ("teacher", "student"):
        table: Teacher | Student = getattr(recipe, section)
        if table.checkpoint and table.shape is not None:
            mistakes.add((section,), "give a checkpoint or a shape, not both")
        if table.shape is not None:
            _check_shape(table.shape, (section, "shape"), mistakes)
    teacher = recipe.teacher
    _check_data(recipe.data, mistakes)
    if teacher.url:
        _check_asked(recipe, mistakes)
        if not teacher.is_local:
            _check_far(recipe, techniques, mistakes)
    elif not teacher.is_local:
        mistakes.add(("teacher",), "give a checkpoint, a shape to train, or a url with its model")
    if teacher.shape is not None and teacher.pace is None:
        mistakes.add(("teacher",), "a fresh shape knows nothing: give pace = { steps = … }")
    if teacher.pace is not None and teacher.pace.steps < 1:
        mistakes.add(("teacher", "pace", "steps"), "must be at least 1")
    _check_vocabulary(recipe, mistakes)
    for place, measure in enumerate(recipe.evaluate.measures):
        _check_known(measure, MEASURES, ("evaluate", "measures", place), mistakes)
    for field in ("scheme", "teacher_scheme"):
        _check_known(getattr(recipe.export, field), FORMATS, ("export", field), mistakes)


def _check_vocabulary(recipe: Recipe, mistakes: Mistakes) -> None:
    teacher, vocabulary = recipe.teacher, recipe.vocabulary
    ways = [bool(vocabulary.train), bool(vocabulary.checkpoint), bool(vocabulary.file)]
    if sum(ways) > 1:
        mistakes.add(("vocabulary",), "give one of train, checkpoint and file")
    if not any(ways) and (teacher.shape is not None or not (teacher.checkpoint or recipe.student.checkpoint)):
        mistakes.add(("vocabulary",), "a fresh model needs one: train = 1024, or a checkpoint")
    if vocabulary.trim and (vocabulary.train or vocabulary.file):
        mistakes.add(("vocabulary", "trim"), "only a checkpoint's vocabulary can be trimmed")


def _check_known(name: str, known: Iterable[str], path: tuple[str | int, ...], mistakes: Mistakes) -> None:
    names = list(known)
    if name not in names:
        near = did_you_mean(name, names)
        mistakes.add(path, f'"{name[:40]}" is not one of {", ".join(names)}{near}')


def _check_shape(shape: Shape, path: tuple[str, ...], mistakes: Mistakes) -> None:
    if shape.heads % (shape.kv_heads or shape.heads):
        mistakes.add((*path, "kv_heads"), f"{shape.heads} heads can't share {shape.kv_heads}")
    if not shape.head_size and shape.hidden % shape.heads:
        mistakes.add((*path, "heads"), f"hidden = {shape.hidden} is no multiple of {shape.heads}")
    if (shape.head_size or shape.hidden // shape.heads) % 2:
        mistakes.add((*path, "heads"), "a head's size must be even")


def _check_data(data: Data, mistakes: Mistakes) -> None:
    if bool(data.train) == bool(data.sources):
        mistakes.add(("data",), "give train = a file, or [[data.sources]] for several")
    weights = [source.weight for source in data.sources]
    if any(weight is None for weight in weights) and any(weight is not None for weight in weights):
        mistakes.add(("data", "sources"), "give each a weight, or none")
    names = [source.name or source.file for source in data.sources]
    for place, name in enumerate(names):
        if name in names[:place]:
            mistakes.add(("data", "sources", place), f'two are called "{name[:40]}": give them names')
    _check_steps(data.steps, ("data", "steps"), mistakes)


def _check_steps(written: Sequence[Any], path: tuple[str, ...], mistakes: Mistakes) -> None:
    for place, step in enumerate(written):
        try:
            for asked in steps_of([step], path[-1]):
                options_of(asked)
        except Fault as fault:
            mistakes.add((*path, place), fault.message.rstrip("."))


def _check_asked(recipe: Recipe, mistakes: Mistakes) -> None:
    """A teacher by its address."""
    teacher = recipe.teacher
    parts = urlsplit(teacher.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        mistakes.add(("teacher", "url"), "expected an address such as https://host/v1")
    if parts.username or parts.password or parts.query:
        what = f"an address holds no key: put it into the environment variable {teacher.key_env}"
        mistakes.add(("teacher", "url"), what)
    if not teacher.model:
        mistakes.add(("teacher", "model"), "which model of that address is asked?")
    if recipe.data.form != "chat":
        mistakes.add(("data", "form"), "a teacher by its url answers requests: chat data are needed")
    if teacher.max_usd is not None and teacher.price is None:
        mistakes.add(
            ("teacher", "max_usd"), "needs price = { input = …, output = … }, USD per million tokens"
        )
    if teacher.max_usd is None and teacher.max_all_tokens is None:
        mistakes.add(("teacher",), "give a budget: max_usd with price, or max_all_tokens")
    if teacher.samples > 1 and not teacher.temperature:
        mistakes.add(("teacher", "samples"), "several answers need a temperature, else they are the same")
    _check_steps(teacher.steps, ("teacher", "steps"), mistakes)


def _check_far(recipe: Recipe, techniques: Sequence[Technique], mistakes: Mistakes) -> None:
    """A teacher that has no weights here."""
    if not recipe.student.checkpoint and recipe.student.shape is None:
        mistakes.add(("student",), "give a checkpoint or a shape: what is behind a url can't be copied")
    if recipe.teacher.pace is not None:
        mistakes.add(("teacher", "pace"), "what is behind a url is not trained: use a step of learn_tokens")
    if not recipe.evaluate.samples:
        mistakes.add(("evaluate", "samples"), "must be at least 1: nothing else compares with this teacher")
    for place, technique in enumerate(techniques):
        if "teacher" in technique.needs:
            what = f"{technique.name} needs logits, which an address does not give: use learn_tokens"
            mistakes.add(("steps", place, "technique"), what)
    for field in OF_WEIGHTS:
        if getattr(recipe.gate, field) is not None:
            mistakes.add(("gate", field), "compares weights, which a teacher behind a url does not show")
