"""A router: from a question's signals to how hard it is. Weights are data, `router.json`. Pure.

It was learned from public results, question by question, of a small model and a large one. Two judges say
how likely each is right, and a question is worth the large one's price where their difference is large. The
small model of those results is not the one that runs here: what carries over is a question's difficulty
(Rasch 1960: a chance is ability minus difficulty, in logits); abilities are measured (`suitability.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import resources

import msgspec

from wicket.errors import OperatorFault

FILE_NAME = "router.json"
VERSION = 1
LIMIT = 5.0  # deviations from the mean beyond which a signal says no more
_MAX_LOGIT = 30.0


class Tree(msgspec.Struct, frozen=True, array_like=True):
    """A complete binary tree, its nodes in level order: at each, a signal above its threshold goes right.

    `leaves` are natural-log odds. A node that splits nothing has the threshold infinity, written as 1e300.
    """

    signals: list[int]
    thresholds: list[float]
    leaves: list[float]


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """How likely one model is right: `slope` times two models' mean logit, plus `offset`.

    One is linear in the scaled signals (`weights`, `bias`) and has `linear_share` of the mean; the other is
    `base` plus a leaf of each tree.
    """

    weights: list[float]
    bias: float
    base: float
    trees: list[Tree]
    linear_share: float
    slope: float = 1.0
    offset: float = 0.0


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a router was learned from. `sha256` is of all its files, in the order of their names."""

    name: str
    licence: str
    small: str
    large: str
    num_rows: int
    num_subjects: int
    sha256: str
    seed: int


class Router(msgspec.Struct, frozen=True, kw_only=True):
    """`means` and `deviations` bring signals, in the order of `names`, to a common scale.

    `typical` is the mean difficulty of each kind of question, and of all ("").
    """

    version: int = VERSION
    names: list[str]
    means: list[float]
    deviations: list[float]
    small: Judge
    large: Judge
    typical: dict[str, float] = {}
    source: Source


class Reading(msgspec.Struct, frozen=True):
    """What a router says of one question.

    `small` and `large` are the chances that the two models of its source are right; `gain` is what the large
    one adds; `difficulty` is in logits, 0 for a question that the small one gets right every other time.
    """

    small: float
    large: float
    gain: float
    difficulty: float


_decode = msgspec.json.Decoder(Router).decode


def read_router(data: bytes) -> Router:
    """A router in a file's bytes. Raises `OperatorFault` for one that is damaged or of another version."""
    try:
        router = _decode(data)
        fault = _fault(router)
    except (msgspec.DecodeError, RecursionError) as error:
        fault = str(error)
    if fault:
        message = f"{FILE_NAME} can't be used ({fault}): make it anew with python -m wicket.lab.router."
        raise OperatorFault("bad_router", message)
    return router


def shipped() -> Router:
    """The router that comes with Wicket."""
    return read_router(resources.files("wicket.minis").joinpath(FILE_NAME).read_bytes())


def read(router: Router, signals: Mapping[str, float]) -> Reading:
    """Judge one question by its signals."""
    raw = [signals[name] for name in router.names]
    scaled = [
        max(-LIMIT, min(LIMIT, (value - mean) / deviation))
        for value, mean, deviation in zip(raw, router.means, router.deviations, strict=True)
    ]
    logit = judged(router.small, raw, scaled)
    small, large = chance(logit), chance(judged(router.large, raw, scaled))
    return Reading(small, large, large - small, -logit)


def judged(judge: Judge, raw: Sequence[float], scaled: Sequence[float]) -> float:
    """The logit of a judge's model being right."""
    linear = judge.bias + sum(weight * value for weight, value in zip(judge.weights, scaled, strict=True))
    grown = judge.base + sum(_leaf(tree, raw) for tree in judge.trees)
    mean = judge.linear_share * linear + (1 - judge.linear_share) * grown
    return judge.offset + judge.slope * mean


def chance(logit: float) -> float:
    """A probability from natural-log odds."""
    return 1.0 / (1.0 + math.exp(-max(-_MAX_LOGIT, min(_MAX_LOGIT, logit))))


def _leaf(tree: Tree, raw: Sequence[float]) -> float:
    signals, thresholds = tree.signals, tree.thresholds
    node, count = 0, len(signals)
    while node < count:
        node = 2 * node + (2 if raw[signals[node]] > thresholds[node] else 1)
    return tree.leaves[node - count]


def _fault(router: Router) -> str:
    size = len(router.names)
    if router.version != VERSION:
        return f"version {router.version} instead of {VERSION}"
    if len(router.means) != size or len(router.deviations) != size or min(router.deviations, default=1) <= 0:
        return "its scale does not fit its signals"
    for judge in (router.small, router.large):
        if len(judge.weights) != size or not all(_is_sound(tree, size) for tree in judge.trees):
            return "a judge does not fit its signals"
    return ""


def _is_sound(tree: Tree, size: int) -> bool:
    count = len(tree.signals)
    is_whole = len(tree.thresholds) == count and len(tree.leaves) == count + 1 and count & (count + 1) == 0
    return is_whole and all(0 <= signal < size for signal in tree.signals)
