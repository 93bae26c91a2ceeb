"""`python -m wicket.lab discover --from FILE [--home FOLDER] [--no-topics] [--json]`: what could be learned.

Reads JSONL of OpenAI chat messages ("-" is standard input), tells progress on standard error and the result
on standard output.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.engines.checkpoints.locate import find
from wicket.engines.contract import Embed, Embedded, Refused
from wicket.errors import CallerFault, EngineFault
from wicket.lab.discover import Task, discover
from wicket.lab.discovery_text import page
from wicket.lab.examples import Examples, OnBroken, Sample, read, read_file
from wicket.lab.learnable import Measured
from wicket.lab.progress import Progress
from wicket.minis.card import CURRENT, FOLDER
from wicket.wire import json

ENCODER = "all-minilm-l6-v2"
UNNAMED = "unnamed"
REPORT = "report.json"


class _Test(msgspec.Struct):
    share: float
    precision: float


class _Scores(msgspec.Struct):
    test: _Test


class _Report(msgspec.Struct):
    scores: _Scores


def main(arguments: Sequence[str]) -> int:
    """Run it; raises `Fault`."""
    parser = argparse.ArgumentParser(prog="python -m wicket.lab discover", description=__doc__)
    parser.add_argument("--from", dest="source", required=True, metavar="FILE", help='JSONL; "-": stdin')
    parser.add_argument("--home", default="", help="the data folder, for measured minis and own checkpoints")
    parser.add_argument("--no-topics", action="store_true", help="no embeddings")
    parser.add_argument("--refuse-broken", action="store_true", help="end at the first line that is broken")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(arguments)
    on_broken: OnBroken = "refuse" if args.refuse_broken else "skip"
    if args.source == "-":
        examples = read(sys.stdin.buffer, name="standard input", on_broken=on_broken)
    else:
        examples = read_file(Path(args.source), on_broken=on_broken)
    if not examples.samples:
        raise CallerFault("no_examples", _nothing(examples))
    home, notes = Path(args.home) if args.home else None, _notes(examples)
    embedder = None if args.no_topics else _embedder(home or Path(), notes)
    tasks = [
        discover(name, samples, embedder, measured(home, name) if home else None)
        for name, samples in sorted(_by_task(examples.samples).items())
    ]
    sys.stdout.write(json.dumps(document(tasks, examples, notes)) + "\n" if args.json else page(tasks, notes))
    return 0


def document(tasks: Sequence[Task], examples: Examples, notes: Sequence[str]) -> dict[str, Any]:
    """The one JSON document."""
    return {
        "object": "discovery",
        "lines": examples.num_lines,
        "other_form": examples.num_other_form,
        "broken_lines": examples.num_broken,
        "sha256": examples.sha256,
        "tasks": [msgspec.to_builtins(task) for task in tasks],
        "notes": list(notes),
    }


def measured(home: Path, task: str) -> Measured | None:
    """What the mini in place takes, else the newest run's; None where no report can be read."""
    folder = home / FOLDER / task
    if folder.parent != home / FOLDER or not folder.is_dir():
        return None
    runs = sorted(path.parent for path in folder.glob(f"*/{REPORT}"))
    try:
        current = (folder / CURRENT).read_text().strip()
    except (OSError, UnicodeDecodeError):
        current = ""
    runs.sort(key=lambda run: run.name == current)
    for run in reversed(runs):
        try:
            test = json.decode((run / REPORT).read_bytes(), type=_Report).scores.test
        except (OSError, json.DecodeError, RecursionError):
            continue
        return Measured(run.name, test.share, test.precision)
    return None


class Embedder:
    """Unit vectors of texts from the encoder, in this process."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row for each text. Raises `EngineFault`."""
        progress = Progress("embedding")
        vectors: list[list[float]] = []
        at_once = 64
        for begin in range(0, len(texts), at_once):
            self._engine.submit(Embed(begin + 1, list(texts[begin : begin + at_once])))
            while not self._engine.is_idle():
                for event in self._engine.step():
                    if isinstance(event, Refused):
                        raise EngineFault("embedding_failed", f"{ENCODER} can't embed: {event.message}")
                    if isinstance(event, Embedded):
                        vectors += event.vectors
            progress.at(len(vectors) / len(texts))
        progress.done(f"{len(texts)} texts")
        return np.array(vectors, dtype=np.float32)


def _embedder(home: Path, notes: list[str]) -> Embedder | None:
    from wicket.engines.minilm import load

    try:
        return Embedder(load(find(ENCODER, home).path, threads=1, cache_dir=None))
    except EngineFault as fault:
        notes.append(f"Free texts are not told apart by topic: {fault.message}")
        return None


def _by_task(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.task or UNNAMED].append(sample)
    return found


def _notes(examples: Examples) -> list[str]:
    notes = []
    if examples.num_other_form:
        notes.append(
            f"{examples.num_other_form} of {examples.num_lines} requests are conversations or use tools, "
            "images or the like: no mini can be asked those."
        )
    if examples.num_broken:
        first = examples.broken[0]
        notes.append(
            f"{examples.num_broken} lines can't be read and were skipped, the first is line {first.line}: "
            f"{first.reason}."
        )
    return notes


def _nothing(examples: Examples) -> str:
    if not examples.num_lines:
        return 'There are no examples: `collect = "TASK"` at a model in wicket.toml begins to keep them.'
    return (
        f"None of {examples.num_lines} lines is a request that a mini can be asked: "
        f"{examples.num_other_form} have another form, {examples.num_broken} can't be read."
    )
