"""A recipe that runs in seconds, over a task that a tiny model learns."""

import json
from pathlib import Path
from typing import Any

from tests.lab import tiny_task

from wicket.lab.recipe import Resolved, read_recipe

TEXT = """name = "small"
seed = 3
[data]
train = "train.jsonl"
evaluate = "test.jsonl"
learn = "all"
length = 64
rows = 8
calibration_batches = 2
licence = "CC0-1.0"
[vocabulary]
train = 300
[teacher]
shape = { layers = 3, hidden = 64, heads = 4, kv_heads = 2, ffn = 96, context = 128 }
pace = { steps = 60, rate = 5e-3, warm_up = 5 }
[[steps]]
technique = "prune_depth"
layers = 1
[[steps]]
technique = "distil"
pace = { steps = 20, rate = 2e-3, warm_up = 5, save_every_s = 0 }
[[steps]]
technique = "train_on_grid"
pace = { steps = 6, rate = 5e-4, warm_up = 2 }
[export]
scheme = "q4_0"
folder = true
[evaluate]
samples = 6
batches = 2
max_tokens = 24
[gate]
max_bytes = 0.9
"""


def write(folder: Path, *overrides: str, text: str = TEXT) -> Resolved:
    """The recipe with its data, 200 requests to learn and 30 to judge by."""
    folder.mkdir(exist_ok=True)
    pairs = tiny_task.requests(230, seed=5)
    tiny_task.write_log(folder / "train.jsonl", pairs[:200])
    tiny_task.write_log(folder / "test.jsonl", pairs[200:])
    (folder / "small.toml").write_text(text)
    return read_recipe(folder / "small.toml", overrides)


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found
