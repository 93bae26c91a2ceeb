"""Which examples are probably answered wrongly though nothing in them is broken. Pure.

Two witnesses. A model that has seen all examples once or twice has learned what most of them say; those that
it still finds unlikely are suspects (`by_loss`: small losses are learned first, Arpit et al. 2017; the losses
of right and wrong answers are two heaps, Arazo et al. 2019). Before any training, the words of the other
requests foretell the label of this one (`by_words`: naive Bayes on data that it was not fitted to, with the
thresholds of confident learning, Northcutt et al. 2021).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.lab.examples import Sample
from wicket.lab.shapes import as_object
from wicket.lab.shingles import words

LEAST_LOSSES = 50
MAX_SHARE = 0.35  # more than that can't be suspects: then it is the task that is hard
LEAST_GAP = 2.0  # deviations of the lower heap between the means of the two
LEAST_ODDS = 0.9  # the probability of the upper heap from which one is a suspect
FAR = 6.0  # robust deviations above the median, where there are no two heaps
ROUNDS = 200
NUM_FOLDS = 5
MAX_WORDS = 1 << 15
LEAST_OF_CLASS = 5
SMOOTHING = 0.1
HOLLOW = 0.5
MARGIN = 8.0  # nats between the foretold label and the given one; naive Bayes is sure of itself too soon

Floats = NDArray[np.float64]


class Suspects(msgspec.Struct, frozen=True):
    """`places` of the suspects, rising. `threshold` is the loss from which one is, infinite if none is.

    `rule` says how it was found: "two_heaps", "far_out", "words" or "none"; `share` is the suspects' share.
    """

    places: tuple[int, ...]
    threshold: float
    rule: str
    share: float


def by_loss(losses: Sequence[float]) -> Suspects:
    """The suspects among examples, from each one's loss (mean per token of its answer, in nats).

    A loss that is no finite number makes a suspect in any case. Fewer than `LEAST_LOSSES` show nothing.
    """
    values = np.asarray(losses, dtype=np.float64)
    is_finite = np.isfinite(values)
    threshold, rule = np.inf, "none"
    if int(is_finite.sum()) >= LEAST_LOSSES:
        logs = np.log(np.maximum(values[is_finite], 0.0) + 1e-3)
        found = _two_heaps(logs)
        threshold, rule = (found, "two_heaps") if found is not None else (_far_out(logs), "far_out")
        threshold = float(np.exp(threshold) - 1e-3)
    is_suspect = ~is_finite | (np.where(is_finite, values, np.inf) > threshold)
    places = tuple(np.flatnonzero(is_suspect).tolist())
    return Suspects(places, float(threshold), rule if places else "none", len(places) / max(1, len(values)))


def by_words(samples: Sequence[Sample], kind: str) -> Suspects:
    """The suspects among the samples of a task with labels, or among JSON objects by which keys they have.

    Each example is judged by what four fifths of the others teach; a text task has no suspects. Hard examples
    are taken for wrong ones now and then (up to 5 in 100 of clean data), so leave them out of training only,
    never of validation and test, and only if there are more suspects than that.
    """
    if kind not in ("label", "json") or len(samples) < LEAST_LOSSES:
        return Suspects((), np.inf, "none", 0.0)
    classes = [_class_of(sample, kind) for sample in samples]
    names = {name: number for number, name in enumerate(sorted(set(classes)))}
    given = np.array([names[name] for name in classes])
    logs = _out_of_fold(samples, given, len(names))
    own = logs[np.arange(len(given)), given]
    sizes = np.bincount(given, minlength=len(names))
    usual = np.bincount(given, weights=np.exp(own), minlength=len(names)) / np.maximum(1, sizes)
    # A label that its own words never foretell is a bad witness against others ("other", or pure garbage).
    is_witness = (sizes >= LEAST_OF_CLASS) & (usual >= HOLLOW * float(np.median(usual[given])))
    sure = np.where(is_witness, usual, np.inf)[None, :] <= np.exp(logs)
    best = np.where(sure, logs, -np.inf).max(axis=1)
    is_suspect = best - own > MARGIN
    places = tuple(np.flatnonzero(is_suspect).tolist())
    return Suspects(places, np.inf, "words" if places else "none", len(places) / len(samples))


def _two_heaps(logs: Floats) -> float | None:
    """Where the upper of two normal heaps begins (EM); None where the upper is none, or too large."""
    means = np.quantile(logs, [0.25, 0.97])
    deviations = np.full(2, max(float(logs.std()), 1e-3))
    shares = np.array([0.9, 0.1])
    for _ in range(ROUNDS):
        belongs = _belongs(logs, means, deviations, shares)
        sums = belongs.sum(axis=0) + 1e-9
        new = (belongs * logs[:, None]).sum(axis=0) / sums
        spread = (belongs * (logs[:, None] - new) ** 2).sum(axis=0) / sums
        deviations, shares = np.sqrt(spread) + 0.05, sums / sums.sum()
        is_settled = bool(np.abs(new - means).max() < 1e-6)
        means = new
        if is_settled:
            break
    low, high = np.argsort(means)
    belongs = _belongs(logs, means, deviations, shares)
    chosen = (belongs[:, high] >= LEAST_ODDS) & (logs > means[low])
    gap = (means[high] - means[low]) / max(float(deviations[low]), 0.25)
    if gap < LEAST_GAP or not chosen.any() or chosen.mean() > MAX_SHARE:
        return None
    return float(np.nextafter(logs[chosen].min(), -np.inf))


def _belongs(logs: Floats, means: Floats, deviations: Floats, shares: Floats) -> Floats:
    scores = -0.5 * ((logs[:, None] - means) / deviations) ** 2 + np.log(shares / deviations)
    scores -= scores.max(axis=1, keepdims=True)
    weights = np.exp(scores)
    shared: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shared


def _far_out(logs: Floats) -> float:
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))  # the deviation of a normal heap
    return middle + FAR * max(spread, 0.1)


def _class_of(sample: Sample, kind: str) -> str:
    if kind == "label":
        return " ".join(sample.answer.split())
    found = as_object(sample.answer)
    return "" if found is None else ",".join(sorted(found))


def _out_of_fold(samples: Sequence[Sample], given: NDArray[np.int64], num_classes: int) -> Floats:
    """The log-probability of every class for every sample, by naive Bayes over the other folds."""
    found = [_features(sample.text) for sample in samples]
    counts = Counter(feature for features in found for feature in features)
    known = {feature: place for place, (feature, _) in enumerate(counts.most_common(MAX_WORDS))}
    columns = [np.array([known[f] for f in features if f in known], dtype=np.int64) for features in found]
    folds = np.array([_fold(sample) for sample in samples])
    result = np.zeros((len(samples), num_classes))
    for fold in range(NUM_FOLDS):
        table = np.full((len(known), num_classes), SMOOTHING)
        for place in np.flatnonzero(folds != fold).tolist():
            table[columns[place], given[place]] += 1
        prior = np.log(np.bincount(given[folds != fold], minlength=num_classes) + SMOOTHING)
        table = np.log(table / table.sum(axis=0))
        for place in np.flatnonzero(folds == fold).tolist():
            result[place] = prior + table[columns[place]].sum(axis=0)
    result -= result.max(axis=1, keepdims=True)
    normal: Floats = result - np.log(np.exp(result).sum(axis=1, keepdims=True))
    return normal


def _features(text: str) -> set[str]:
    found = words(text)
    return {*found, *(f"{one} {other}" for one, other in pairwise(found))}


def _fold(sample: Sample) -> int:
    """Equal requests are in one fold, whatever their order."""
    text = " ".join(words(sample.text))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest()[0] % NUM_FOLDS
