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
import math
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from wicket.engines import minilm
from wicket.engines.checkpoints.locate import find
from wicket.engines.contract import Classify, Embed, Embedded
from wicket.lab import label_mini
from wicket.lab.calibrate import calibrate
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


def fitted(loss: Callable[[torch.Tensor], torch.Tensor], inputs: int, labels: int) -> torch.Tensor:
    """Weights (labels, inputs + 1) at the loss's minimum."""
    weights = torch.zeros(labels, inputs, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss(weights)
        value.backward()
        return value

    optimizer.step(closure)
    return weights.detach()


def tfidf(train: Rows, test: Rows, labels: Sequence[str]) -> list[str]:
    """TF-IDF of words and neighbouring pairs, sublinear; one linear SVM a label (squared hinge, C 1)."""

    def features(text: str) -> Counter[str]:
        words = re.findall(r"\w\w+", text.casefold())
        return Counter([*words, *map(" ".join, pairwise(words))])

    found = [features(text) for text, _ in train]
    frequency = Counter(feature for each in found for feature in each)
    place = {feature: index for index, feature in enumerate(frequency)}
    idf = {f: math.log((1 + len(train)) / (1 + count)) + 1 for f, count in frequency.items()}

    def matrix(rows: Sequence[Counter[str]]) -> torch.Tensor:
        at, values = [], []
        for number, each in enumerate(rows):
            pairs = [(place[f], (1 + math.log(n)) * idf[f]) for f, n in each.items() if f in place]
            norm = math.sqrt(sum(value * value for _, value in pairs)) or 1.0
            at += [(number, column) for column, _ in pairs] + [(number, len(place))]
            values += [value / norm for _, value in pairs] + [1.0]
        shape = (len(rows), len(place) + 1)
        return torch.sparse_coo_tensor(torch.tensor(at).T, torch.tensor(values), shape).coalesce()

    x = matrix(found)
    numbers = {label: index for index, label in enumerate(labels)}
    signs = 2 * F.one_hot(torch.tensor([numbers[label] for _, label in train]), len(labels)).float() - 1

    def loss(weights: torch.Tensor) -> torch.Tensor:
        scores = torch.sparse.mm(x, weights.T)
        return 0.5 * (weights**2).sum() + (F.relu(1 - signs * scores) ** 2).sum()

    weights = fitted(loss, len(place) + 1, len(labels))
    scores = torch.sparse.mm(matrix([features(text) for text, _ in test]), weights.T)
    return [labels[index] for index in scores.argmax(1).tolist()]


def frozen(base: Path, train: Rows, test: Rows, labels: Sequence[str]) -> list[str]:
    """The untouched encoder's vectors with multinomial logistic regression (C 10)."""
    engine = minilm.load(base, threads=1, cache_dir=None)

    def vectors(rows: Rows) -> torch.Tensor:
        engine.submit(Embed(1, [text for text, _ in rows]))
        events: list[Any] = []
        while not engine.is_idle():
            events += engine.step()
        found = next(event for event in events if isinstance(event, Embedded))
        return F.pad(torch.tensor(found.vectors), (0, 1), value=1.0)

    x, numbers = vectors(train), {label: index for index, label in enumerate(labels)}
    targets = torch.tensor([numbers[label] for _, label in train])

    def loss(weights: torch.Tensor) -> torch.Tensor:
        return 0.5 * (weights**2).sum() + 10 * F.cross_entropy(x @ weights.T, targets, reduction="sum")

    weights = fitted(loss, x.shape[1], len(labels))
    found = (vectors(test) @ weights.T).argmax(1).tolist()
    engine.close()
    return [labels[index] for index in found]


def area(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Area under the ROC curve, ties counted half."""
    values, is_positive = np.asarray(scores), np.asarray(positive)
    ordered = np.sort(values[~is_positive])
    below = np.searchsorted(ordered, values[is_positive], "left")
    up_to = np.searchsorted(ordered, values[is_positive], "right")
    return float(((below + up_to) / 2).mean() / len(ordered))


def speed(folder: Path, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds of one text at a time in the engine with one thread: wall and processor time."""
    engine = minilm.load(folder / label_mini.MODEL_FOLDER, threads=1, cache_dir=None)
    walls, cpus = [], []
    for number, text in enumerate(texts):
        wall, cpu = time.perf_counter(), time.process_time()
        engine.submit(Classify(number + 1, [text], 1))
        engine.step()
        walls.append(1e3 * (time.perf_counter() - wall))
        cpus.append(1e3 * (time.process_time() - cpu))
    engine.close()
    cuts = {"wall": statistics.quantiles(walls, n=100), "cpu": statistics.quantiles(cpus, n=100)}
    return {f"{kind}_ms_p{p}": cuts[kind][p - 1] for kind in cuts for p in (50, 99)}


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


def out_of_scope(test: Rows, said: Sequence[str], claimed: Sequence[float], floor: float) -> dict[str, float]:
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
    labels = sorted({label for _, label in train})
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
        others["tfidf"] = tfidf(train, test, labels)
        others["frozen"] = frozen(base, train, test, labels)
    said, facts = judged(given.out, train, validation, test)
    report |= facts | speed(given.out, [text for text, _ in test[:: max(1, len(test) // 500)]])
    for name, other in others.items():
        right = sum(one == label for one, (_, label) in zip(other, test, strict=True))
        report[f"less_{name}"] = {"its": right / len(test), "difference": difference(said, other, test)}
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
