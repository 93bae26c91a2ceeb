"""`python -m wicket.lab mix NAME=FILE… --out FILE`: several tasks in one file of training examples."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data.document import Document, sha256, to_bytes
from wicket.lab.data.mixture import order, plan
from wicket.lab.data.sources import read_sources
from wicket.lab.run import write_whole
from wicket.wire import json


def main(arguments: Sequence[str]) -> int:
    """Run it; raises `Fault`."""
    parser = argparse.ArgumentParser(prog="python -m wicket.lab mix", description=__doc__)
    add = parser.add_argument
    add("tasks", nargs="+")
    add("--out", required=True)
    add("--temperature", type=float, default=2.0)
    add("--total", type=int, default=0)
    add("--at-most", type=int, default=0)
    add("--seed", type=int, default=0)
    add("--form", choices=("chat", "prompts", "text", "any"), default="chat")
    add("--broken", choices=("skip", "refuse"), default="refuse")
    add("--json", action="store_true")
    args = parser.parse_args(arguments)
    tasks: dict[str, list[Document]] = {}
    for word in args.tasks:
        name, equals, path = word.partition("=")
        file = Path(path if equals else word)
        name = name if equals else file.name.partition(".")[0]
        if name in tasks:
            raise CallerFault("same_task", f"Two tasks are called {name!r}: write NAME=FILE.")
        tasks[name] = read_sources([file], form=args.form, on_broken=args.broken)[1]
    sizes = {name: len(documents) for name, documents in tasks.items()}
    found = plan(sizes, args.temperature, args.total or sum(sizes.values()), args.at_most)
    numbers = {name: task.drawn for name, task in found.items()}
    mixed = [_named(tasks[name][place], name) for name, place in order(numbers, sizes, args.seed)]
    data = to_bytes(mixed)
    write_whole(Path(args.out), data)
    report = {
        "object": "mixture",
        "file": args.out,
        "sha256": sha256(data),
        "temperature": args.temperature,
        "seed": args.seed,
        "tasks": {name: msgspec.to_builtins(task) for name, task in found.items()},
    }
    if args.json:
        sys.stdout.write(json.dumps(report) + "\n")
        return 0
    for name, task in found.items():
        sys.stdout.write(
            f"{name}: {task.drawn} ({task.share:.1%}), {task.epochs:.2f} times its {task.size}\n"
        )
    sys.stdout.write(f"{len(mixed)} examples are in {args.out}.\n")
    return 0


def _named(document: Document, task: str) -> Document:
    return msgspec.structs.replace(document, meta={**document.meta, "task": task})
