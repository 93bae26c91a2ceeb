"""Makes examples/demo from the published data sets: OpenAI chat messages with the gold answer last.

    python scripts/make_demo_data.py FOLDER

FOLDER holds `restaurant8k/{train_0,test}.json` and `banking77/train.csv`
(https://github.com/PolyAI-LDN/task-specific-datasets, CC-BY-4.0) and `clinc150/data_full.json`
(https://github.com/clinc/oos-eval, CC-BY-3.0). Requests to learn from come from the training files only; the
test files stay whole. banking77's training file is dealt out label by label: 76 % to learn from, 4 % to set a
floor, 20 % to judge.
"""

import csv
import gzip
import json
import random
import sys
from pathlib import Path

DEMO = Path(__file__).parents[1] / "examples" / "demo"
NUM_REQUESTS = 2_000
SEED = 0
JUDGES, SETS_FLOOR = 0.20, 0.04  # of each of banking77's labels

SLOTS = (
    "You read what guests write to a restaurant and pass on what they said as one JSON object. Its keys are "
    "people, date, time, first_name and last_name; leave out what the guest does not say. Copy the guest's "
    "own words. Answer with the JSON object only; with {} if the guest says none of these."
)
INTENTS = (
    "You sort requests to a personal assistant. Answer with the name of the intent and nothing else. "
    "Answer oos if the request fits none of these intents: "
)


def main(folder: Path) -> None:
    restaurant = folder / "restaurant8k"
    train = [slots(row) for row in read(restaurant / "train_0.json")]
    write("restaurant8k", train, [slots(row) for row in read(restaurant / "test.json")])
    clinc = read(folder / "clinc150" / "data_full.json")
    labels = sorted({label for _, label in clinc["train"]})
    system = INTENTS + ", ".join(labels) + "."
    train = [line(system, text, label) for text, label in clinc["train"] + clinc["oos_train"]]
    test = [line(system, text, label) for text, label in clinc["test"] + clinc["oos_test"]]
    write("clinc150", train, test)
    for part, name in (("train", "train"), ("val", "validation")):
        rows = clinc[part] + clinc[f"oos_{part}"]
        write_part("clinc150", name, [bare(text, label) for text, label in rows])
    for name, rows in dealt(folder / "banking77" / "train.csv").items():
        write_part("banking77", name, rows)


def dealt(path: Path) -> dict[str, list]:
    """banking77's training file in three parts, each with its share of every label."""
    of_label: dict[str, list] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            of_label.setdefault(row["category"], []).append(bare(row["text"].strip(), row["category"]))
    parts: dict[str, list] = {"train": [], "validation": [], "test": []}
    chance = random.Random(SEED)
    for label in sorted(of_label):
        rows = of_label[label]
        chance.shuffle(rows)
        judges = round(len(rows) * JUDGES)
        sets = judges + max(1, round(len(rows) * SETS_FLOOR))
        parts["test"] += rows[:judges]
        parts["validation"] += rows[judges:sets]
        parts["train"] += rows[sets:]
    return parts


def read(path: Path):
    return json.loads(path.read_text("utf-8"))


def slots(row) -> dict:
    text = row["userInput"]["text"]
    asked = (row.get("context") or {}).get("requestedSlots") or []
    answer = {}
    for label in row.get("labels") or []:
        span = label["valueSpan"]
        answer[label["slot"]] = text[span.get("startIndex", 0) : span["endIndex"]]
    shown = f"Asked for: {', '.join(asked) or 'nothing'}\nGuest: {text}"
    return line(SLOTS, shown, json.dumps(answer, sort_keys=True, ensure_ascii=False))


def line(system: str, text: str, answer: str) -> dict:
    roles = (("system", system), ("user", text), ("assistant", answer))
    return {"messages": [{"role": role, "content": content} for role, content in roles]}


def bare(text: str, answer: str) -> dict:
    """Without a system prompt: a label mini is not shown one."""
    roles = (("user", text), ("assistant", answer))
    return {"messages": [{"role": role, "content": content} for role, content in roles]}


def write(name: str, train: list, test: list) -> None:
    chance = random.Random(SEED)
    chance.shuffle(train)
    chance.shuffle(test)
    save(name, "requests", train[:NUM_REQUESTS])
    save(name, "test", test)


def write_part(name: str, file: str, lines: list) -> None:
    random.Random(SEED).shuffle(lines)
    save(name, file, lines)


def save(name: str, file: str, lines: list) -> None:
    (DEMO / name).mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines)
    with open(DEMO / name / f"{file}.jsonl.gz", "wb") as raw:
        raw.write(gzip.compress(text.encode(), mtime=0))
    print(name, file, len(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
