"""A recipe's training files through curation's steps and into one mixture, by what `wicket lab curate` and
`mix` do; with a manifest of it all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data import chain
from wicket.lab.data.curation import steps_of
from wicket.lab.data.document import Document, Shard, sha256, to_bytes
from wicket.lab.data.manifest import Manifest
from wicket.lab.data.mixture import Task, order, quotas, shares
from wicket.lab.data.sources import Form, read_evaluation, read_sources
from wicket.lab.data.step import AGAINST, Asked
from wicket.lab.recipe_form import Data, DataSource


class Curated(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the files. `tasks` are the mixture's, none of a single file."""

    manifest: Manifest
    documents: Sequence[Document]
    tasks: dict[str, Task] = {}


def is_wanted(data: Data) -> bool:
    """Whether a recipe asks for more than one file as it is."""
    return bool(data.sources or data.steps)


def curate(data: Data, folder: Path, *, form: Form, seed: int, kept: Path | None) -> Curated:
    """Read, clean and mix the training files; finished steps are kept below `kept`.

    Raises `CallerFault` for a broken line that is refused, a file without a line that could be used, and one
    of which no step left anything; `OperatorFault` for files and the disk.
    """
    sources = data.sources or (DataSource(file=data.train),)
    names = [source.name or source.file for source in sources]
    shard: list[Document] = []
    manifests = []
    for source, name in zip(sources, names, strict=True):
        path = folder / Path(source.file).expanduser()
        licence = source.licence or data.licence
        manifest, found = read_sources([path], form=form, on_broken=data.broken, licence=licence)
        manifests.append(msgspec.structs.replace(manifest.sources[0], path=source.file))
        if not found:
            raise CallerFault("no_data", f"{source.file} has no line that could be used.")
        shard += [_of(document, name) for document in found] if data.sources else found
    whole = Manifest(sources=tuple(manifests), num_documents=len(shard), sha256=sha256(to_bytes(shard)))
    judges = folder / Path(data.evaluate).expanduser()
    manifest, left = clean(data.steps, whole, shard, judges=judges, kept=kept)
    if not data.sources:
        return Curated(manifest=manifest, documents=left)
    return _mixed(data, names, manifest, left, seed)


def clean(
    written: Sequence[Any], manifest: Manifest, shard: Shard, *, judges: Path, kept: Path | None
) -> tuple[Manifest, Shard]:
    """Steps as a recipe writes them, over a shard."""
    asked: tuple[Asked, ...] = steps_of(list(written), "steps") if written else ()
    evaluation: Shard = ()
    if any(step.name == AGAINST for step in asked):
        read, evaluation = read_evaluation([judges])
        manifest = msgspec.structs.replace(manifest, evaluation=read)
    return chain.run(asked, manifest, shard, evaluation=evaluation, folder=kept)


def _mixed(data: Data, names: Sequence[str], manifest: Manifest, left: Shard, seed: int) -> Curated:
    tasks: dict[str, list[Document]] = {name: [] for name in names}
    for document in left:
        tasks[document.meta["task"]].append(document)
    for name, documents in tasks.items():
        if not documents:
            raise CallerFault("empty_task", f"{name}: no step may take out all of a mixture's file.")
    sizes = {name: len(documents) for name, documents in tasks.items()}
    weights = {name: source.weight for name, source in zip(names, data.sources, strict=True)}
    given = {name: weight for name, weight in weights.items() if weight is not None}
    wanted = (
        {name: weight / sum(given.values()) for name, weight in given.items()}
        if given
        else shares(sizes, data.temperature, data.at_most)
    )
    total = data.total or sum(sizes.values())
    numbers = quotas(wanted, total)
    return Curated(
        manifest=manifest,
        documents=[tasks[name][place] for name, place in order(numbers, sizes, seed)],
        tasks={
            name: Task(size, numbers[name], numbers[name] / total, numbers[name] / size)
            for name, size in sizes.items()
        },
    )


def _of(document: Document, task: str) -> Document:
    return msgspec.structs.replace(document, meta={**document.meta, "task": task})
