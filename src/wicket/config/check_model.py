"""What must fit together in `[models]`: names, deployments, policy, and what keeps deployments out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from wicket.config.automatic import AUTO_NAME, check_auto
from wicket.config.check_cascade import POLICY, check_cascade, is_mini
from wicket.config.lines import Path
from wicket.config.local_models import resolve_engine
from wicket.config.mistakes import Mistakes, did_you_mean, printable
from wicket.config.schema import DeploymentTable, File, Model
from wicket.routing.plan import POLICIES, SUFFIXES

DEFAULT_NAME = "mini"
_FACTS = ("features", "region", "data_collection", "context_tokens", "max_output_tokens")
_NO_FACTS = DeploymentTable()


def check_model(path: Path, name: str, model: Model, file: File, mistakes: Mistakes) -> None:
    """Note everything that is wrong with one model's rule."""
    if not name or len(name) > 200 or not name.isprintable() or name != name.strip():
        mistakes.add(path, "a model's name is printable text of at most 200 characters")
    if name.endswith(tuple(SUFFIXES)):
        end = name[name.rindex(":") :]
        mistakes.add(path, f'callers choose a policy by the end "{end}": choose another name')
    if not model.deployments and name != AUTO_NAME:
        mistakes.add((*path, "deployments"), 'is needed: a list of "provider/model"')
    _check_policy(path, model, mistakes)
    if model.continues and model.commit == "whole":
        mistakes.add((*path, "continue"), 'has a meaning with commit = "first-token" only')
    for index, deployment in enumerate(model.ids):
        place = (*path, "deployments", index)
        if deployment in model.ids[:index]:
            mistakes.add(place, f'"{printable(deployment)}" stands there twice')
        fault = "" if is_mini(deployment) else _deployment_fault(deployment, file)
        if fault:
            mistakes.add(place, fault)
        _check_table(place, model, index, mistakes)
    (check_auto if name == AUTO_NAME else check_cascade)(path, model, mistakes)
    if name == DEFAULT_NAME and any(id.split("/")[0] not in file.engines for id in model.ids):
        mistakes.add(path, f"{DEFAULT_NAME} always names the compact model: only engines may answer to it")
    _check_regions(path, model, mistakes)


def policy_name(written: str) -> str:
    """A policy as its file is called: "least-busy" is "least_busy"."""
    return written.replace("-", "_")


def _check_policy(path: Path, model: Model, mistakes: Mistakes) -> None:
    known: Sequence[str] = (*POLICIES, POLICY)
    if policy_name(model.policy) not in known:
        near = did_you_mean(model.policy, known)
        mistakes.add((*path, "policy"), f"unknown policy{near}; known: {', '.join(known)}")


def _check_table(path: Path, model: Model, index: int, mistakes: Mistakes) -> None:
    table = model.deployments[index]
    if isinstance(table, str):
        return
    if is_mini(table.id):
        for field in _FACTS:
            if getattr(table, field) != getattr(_NO_FACTS, field):
                mistakes.add((*path, field), "a mini's card says this: leave it out")
    if table.weight != _NO_FACTS.weight and policy_name(model.policy) != "weighted":
        mistakes.add((*path, "weight"), 'has a meaning with policy = "weighted" only')


def _check_regions(path: Path, model: Model, mistakes: Mistakes) -> None:
    written = [model.region] if isinstance(model.region, str) else [*model.region]
    for index, region in enumerate(written):
        if not region or not region.isprintable() or len(region) > 64:
            place = (*path, "region") if isinstance(model.region, str) else (*path, "region", index)
            mistakes.add(place, 'is a region such as "eu" or "us-east-1"')


def _deployment_fault(deployment: str, file: File) -> str:
    provider, slash, model = deployment.partition("/")
    if provider in file.engines:
        label = resolve_label(file, provider)
        if slash and model != label:
            return f"engine {provider} runs {label}: write {provider}/{label}"
        return ""
    if deployment in file.models:
        return "is a model of this file, and a model can't refer to a model: write provider/model"
    names = [*file.providers, *file.engines]
    if provider not in names:
        near = did_you_mean(provider, names)
        return f'no provider or engine "{printable(provider)}" is declared{near}'
    if not model or not model.isprintable() or len(deployment) > 300:
        return "must read provider/model"
    return ""


def resolve_label(file: File, engine: str) -> str:
    """What callers name an engine's model by."""
    return resolve_engine(engine, file.engines[engine], FilePath()).label
