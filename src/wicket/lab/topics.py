"""What a heap of free requests is about: topics by sentence embeddings. Pure.

Spherical k-means (Dhillon and Modha 2001) from far points, without chance; the number of topics is the one
whose texts lie best within their own (the simplified silhouette of Hruschka et al. 2006).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from wicket.lab.shingles import words

MAX_TOPICS = 6
MAX_TEXTS = 2_000  # of a heap are embedded; the rest are taken to be like them
LEAST_TEXTS = 60
LEAST_OF_TOPIC = 10
LEAST_SILHOUETTE = 0.2  # less is one topic
LEAST_GAIN = 0.03  # another topic must be worth it
ROUNDS = 50
NAMING_WORDS = 4
LEAST_RATIO = 2.0  # a word that names a topic is so many times more frequent there

Vectors = NDArray[np.float32]


class Topic(msgspec.Struct, frozen=True):
    """Places of a topic's texts, and the words that set it apart from the others."""

    places: tuple[int, ...]
    words: tuple[str, ...]


def sampled(texts: Sequence[str], most: int = MAX_TEXTS) -> list[int]:
    """At most so many places, always the same texts whatever their order."""
    if len(texts) <= most:
        return list(range(len(texts)))
    keys = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts]
    return sorted(sorted(range(len(texts)), key=lambda place: (keys[place], place))[:most])


def find_topics(texts: Sequence[str], vectors: Vectors) -> list[Topic]:
    """Topics, the largest first; one that holds all where there are none. `vectors` have length 1."""
    best, chosen = LEAST_SILHOUETTE, np.zeros(len(texts), dtype=np.int64)
    for number in range(2, MAX_TOPICS + 1):
        if len(texts) < max(LEAST_TEXTS, number * LEAST_OF_TOPIC):
            break
        centres = _centres(vectors, number)
        belongs = (vectors @ centres.T).argmax(axis=1)
        if np.bincount(belongs, minlength=number).min() < LEAST_OF_TOPIC:
            continue
        value = _silhouette(vectors, centres)
        if value > best + LEAST_GAIN:
            best, chosen = value, belongs
    places = [np.flatnonzero(chosen == number).tolist() for number in sorted(set(chosen.tolist()))]
    places.sort(key=lambda of_topic: (-len(of_topic), of_topic))
    counts = [Counter(word for place in part for word in set(words(texts[place]))) for part in places]
    sizes = [len(part) for part in places]
    return [Topic(tuple(part), _naming(counts, sizes, index)) for index, part in enumerate(places)]


def _centres(vectors: Vectors, number: int) -> Vectors:
    """Centres after k-means; the first is what all are most like, each next one the farthest."""
    first = int((vectors @ vectors.mean(axis=0)).argmax())
    picked = [first]
    nearest = vectors @ vectors[first]
    for _ in range(number - 1):
        picked.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[picked[-1]])
    centres = vectors[picked]
    belongs = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        found = (vectors @ centres.T).argmax(axis=1)
        if (found == belongs).all():
            break
        belongs = found
        sums = np.stack(
            [
                vectors[belongs == index].sum(axis=0) if (belongs == index).any() else centres[index]
                for index in range(number)
            ]
        )
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return centres


def _silhouette(vectors: Vectors, centres: Vectors) -> float:
    distances = np.sort(1.0 - vectors @ centres.T, axis=1)[:, :2]
    return float(((distances[:, 1] - distances[:, 0]) / np.maximum(distances[:, 1], 1e-6)).mean())


def _naming(counts: Sequence[Counter[str]], sizes: Sequence[int], index: int) -> tuple[str, ...]:
    """The words that are much more frequent here than elsewhere, weighted by how frequent."""
    own, total = counts[index], sum(counts, Counter[str]())
    weights = {}
    for word, number in own.items():
        inside = number / sizes[index]
        outside = (total[word] - number + 0.5) / (sum(sizes) - sizes[index] + 1)
        if len(word) > 2 and number > 1 and inside > LEAST_RATIO * outside:
            weights[word] = inside * math.log(inside / outside)
    return tuple(sorted(weights, key=lambda word: (-weights[word], word))[:NAMING_WORDS])
