"""What four bits cost a decoder that a recipe trained, and what GPTQ and training on the grid win back.

    wicket lab run recipes/smollm2-half.toml --home HOME
    python bench/lab/rounding.py recipes/smollm2-half.toml --home HOME --stage 3-distil --steps 40 --seeds 3

Everything is the loss of the exported file read back, over all requests of the recipe's evaluation. GPTQ
stands beside rounding to nearest of the same weights, each seed with its own calibration batches of the
training data. Training on the grid stands beside a control that takes the same steps over the same batches
with the same teacher and is not rounded until it is exported: what rounding costs is the control's file less
the control in float. Intervals: bootstrap over batches of requests, paired.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch.nn import functional as F  # noqa: N812

from wicket.engines.checkpoints.opening import open_checkpoint
from wicket.lab.llama import Llama, from_checkpoint
from wicket.lab.material import Batch, Material, Samples
from wicket.lab.model_file import read_model
from wicket.lab.recipe import read_recipe
from wicket.lab.recipe_stages import Bench
from wicket.lab.steps import Pace, precision
from wicket.lab.techniques import distil, quantise, train_on_grid

DRAWS = 2_000
CALIBRATION = 8  # batches
Losses = list[tuple[float, int]]  # of each batch: the sum in nats, and of how many tokens


def losses(model: Llama, batches: list[Batch]) -> Losses:
    """What the model loses on each batch."""
    model.eval()
    found = []
    for batch in batches:
        with torch.no_grad(), precision(model):
            logits = model(batch.ids, batch.learned).float()
        wanted = batch.targets[batch.learned]
        found.append((float(F.cross_entropy(logits, wanted, reduction="sum")), len(wanted)))
    return found


def exported(bench: Bench, model: Llama, scheme: str) -> Losses:
    """The same of the file, read back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        bench.export(model, path, scheme)
        return losses(from_checkpoint(open_checkpoint(path)).eval(), list(bench.batches.evaluation))


def mean(rows: Losses) -> float:
    return sum(loss for loss, _ in rows) / sum(num for _, num in rows)


def removed(before: Losses, plain: Losses, after: Losses) -> dict[str, Any]:
    """How much of what rounding adds (`plain` less `before`) is not in `after`, and its 95 % interval."""

    def share(rows: list[int]) -> float:
        a, b, c = (mean([each[row] for row in rows]) for each in (before, plain, after))
        return (b - c) / (b - a)

    every = list(range(len(before)))
    chance = random.Random(0)
    draws = sorted(share(chance.choices(every, k=len(every))) for _ in range(DRAWS))
    return {
        "float": mean(before),
        "rounded": mean(plain),
        "after": mean(after),
        "removed": share(every),
        "interval": [draws[DRAWS // 40], draws[-DRAWS // 40]],
    }


def measure(bench: Bench, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    scheme = bench.recipe.export.scheme
    start = read_model(bench.path(options.stage)).eval()
    training = Samples(bench.batches.training._samples, rows=bench.recipe.data.rows, seed=100 + seed)  # type: ignore[attr-defined]
    material = Material(
        training=training,
        calibration=[training.batch(1_000 + number) for number in range(CALIBRATION)],
        teacher=bench.teacher,
        seed=seed,
    )
    found: dict[str, Any] = {"seed": seed}
    before = losses(start, list(bench.batches.evaluation))
    model = copy.deepcopy(start)
    quantise.apply(model, quantise.Options(scheme=scheme), material)
    found["gptq"] = removed(before, exported(bench, start, scheme), exported(bench, model, scheme))
    print(json.dumps(found), file=sys.stderr, flush=True)
    pace = Pace(steps=options.steps, rate=options.rate, warm_up=5, least_rate=0.05)
    control, trained = copy.deepcopy(start), copy.deepcopy(start)
    distil.apply(control, distil.Options(pace=pace), material)
    train_on_grid.apply(trained, train_on_grid.Options(scheme=scheme, pace=pace), material)
    found["on_grid"] = removed(
        losses(control, list(bench.batches.evaluation)),
        exported(bench, control, scheme),
        exported(bench, trained, scheme),
    )
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--home", type=Path, required=True, help="where its run lies")
    parser.add_argument("--stage", default="3-distil", help="the checkpoint to begin with")
    parser.add_argument("--steps", type=int, default=40, help="on the grid, and of the control")
    parser.add_argument("--rate", type=float, default=3.2e-4)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    resolved = read_recipe(options.recipe, ["evaluate.batches=1000"])
    bench = Bench(resolved, options.home / "runs" / resolved.recipe.name, options.home)
    seeds = [measure(bench, options, seed) for seed in range(options.seeds)]
    print(json.dumps({"recipe": msgspec.to_builtins(resolved.recipe)["name"], "seeds": seeds}, indent=2))


if __name__ == "__main__":
    main()
