"""A linear head over an encoder's unit vectors: which of few labels a text has, and how sure that is.

Names as in Hugging Face checkpoints (`classifier.weight`, `classifier.bias`, `id2label`, and
`classifier_pooling` of ModernBERT's configuration); `classifier.centroids` is ours: the mean direction of
each label's training texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.engines.checkpoints.gguf import broken
from wicket.engines.checkpoints.safetensors_file import SafetensorsFile
from wicket.engines.contract import Certainty
from wicket.errors import EngineFault

WEIGHT, BIAS, CENTROIDS = "classifier.weight", "classifier.bias", "classifier.centroids"
POOLING = "mean"
MAX_LABELS = 4096
MAX_LABEL_CHARACTERS = 256

Floats = NDArray[np.float32]


class LabelHead:
    """`weight` and `centroids` are (labels, hidden); a label without training texts has a zero centroid."""

    def __init__(self, labels: Sequence[str], weight: Floats, bias: Floats, centroids: Floats) -> None:
        self.labels = list(labels)
        self._weight = weight
        self._bias = bias
        self._centroids = centroids

    def judge(self, vectors: Floats, top: int) -> list[tuple[list[tuple[str, float]], Certainty]]:
        """For each row its `top` labels (0: all) with probabilities, best first, and how sure that is."""
        logits = (vectors @ self._weight.T + self._bias).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        chances = np.exp(logprobs)
        entropies = -(chances * logprobs).sum(axis=1)
        order = np.argsort(-logprobs, axis=1, kind="stable")
        likeness = vectors @ self._centroids.T
        judged = []
        for row, ranked in enumerate(order):
            best, second = ranked[0], ranked[1]
            shown = ranked[:top] if top else ranked
            labels = [(self.labels[index], float(chances[row, index])) for index in shown]
            certainty = Certainty(
                logprob=float(logprobs[row, best]),
                margin=float(logprobs[row, best] - logprobs[row, second]),
                entropy=float(entropies[row]),
                similarity=float(likeness[row, best]),
            )
            judged.append((labels, certainty))
        return judged


def read_head(config: dict[str, Any], file: SafetensorsFile, hidden: int) -> LabelHead | None:
    """The head of a checkpoint; None if it has none. Raises `EngineFault` for one that can't be used."""
    if WEIGHT not in file:
        return None
    if config.get("classifier_pooling") != POOLING:
        message = "The checkpoint's classifier reads something else than the mean of its tokens."
        raise EngineFault("bad_checkpoint", message)
    labels = _labels(config)
    shapes = {WEIGHT: (len(labels), hidden), BIAS: (len(labels),), CENTROIDS: (len(labels), hidden)}
    tensors = {}
    for name, shape in shapes.items():
        if name not in file:
            raise broken(f"has no tensor '{name}'")
        tensors[name] = file.tensor(name)
        if tensors[name].shape != shape or not np.isfinite(tensors[name]).all():
            raise broken(f"has '{name}' in another shape than {list(shape)}, or without numbers")
    return LabelHead(labels, tensors[WEIGHT], tensors[BIAS], tensors[CENTROIDS])


def _labels(config: dict[str, Any]) -> list[str]:
    """`id2label` as a list. Raises `EngineFault` unless it numbers different texts from 0."""
    try:
        named = msgspec.convert(config.get("id2label"), dict[str, str])
    except msgspec.ValidationError:
        named = {}
    labels = [named.get(str(index), "") for index in range(len(named))]
    fits = all(0 < len(label) <= MAX_LABEL_CHARACTERS for label in labels)
    if not 2 <= len(labels) <= MAX_LABELS or not fits or len(set(labels)) < len(labels):
        raise broken("has a classifier without a usable 'id2label' in config.json")
    return labels
