"""What each technique of the lab loses and wins, on decoders that the lab itself trained: several seeds.

The text is the standard library's own source of the Python that runs this (PSF licence, on every machine),
as ASCII bytes: 128 tokens. One long teacher stands for all seeds: a seed draws students, the order of the
data and what calibrates. Quantised models are measured as they will be exported, and `train_on_grid` stands
beside a control that took the same extra steps unquantised.

Everything is kept in a folder, part by part and seed by seed; what is there is not done again, and a long
training that was interrupted goes on. So parts may be run singly, or beside each other (teacher first):

    python bench/lab/techniques.py --out /tmp/techniques --part teacher
    python bench/lab/techniques.py --out /tmp/techniques --part pruning --seed 1
    python bench/lab/techniques.py --out /tmp/techniques --seeds 3      # what is missing, then a summary
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from technique_parts import PARTS, SHAPES, Bench, Budget, rough_loss

from wicket.lab.llama import Llama, fresh
from wicket.lab.material import Windows
from wicket.lab.model_file import read_model, write_model
from wicket.lab.steps import Pace, train

VOCABULARY = 128
PLANNED = 4_000  # steps of the teacher's cosine
T95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t for the mean of so many seeds


class Cut(Pace, frozen=True, kw_only=True):
    """A cosine over `planned` steps, left at step `at`: from there the rate falls in a line to nothing."""

    at: int
    planned: int

    def rate_at(self, step: int) -> float:
        """See `Pace`."""
        whole = Pace(steps=self.planned, rate=self.rate, warm_up=self.warm_up, least_rate=0.02)
        share = max(0, step - self.at) / max(1, self.steps - self.at)
        return whole.rate_at(min(step, self.at)) * (1 - 0.98 * share)


def text() -> torch.Tensor:
    """The library's sources, one after the other in the order of their names."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    data = b"".join(file.read_bytes() for file in files)
    return torch.tensor([byte for byte in data if byte < VOCABULARY], dtype=torch.long)


def teacher(path: Path, tokens: torch.Tensor, budget: Budget) -> Llama:
    """The long teacher, from its file or trained."""
    if path.exists():
        return read_model(path)
    model = fresh(SHAPES["teacher"], seed=0)
    saves = path.with_suffix(".save")
    saves.mkdir(parents=True, exist_ok=True)
    pace = Cut(steps=budget.teacher, at=budget.teacher_cut, planned=PLANNED, rate=3e-3, warm_up=100)
    source = Windows(tokens, length=budget.length, rows=budget.rows, seed=0)
    train(model, source, rough_loss, pace, folder=saves, tell=lambda share, words: say(words))
    write_model(path, model)
    return model


def say(words: str) -> None:
    """To the terminal, at once."""
    sys.stderr.write(f"{words}\n")


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each number its mean over the seeds, the half of the mean's 95 % interval, and the values."""
    found: dict[str, Any] = {}
    for name, first in runs[0].items():
        values = [run[name] for run in runs]
        if isinstance(first, dict):
            found[name] = summary(values)
        elif isinstance(first, float | int):
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            half = T95.get(len(values), 1.96) * spread / len(values) ** 0.5
            found[name] = [round(number, 5) for number in (statistics.mean(values), half, *values)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--part", choices=["teacher", *PARTS], help="only this one")
    parser.add_argument("--teacher", type=Path, help="its file; without it FOLDER/teacher.safetensors")
    parser.add_argument("--scale", type=float, default=1.0, help="of all numbers of steps, for a try")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    budget, tokens = Budget.scaled(options.scale), text()
    split = len(tokens) * 9 // 10
    seeds = [options.seed] if options.seed is not None else list(range(options.seeds))
    parts = [options.part] if options.part else list(PARTS)
    needs = options.part != "scratch"
    path = options.teacher or options.out / "teacher.safetensors"
    model = teacher(path, tokens[:split], budget) if needs else fresh(SHAPES["teacher"], seed=0)
    results: dict[str, list[dict[str, Any]]] = {}
    for name in parts:
        part: Callable[[Bench], dict[str, Any]] | None = PARTS.get(name)
        for seed in seeds if part is not None else []:
            kept = options.out / f"{name}-{seed}.json"
            if not kept.exists():
                bench = Bench(tokens[:split], tokens[split:], seed, options.out, model, budget)
                kept.write_text(json.dumps(part(bench), indent=2))
            results.setdefault(name, []).append(json.loads(kept.read_text()))
            say(f"seed {seed}: {name} {results[name][-1]}")
    print(json.dumps({name: summary(runs) for name, runs in results.items()}, indent=2))


if __name__ == "__main__":
    main()
