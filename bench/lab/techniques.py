"""What each technique of the lab loses and wins, on a decoder that the lab itself trained: several seeds.

The text is the standard library's own source of the Python that runs this (PSF licence, on every machine),
as ASCII bytes: 128 tokens. Quantised models are measured as they will be exported; `train_on_grid` stands
beside a control that took the same extra steps unquantised.

    python bench/lab/techniques.py --seeds 3 --steps 1200 --out /tmp/techniques.json
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from wicket.engines.checkpoints.llama import LlamaShape
from wicket.lab.likeness import Likeness, likeness
from wicket.lab.llama import Llama, fresh
from wicket.lab.logit_store import Wanted, write_store
from wicket.lab.material import Batch, Material, Windows, consecutive
from wicket.lab.steps import Pace, train
from wicket.lab.teaching import Live
from wicket.lab.techniques import distil, prune_depth, prune_weights, prune_width, quantise, train_on_grid

VOCABULARY = 128
LENGTH, ROWS = 128, 16
TEACHER = LlamaShape("llama", 6, 128, 4, 2, 32, 384, VOCABULARY, 256, 10_000.0, 1e-5)
STUDENT = LlamaShape("llama", 3, 64, 2, 1, 32, 192, VOCABULARY, 256, 10_000.0, 1e-5)
PRUNED = LlamaShape("llama", 4, 128, 2, 1, 32, 192, VOCABULARY, 256, 10_000.0, 1e-5)


def text() -> torch.Tensor:
    """The library's sources, one after the other in the order of their names."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    data = b"".join(file.read_bytes() for file in files)
    return torch.tensor([byte for byte in data if byte < VOCABULARY], dtype=torch.long)


class Bench:
    """One seed: its teacher, its data, and what is measured on the last tenth of the text."""

    def __init__(self, tokens: torch.Tensor, seed: int, steps: int) -> None:
        split = len(tokens) * 9 // 10
        self.seed = seed
        self.steps = steps
        self.source = Windows(tokens[:split], length=LENGTH, rows=ROWS, seed=seed)
        calibration = Windows(tokens[:split], length=LENGTH, rows=8, seed=seed + 1_000)
        self.material = Material(
            training=self.source, calibration=[calibration.batch(number) for number in range(8)], seed=seed
        )
        self.held_out = consecutive(tokens[split:], length=LENGTH, rows=ROWS, limit=16)
        self.teacher = fresh(TEACHER, seed=seed)
        train(self.teacher, self.source, train_on_grid.hard_loss, Pace(steps=steps, rate=2e-3))
        self.taught = msgspec.structs.replace(self.material, teacher=self.teacher)

    def measure(self, model: Llama) -> Likeness:
        return likeness(model, self.held_out, self.teacher)

    def copy(self) -> Llama:
        return copy.deepcopy(self.teacher)

    def pace(self, share: float, rate: float) -> Pace:
        return Pace(steps=max(40, int(self.steps * share)), rate=rate)


def distillation(bench: Bench) -> dict[str, float]:
    """Losses of one small shape: taught by the tokens, by the teacher, by what the teacher had stored."""
    pace, found = bench.pace(0.4, 3e-3), {}
    for name, hard in (("hard_labels", 1.0), ("live", 0.0)):
        student = fresh(STUDENT, seed=bench.seed + 50)
        distil.apply(student, distil.Options(pace=pace, hard=hard), bench.taught)
        found[name] = bench.measure(student).loss
    batches: list[Batch] = [bench.source.batch(number) for number in range(pace.steps)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logits"
        store = write_store(path, Live(bench.teacher), batches, Wanted(k=32))
        student = fresh(STUDENT, seed=bench.seed + 50)
        distil.distil(student, distil.Options(pace=pace), bench.taught, store)
        found |= {"stored": bench.measure(student).loss, "bytes_per_token": store.bytes_per_token}
    return found


def pruning(bench: Bench) -> dict[str, float]:
    """A pruned and distilled model beside the same shape from scratch, which gets all the steps."""
    scratch = fresh(PRUNED, seed=bench.seed + 60)
    train(scratch, bench.source, train_on_grid.hard_loss, bench.pace(1.0, 2e-3))
    goal = bench.measure(scratch).loss
    pruned = bench.copy()
    prune_depth.apply(pruned, prune_depth.Options(layers=2), bench.taught)
    prune_width.apply(pruned, prune_width.Options(ffn=192, kv_heads=1), bench.taught)
    before = bench.measure(pruned).loss
    num_steps, reached = 0, before
    chunk = max(10, bench.steps // 40)
    while reached > goal and num_steps < bench.steps:
        pace = Pace(steps=chunk, rate=1.5e-3, warm_up=3, least_rate=0.5)
        shifted = msgspec.structs.replace(bench.taught, training=Later(bench.source, num_steps))
        distil.apply(pruned, distil.Options(pace=pace), shifted)
        num_steps += chunk
        reached = bench.measure(pruned).loss
    return {
        "scratch_loss": goal,
        "pruned_loss": before,
        "recovered_loss": reached,
        "scratch_steps": bench.steps,
        "steps": num_steps,
        "factor": bench.steps / num_steps if reached <= goal else 0.0,
    }


class Later:
    """A source from another batch on."""

    def __init__(self, source: Windows, start: int) -> None:
        self._source, self._start = source, start

    def batch(self, number: int) -> Batch:
        return self._source.batch(self._start + number)


def depth(bench: Bench) -> dict[str, float]:
    """A quarter of the layers gone (one of six is the nearest below, two the nearest above), recovered."""
    model = bench.copy()
    prune_depth.apply(model, prune_depth.Options(layers=2), bench.taught)
    before = bench.measure(model)
    distil.apply(model, distil.Options(pace=bench.pace(0.25, 1e-3)), bench.taught)
    after = bench.measure(model)
    teacher = accuracy(bench, bench.teacher)
    return {
        "loss_before": before.loss,
        "loss_after": after.loss,
        "accuracy": accuracy(bench, model),
        "teacher_accuracy": teacher,
        "kept": accuracy(bench, model) / teacher,
    }


def accuracy(bench: Bench, model: Llama) -> float:
    """The share of held-out tokens that the model thinks likeliest."""
    right = num = 0
    with torch.no_grad():
        for batch in bench.held_out:
            right += int((model(batch.ids).argmax(-1) == batch.targets).sum())
            num += batch.targets.numel()
    return right / num


def quantisation(bench: Bench) -> dict[str, float]:
    """Q4_0: the loss that rounding adds, GPTQ, and training on the grid (above its control)."""
    whole = bench.measure(bench.teacher).loss
    lost = {}
    for how, scales in (("nearest", "extremes"), ("gptq", "search")):
        model = bench.copy()
        quantise.apply(model, quantise.Options(how=how, scales=scales), bench.material)
        lost[how] = bench.measure(model).loss - whole
    pace = bench.pace(0.15, 3e-4)
    control, trained = bench.copy(), bench.copy()
    train(control, bench.source, train_on_grid.hard_loss, pace)
    rounded = copy.deepcopy(control)
    train_on_grid.put_on_grid(rounded, "q4_0")
    train_on_grid.apply(trained, train_on_grid.Options(pace=pace), bench.material)
    train_on_grid.put_on_grid(trained, "q4_0")
    base = bench.measure(control).loss
    ptq, qat = bench.measure(rounded).loss - base, bench.measure(trained).loss - base
    return {
        "float_loss": whole,
        "nearest": lost["nearest"],
        "gptq": lost["gptq"],
        "gptq_removes": 1 - lost["gptq"] / lost["nearest"],
        "control_loss": base,
        "control_rounded": ptq,
        "qat": qat,
        "qat_removes": 1 - qat / ptq,
    }


def sparsity(bench: Bench) -> dict[str, float]:
    """Half of each row's weights gone, without recovery: loss above the whole model's."""
    whole, found = bench.measure(bench.teacher).loss, {}
    for by in ("magnitude", "wanda"):
        model = bench.copy()
        prune_weights.apply(model, prune_weights.Options(by=by), bench.material)
        found[by] = bench.measure(model).loss - whole
    return found | {"ratio": found["wanda"] / found["magnitude"]}


PARTS: dict[str, Callable[[Bench], dict[str, float]]] = {
    "quantisation": quantisation,
    "sparsity": sparsity,
    "distillation": distillation,
    "depth": depth,
    "pruning": pruning,
}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each figure its mean and its extremes over the seeds."""
    found: dict[str, Any] = {}
    for part in PARTS:
        for name in runs[0][part]:
            values = [run[part][name] for run in runs]
            mean = statistics.mean(values)
            found[f"{part}.{name}"] = [round(value, 5) for value in (mean, min(values), max(values))]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1_200, help="of the teacher's training")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokens, runs = text(), []
    for seed in range(options.seeds):
        bench = Bench(tokens, seed, options.steps)
        run: dict[str, Any] = {"teacher": {"loss": bench.measure(bench.teacher).loss}}
        for name, part in PARTS.items():
            run[name] = part(bench)
            sys.stderr.write(f"seed {seed}: {name} {run[name]}\n")
        runs.append(run)
        result = {"tokens": len(tokens), "steps": options.steps, "runs": runs, "summary": summary(runs)}
        if options.out is not None:
            options.out.write_text(json.dumps(result, indent=2))
    print(json.dumps(result["summary"], indent=2))


if __name__ == "__main__":
    main()
