"""Label minis beside what is usual, on one split: accuracy with paired intervals, refusal, size and speed.

    .venv/bin/python bench/labels.py banking77 FOLDER/train.csv --out DIR [--small]
    .venv/bin/python bench/labels.py clinc150 FOLDER/data_full.json --train 2000 --out DIR

banking77's training file is split 80 to 20, clinc150 keeps its own parts, with its out-of-scope questions as
the label "oos". The usual: TF-IDF of words and pairs with a linear SVM, and MiniLM's vectors with logistic
regression, both fitted to the end. Everything of the mini is measured on the exported folder in the engine,
one text at a time, with one thread. Needs `make lab`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from wicket.engines.checkpoints.locate import find
from wicket.lab import label_mini
from wicket.lab.calibrate import calibrate
from wicket.lab.label_baselines import frozen, tfidf
from wicket.lab.label_figures import area, speed
from wicket.lab.label_mini import Small
from wicket.lab.mini_data import Lesson
from wicket.lab.techniques.fine_tune_encoder import Plan
from wicket.minis.confidence import confidence, floor_for_quality, interval
from wicket.minis.familiarity import familiarity, learn

Rows = list[tuple[str, str]]
OUT_OF_SCOPE = "oos"
ROUNDS = 2_000


def banking77(path: Path, seed: int, limit: int) -> tuple[Rows, Rows, Rows]:
    """80 % to learn from, 20 % to judge, nothing to calibrate on."""
    with path.open(newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    random.Random(seed).shuffle(rows)
    cut = len(rows) * 8 // 10
    return rows[:cut][: limit or None], [], rows[cut:]


def clinc150(path: Path, seed: int, limit: int) -> tuple[Rows, Rows, Rows]:
    """The parts of the file; out-of-scope questions are in each of them."""
    parts = json.loads(path.read_text())

    def rows(part: str) -> Rows:
        return [(text, label) for text, label in parts[part] + parts[f"oos_{part}"]]

    train = rows("train")
    random.Random(seed).shuffle(train)
    return train[: limit or None], rows("val"), rows("test")


def judged(folder: Path, train: Rows, validation: Rows, test: Rows) -> tuple[list[str], dict[str, Any]]:
    """The mini's labels for the test part, and everything that is to be said of them."""
    learnt = learn(text for text, _ in train)

    def seen(rows: Rows) -> tuple[list[str], list[list[float]]]:
        picked = label_mini.answer(folder, [text for text, _ in rows])
        pairs = zip(picked, rows, strict=True)
        evidence = [label_mini.evidence_of(each, familiarity(learnt, text)) for each, (text, _) in pairs]
        return [each.text for each in picked], evidence

    said, evidence = seen(test)
    right = [one == label for one, (_, label) in zip(said, test, strict=True)]
    facts: dict[str, Any] = {
        "accuracy": sum(right) / len(right),
        "interval": interval(sum(right), len(right)),
    }
    if validation:
        known, known_evidence = seen(validation)
        was_right = [one == label for one, (_, label) in zip(known, validation, strict=True)]
        calibration = calibrate(known_evidence, was_right, len(validation))
        claimed = [confidence(calibration, each) for each in evidence]
        facts["auroc_of_right"] = area(claimed, right)
        for quality in (0.9, 0.95, 0.98):
            floor = floor_for_quality(calibration, quality)
            taken = [is_right for is_right, value in zip(right, claimed, strict=True) if value >= floor]
            facts[f"at_{quality}"] = {
                "floor": floor,
                "share": len(taken) / len(test),
                "precision": sum(taken) / max(1, len(taken)),
                "interval": interval(sum(taken), len(taken)),
            }
        if any(label == OUT_OF_SCOPE for _, label in test):
            facts |= out_of_scope(test, said, claimed, facts["at_0.95"]["floor"])
    return said, facts


def out_of_scope(
    test: Rows, said: Sequence[str], claimed: Sequence[float], floor: float
) -> dict[str, float | None]:
    """How questions that belong to no label come out."""
    outside = [label == OUT_OF_SCOPE for _, label in test]
    # A question is held for in scope as far as it has another label with confidence.
    scope = [-value if one == OUT_OF_SCOPE else value for one, value in zip(said, claimed, strict=True)]
    inside = [index for index, is_outside in enumerate(outside) if not is_outside]
    strangers = [index for index, is_outside in enumerate(outside) if is_outside]
    answered = [index for index in strangers if said[index] != OUT_OF_SCOPE and claimed[index] >= floor]
    return {
        "in_scope_accuracy": sum(said[index] == test[index][1] for index in inside) / len(inside),
        "oos_recall": sum(said[index] == OUT_OF_SCOPE for index in strangers) / len(strangers),
        "oos_answered_with_a_label": len(answered) / len(strangers),
        "auroc_of_scope": area(scope, [not is_outside for is_outside in outside]),
    }


def difference(one: Sequence[str], other: Sequence[str], test: Rows) -> list[float]:
    """Accuracy of `one` less that of `other`, with a paired bootstrap interval of 95 %."""
    gains = np.array([(a == label) - (b == label) for a, b, (_, label) in zip(one, other, test, strict=True)])
    chance = np.random.default_rng(0)
    means = [gains[chance.integers(0, len(gains), len(gains))].mean() for _ in range(ROUNDS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return [float(gains.mean()), float(low), float(high)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench/labels.py", description=__doc__)
    parser.add_argument("data", choices=("banking77", "clinc150"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--train", type=int, default=0, help="so many examples only")
    parser.add_argument("--epochs", type=int, default=0, help="0: by the number of examples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="distil and trim it as well")
    parser.add_argument("--mini-only", action="store_true", help="without what is usual")
    given = parser.parse_args()
    read = banking77 if given.data == "banking77" else clinc150
    train, validation, test = read(given.file, given.seed, given.train)
    base = find(label_mini.DEFAULT_BASE, given.out).path
    lessons = [Lesson(str(number), text, label) for number, (text, label) in enumerate(train)]
    plan = label_mini.usual_plan(len(train), seed=given.seed)
    if given.epochs:
        plan = Plan(epochs=given.epochs, seed=given.seed)
    started_s = time.process_time()
    fit = label_mini.fit(given.out, base, lessons, plan, Small() if given.small else None)
    report: dict[str, Any] = {
        "train": len(train),
        "test": len(test),
        "fit_cpu_s": time.process_time() - started_s,
        "parameters": fit.num_parameters,
        "bytes": fit.bytes,
        "export_difference": fit.export_difference,
    }
    others: dict[str, list[str]] = {}
    if given.small:
        others["teacher"], report["teacher"] = judged(
            given.out / label_mini.TEACHER_FOLDER, train, validation, test
        )
    if not given.mini_only:
        texts = [text for text, _ in test]
        others = others | {"tfidf": tfidf(train, texts), "frozen": frozen(base, train, texts)}
    said, facts = judged(given.out, train, validation, test)
    chosen = [text for text, _ in test[:: max(1, len(test) // 500)]]
    report |= facts | msgspec.structs.asdict(speed(given.out / label_mini.MODEL_FOLDER, chosen))
    for name, other in others.items():
        right = sum(one == label for one, (_, label) in zip(other, test, strict=True))
        report[f"less_{name}"] = {"its": right / len(test), "difference": difference(said, other, test)}
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
