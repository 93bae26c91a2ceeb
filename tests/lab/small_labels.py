"""A recipe for labels that runs in seconds: six of banking77's labels, strangers from CLINC150."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from wicket.lab.recipe_labels import ResolvedLabels, read_labels

DEMO = Path(__file__).parents[2] / "examples" / "demo"
LABELS = ("card_arrival", "change_pin", "exchange_rate", "age_limit", "lost_or_stolen_card", "top_up_failed")
TEXT = """name = "queues"
seed = 1
[teacher]
task = "labels"
pace = { epochs = 1, start = "fitted" }
[student]
layers = [0, 5]
pieces = 1000
pace = { epochs = 4, rate = 5e-4, start = "fitted" }
[sets.bank]
train = "train.jsonl"
validation = "validation.jsonl"
evaluate = "test.jsonl"
licence = "CC-BY-4.0"
[sets.others]
validation = "strangers.jsonl"
evaluate = "strangers-test.jsonl"
outside = "oos"
licence = "CC-BY-3.0"
[floor]
quality = 0.8
strangers = 0.2
[gate]
keep = 0.6
ahead = ["tfidf"]
max_parameters = 10_000_000
"""


def write(folder: Path, *overrides: str, text: str = TEXT) -> ResolvedLabels:
    """The recipe with its data: 20 requests of each label to learn, 8 for the floor, 8 to judge by."""
    folder.mkdir(exist_ok=True)
    rows = [row for row in _rows("banking77", "train") if row[1] in LABELS]
    seen: Counter[str] = Counter()
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "validation": [], "test": []}
    for row in rows:
        seen[row[1]] += 1
        part = "train" if seen[row[1]] <= 20 else "validation" if seen[row[1]] <= 28 else "test"
        if seen[row[1]] <= 36:
            parts[part].append(row)
    strangers = [row for row in _rows("clinc150", "validation") if row[1] == "oos"]
    named = [row for row in _rows("clinc150", "validation") if row[1] == "weather"]
    parts |= {"strangers": strangers[:20] + named[:3], "strangers-test": strangers[20:60]}
    for part, lines in parts.items():
        write_rows(folder / f"{part}.jsonl", lines)
    (folder / "queues.toml").write_text(text)
    return read_labels(folder / "queues.toml", overrides)


def write_rows(path: Path, rows: list[tuple[str, str]]) -> None:
    """Requests with their labels, as chat messages."""
    path.write_text("".join(line(text, label) for text, label in rows))


def line(text: str, label: str) -> str:
    roles = (("user", text), ("assistant", label))
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in roles]}) + "\n"


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def _rows(name: str, part: str) -> list[tuple[str, str]]:
    with gzip.open(DEMO / name / f"{part}.jsonl.gz", "rt") as file:
        messages = [json.loads(each)["messages"] for each in file]
    return [(each[-2]["content"], each[-1]["content"]) for each in messages]
