"""Files in, training data out: a folder with the data, its manifest and a page about it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from wicket.errors import CallerFault, OperatorFault
from wicket.lab.data.chain import Tell, run
from wicket.lab.data.document import Document, to_bytes
from wicket.lab.data.folder import disk_fault
from wicket.lab.data.manifest import Manifest
from wicket.lab.data.report import page
from wicket.lab.data.sources import Form, read_evaluation, read_sources
from wicket.lab.data.step import AGAINST, DEFAULT_STEPS, Asked
from wicket.lab.examples import OnBroken
from wicket.lab.run import write_whole
from wicket.wire import json

DATA = "data.jsonl"
MANIFEST = "manifest.json"
PAGE = "report.html"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to make of which files. `against` is evaluation data, of which nothing may stay in the result."""

    sources: tuple[Path, ...]
    against: tuple[Path, ...] = ()
    steps: tuple[Asked, ...] = tuple(Asked(name) for name in DEFAULT_STEPS)
    form: Form = "chat"
    on_broken: OnBroken = "skip"
    licence: str = "unknown"


def curate(
    order: Order, folder: Path | None = None, tell: Tell | None = None
) -> tuple[Manifest, Sequence[Document]]:
    """Read and run all steps; with a `folder`, keep the result there, and what earlier runs finished.

    Raises `CallerFault` for what the order has wrong and for a broken line that is refused, `OperatorFault`
    for files and the disk.
    """
    steps = with_evaluation(order)
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise disk_fault(folder, error) from None
    manifest, shard = read_sources(
        order.sources, form=order.form, on_broken=order.on_broken, licence=order.licence
    )
    if not shard:
        names = ", ".join(map(str, order.sources))
        raise CallerFault("no_data", f"{names}: no line could be used{_first_broken(manifest)}.")
    evaluation: Sequence[Document] = ()
    if order.against:
        judges, evaluation = read_evaluation(order.against)
        manifest = msgspec.structs.replace(manifest, evaluation=judges)
    manifest, kept = run(steps, manifest, shard, evaluation=evaluation, folder=folder, tell=tell)
    if folder is not None:
        write_whole(folder / DATA, to_bytes(kept))
        write_whole(folder / MANIFEST, json.dumps(manifest).encode() + b"\n")
        write_whole(folder / PAGE, page(manifest).encode())
    return manifest, kept


def with_evaluation(order: Order) -> tuple[Asked, ...]:
    """The steps, with decontamination at the end where evaluation data is named and no step uses it.

    Raises `CallerFault` where a step asks for evaluation data that nobody named.
    """
    has_step = any(asked.name == AGAINST for asked in order.steps)
    if has_step and not order.against:
        message = f"Step {AGAINST}: name the evaluation data to be kept out: --against EVAL.jsonl."
        raise CallerFault("no_evaluation", message)
    return (*order.steps, Asked(AGAINST)) if order.against and not has_step else order.steps


def read_plan(path: Path) -> tuple[Asked, ...]:
    """Steps of a TOML file: `[[steps]]`, each with its `name` and its options. Raises `CallerFault`."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise OperatorFault("unreadable_file", f"{path} can't be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CallerFault("bad_plan", f"{path}: {error}.") from None
    return steps_of(document.get("steps"), str(path))


def steps_of(written: Any, where: str) -> tuple[Asked, ...]:
    """Steps as a recipe has them: names, or tables of a name and options. Raises `CallerFault`."""
    if not isinstance(written, list) or not written:
        raise CallerFault("bad_plan", f"{where}: steps must be a list of steps, such as [[steps]].")
    found = []
    for place, entry in enumerate(written):
        table = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(table, dict) or not isinstance(table.get("name"), str):
            raise CallerFault("bad_plan", f"{where}: steps[{place}] has no name.")
        found.append(Asked(table["name"], {key: value for key, value in table.items() if key != "name"}))
    return tuple(found)


def _first_broken(manifest: Manifest) -> str:
    for source in manifest.sources:
        if source.broken:
            return f"; {source.path}:{source.broken[0].line}: {source.broken[0].reason}"
    return ""
