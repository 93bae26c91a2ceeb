"""What must fit together where a route has a mini: its place, its policy, and what its answers are worth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from wicket.config.lines import Path
from wicket.config.mistakes import Mistakes, printable
from wicket.config.schema import MINI_PREFIX, Engine, Model

POLICY = "cascade"
LEAST_QUALITY = 0.5
_TASK = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
)  # also a folder's name, so nothing that leads elsewhere
_ONLY_CASCADE = ("quality", "budget_usd_per_day", "check_share", "check_usd_per_day")
_DEFAULT = Model()


def task_of(deployment: str) -> str:
    """The task of a deployment "mini:TASK"; "" for any other deployment."""
    return deployment.removeprefix(MINI_PREFIX) if deployment.startswith(MINI_PREFIX) else ""


def is_mini(deployment: str) -> bool:
    """Whether a deployment is written as a task's mini, well or badly."""
    return deployment.startswith(MINI_PREFIX)


def check_cascade(path: Path, model: Model, mistakes: Mistakes) -> None:
    """Note what is wrong with a route's mini, its policy and its quality."""
    minis = [index for index, deployment in enumerate(model.ids) if is_mini(deployment)]
    for index in minis:
        task = task_of(model.ids[index])
        if not _TASK.fullmatch(task):
            what = f'"{printable(task)}" is no task: letters, digits, ".", "_" and "-", at most 64 of them'
            mistakes.add((*path, "deployments", index), what)
        elif index:
            mistakes.add((*path, "deployments", index), "a mini is asked first or not at all: write it first")
    if model.policy == POLICY:
        _check_terms(path, model, minis, mistakes)
        return
    for name in _ONLY_CASCADE:
        if getattr(model, name) != getattr(_DEFAULT, name):
            mistakes.add((*path, name), f'has a meaning with policy = "{POLICY}" only')


def _check_terms(path: Path, model: Model, minis: list[int], mistakes: Mistakes) -> None:
    if len(minis) != 1:
        mistakes.add((*path, "deployments"), f'a {POLICY} has one mini: write "mini:TASK" first')
    elif len(model.deployments) == 1:
        mistakes.add((*path, "deployments"), "a cascade needs somebody behind its mini: add provider/model")
    quality, budget = model.quality, model.budget_usd_per_day
    if quality is not None and budget is not None:
        mistakes.add((*path, "budget_usd_per_day"), "write it or quality, not both")
    elif quality is None and budget is None:
        mistakes.add((*path, "policy"), "a cascade needs quality (such as 0.95) or budget_usd_per_day")
    elif quality is not None and quality < LEAST_QUALITY:
        mistakes.add((*path, "quality"), f"is a share of right answers: from {LEAST_QUALITY} to 1.0")


def cascade_warnings(models: Mapping[str, Model]) -> Iterator[str]:
    """What is allowed and yet not what anybody wants."""
    for name, model in models.items():
        if model.policy == POLICY and model.quality == 1.0:
            yield (
                f"model {name} asks its mini for quality 1.0, which no finite sample proves: "
                "the mini will not be asked"
            )


def mini_engines(models: Mapping[str, Model]) -> dict[str, Engine]:
    """The engines that follow from deployments "mini:TASK", by name; which run each loads is found later."""
    deployments = dict.fromkeys(one for model in models.values() for one in model.ids if is_mini(one))
    return {
        name: Engine(name=name, model=name, label=task_of(name), kind="generation") for name in deployments
    }


def pinned(engine: Engine, run: str) -> Engine:
    """A mini's engine with the run that it is to load."""
    return msgspec.structs.replace(engine, model=f"{engine.name}@{run}")
