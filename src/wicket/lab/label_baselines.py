"""What a label mini has to be ahead of: two classifiers that need no fine-tuning, fitted to their minimum.

TF-IDF of words and pairs with a linear SVM (squared hinge, C 1), and an untouched encoder's vectors with
multinomial logistic regression (C 10). L-BFGS (Liu & Nocedal 1989) finds the minima:
both problems are convex.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from wicket.engines import minilm
from wicket.engines.contract import Embed, Embedded, Refused
from wicket.errors import EngineFault
from wicket.lab.linear import logistic, minimised, with_ones

HINGE_COST = 1.0
_WORD = re.compile(r"\w\w+")

Rows = Sequence[tuple[str, str]]  # a text and its label


def tfidf(train: Rows, texts: Sequence[str]) -> list[str]:
    """Labels for `texts` by TF-IDF of words and neighbouring pairs, sublinear, and one linear SVM a label."""
    labels = sorted({label for _, label in train})
    counts = [_features(text) for text, _ in train]
    frequency = Counter(feature for each in counts for feature in each)
    place = {feature: index for index, feature in enumerate(frequency)}
    idf = {f: math.log((1 + len(train)) / (1 + count)) + 1 for f, count in frequency.items()}
    x = _matrix(counts, place, idf)
    signs = 2 * F.one_hot(_targets(train, labels), len(labels)).float() - 1

    def loss(weights: Tensor) -> Tensor:
        missed = F.relu(1 - signs * torch.sparse.mm(x, weights.T))
        return 0.5 * (weights**2).sum() + HINGE_COST * (missed**2).sum()

    weights = minimised(loss, len(place) + 1, len(labels))
    scores = torch.sparse.mm(_matrix([_features(text) for text in texts], place, idf), weights.T)
    return [labels[index] for index in scores.argmax(1).tolist()]


def frozen(base: Path, train: Rows, texts: Sequence[str]) -> list[str]:
    """Labels for `texts` by the vectors of the encoder in the folder `base` and logistic regression."""
    labels = sorted({label for _, label in train})
    x, asked = _vectors(base, [text for text, _ in train]), _vectors(base, texts)
    weights = logistic(x, _targets(train, labels), len(labels))
    return [labels[index] for index in (asked @ weights.T).argmax(1).tolist()]


def _features(text: str) -> Counter[str]:
    words = _WORD.findall(text.casefold())
    return Counter([*words, *map(" ".join, pairwise(words))])


def _matrix(rows: Sequence[Counter[str]], place: dict[str, int], idf: dict[str, float]) -> Tensor:
    """Unit rows (texts, features + 1), the last column being 1."""
    at, values = [], []
    for number, each in enumerate(rows):
        pairs = [(place[f], (1 + math.log(n)) * idf[f]) for f, n in each.items() if f in place]
        norm = math.sqrt(sum(value * value for _, value in pairs)) or 1.0
        at += [(number, column) for column, _ in pairs] + [(number, len(place))]
        values += [value / norm for _, value in pairs] + [1.0]
    at_rows, shape = torch.tensor(at).T, (len(rows), len(place) + 1)
    return torch.sparse_coo_tensor(at_rows, torch.tensor(values), shape, check_invariants=True).coalesce()


def _vectors(base: Path, texts: Sequence[str]) -> Tensor:
    """Of the engine, with a column of ones."""
    engine = minilm.load(base, threads=1, cache_dir=None)
    engine.submit(Embed(1, list(texts)))
    events: list[Any] = []
    try:
        while not engine.is_idle():
            events += engine.step()
    finally:
        engine.close()
    for event in events:
        if isinstance(event, Refused):
            raise EngineFault(event.code, event.message)
    found = next(event for event in events if isinstance(event, Embedded))
    return with_ones(torch.tensor(found.vectors))


def _targets(train: Rows, labels: Sequence[str]) -> Tensor:
    numbers = {label: index for index, label in enumerate(labels)}
    return torch.tensor([numbers[label] for _, label in train])
