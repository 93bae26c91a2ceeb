"""Which texts are nearly the same: word 3-grams, MinHash, bands, and the exact measure to settle it. Pure.

MinHash (Broder 1997) estimates the Jaccard similarity of two sets from the least hashes of their members;
bands of such hashes (Indyk and Motwani 1998) bring together whatever may be similar without comparing all
with all. Every pair that is reported was verified by its exact Jaccard similarity.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

NUM_BANDS = 24
NUM_ROWS = 5  # with 24 bands: a pair of similarity 0.8 is missed once in 14,000 (1 - 0.8⁵)²⁴
WORDS_PER_SHINGLE = 3
SEED = 20240229
WIDE_BUCKET = 32  # of a bucket with more members each is compared with so many that follow it
PAIRS_AT_ONCE = 50_000
MAX_CHARACTERS = 50_000  # of a text are looked at

# Scripts that are written without blanks count each sign as a word.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u0e00-\u0eff\u3040-\u9fff]+"
)

Hashes = NDArray[np.uint64]
Indices = NDArray[np.int64]


class Shingles(msgspec.Struct, frozen=True):
    """The 3-grams of several texts, each text's own sorted and once: `values[starts[i]:starts[i + 1]]`."""

    values: Hashes
    starts: Indices

    @property
    def num_texts(self) -> int:
        """How many texts they are of."""
        return len(self.starts) - 1


class Pairs(msgspec.Struct, frozen=True):
    """Texts `first[k]` < `second[k]` have the Jaccard similarity `similarity[k]`."""

    first: Indices
    second: Indices
    similarity: NDArray[np.float64]


def words(text: str, limit: int | None = MAX_CHARACTERS) -> list[str]:
    """The words of a text without case and punctuation; the whole text if it has none.

    Only `limit` characters are looked at, None for all.
    """
    found = _WORD.findall(text[:limit].casefold())
    return found or [text.strip()]


def shingles(texts: Sequence[str]) -> Shingles:
    """The hashed word 3-grams of texts; a shorter text is one shingle."""
    known: dict[str, int] = {}
    ids: list[int] = []
    lengths = np.zeros(len(texts), dtype=np.int64)
    for index, text in enumerate(texts):
        found = words(text)
        found += [""] * (WORDS_PER_SHINGLE - len(found))
        ids.extend(known.setdefault(word, len(known)) for word in found)
        lengths[index] = len(found) - WORDS_PER_SHINGLE + 1
    hashes = np.array([_hash(word) for word in known], dtype=np.uint64)
    flat = hashes[np.array(ids, dtype=np.int64)] if ids else hashes
    owners = np.repeat(np.arange(len(texts)), lengths)
    begins = np.arange(len(owners)) + owners * (WORDS_PER_SHINGLE - 1)
    values = np.zeros(len(owners), dtype=np.uint64)
    for place in range(WORDS_PER_SHINGLE):
        values = _mixed(values * np.uint64(31) + flat[begins + place] + np.uint64(place + 1))
    return _unique(owners, values, len(texts))


def near_pairs(found: Shingles, threshold: float) -> Pairs:
    """All pairs of texts whose similarity is at least `threshold` (from 0.6), but for very few.

    Of texts with equal shingles only neighbours are paired, which is enough to bring them together.
    """
    keys = _set_keys(found)
    order = np.argsort(keys, kind="stable")
    equal = keys[order][1:] == keys[order][:-1]
    twins = np.stack([order[:-1][equal], order[1:][equal]], axis=1)
    alone = np.sort(order[np.concatenate(([True], ~equal))]) if len(order) else order
    near = _candidates(_signatures(found, alone), threshold)
    candidates = np.concatenate([twins, alone[near]])
    candidates.sort(axis=1)
    similarity = jaccard(found, candidates)
    kept = similarity >= threshold
    return Pairs(candidates[kept, 0], candidates[kept, 1], similarity[kept])


def jaccard(found: Shingles, pairs: Indices) -> NDArray[np.float64]:
    """The exact similarity of each pair (rows of two indices)."""
    parts = [_jaccard(found, pairs[at : at + PAIRS_AT_ONCE]) for at in range(0, len(pairs), PAIRS_AT_ONCE)]
    return np.concatenate(parts) if parts else np.zeros(0)


def clusters(num: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `num` items the least index that it is joined with by pairs, directly or over others."""
    parents = list(range(num))

    def root(item: int) -> int:
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return [root(item) for item in range(num)]


@lru_cache(maxsize=1 << 16)
def _hash(word: str) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit depends on every other."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _unique(owners: Indices, values: Hashes, num_texts: int) -> Shingles:
    order = np.lexsort((values, owners))
    owners, values = owners[order], values[order]
    is_new = np.ones(len(values), dtype=np.bool_)
    is_new[1:] = (owners[1:] != owners[:-1]) | (values[1:] != values[:-1])
    counts = np.bincount(owners[is_new], minlength=num_texts)
    return Shingles(values[is_new], np.concatenate(([0], np.cumsum(counts))).astype(np.int64))


def _set_keys(found: Shingles) -> Hashes:
    """A hash of each text's whole set."""
    if not len(found.values):
        return np.zeros(found.num_texts, dtype=np.uint64)
    sums: Hashes = np.add.reduceat(_mixed(found.values), found.starts[:-1])
    return sums


def _signatures(found: Shingles, chosen: Indices) -> NDArray[np.uint32]:
    """The least of every hash function over each chosen text's shingles: a row per text."""
    sizes = found.starts[chosen + 1] - found.starts[chosen]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
    places = np.repeat(found.starts[chosen] - starts, sizes) + np.arange(int(sizes.sum()))
    values = found.values[places]
    draw = np.random.default_rng(SEED)
    num = NUM_BANDS * NUM_ROWS
    factors = draw.integers(0, 1 << 63, num, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    offsets = draw.integers(0, 1 << 63, num, dtype=np.uint64)
    result = np.zeros((len(chosen), num), dtype=np.uint32)
    for place in range(num if len(chosen) else 0):
        hashed = ((values * factors[place] + offsets[place]) >> np.uint64(32)).astype(np.uint32)
        result[:, place] = np.minimum.reduceat(hashed, starts)
    return result


def _candidates(signatures: NDArray[np.uint32], threshold: float) -> Indices:
    """Pairs that share a band and whose signatures do not say that they are far apart."""
    least = threshold - 0.25  # five deviations of an estimate from 120 hashes
    num = max(1, len(signatures))
    seen = np.zeros(0, dtype=np.int64)
    for band in range(NUM_BANDS):
        rows = signatures[:, band * NUM_ROWS : (band + 1) * NUM_ROWS].astype(np.uint64)
        keys = np.zeros(len(rows), dtype=np.uint64)
        for place in range(NUM_ROWS):
            keys = _mixed(keys * np.uint64(31) + rows[:, place] + np.uint64(1))
        pairs = _bucket_pairs(keys)
        estimates = np.concatenate(
            [
                (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(axis=1)
                for part in np.array_split(pairs, len(pairs) // PAIRS_AT_ONCE + 1)
            ]
        )
        pairs = pairs[estimates >= least]
        seen = np.union1d(seen, pairs.min(axis=1) * num + pairs.max(axis=1))
    return np.stack([seen // num, seen % num], axis=1)


def _bucket_pairs(keys: Hashes) -> Indices:
    """Pairs of equal keys; in wide buckets each member with those that follow it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    parts = [np.zeros((0, 2), dtype=np.int64)]
    for step in range(1, WIDE_BUCKET + 1):
        equal = ordered[step:] == ordered[:-step]
        if not equal.any():
            break
        parts.append(np.stack([order[:-step][equal], order[step:][equal]], axis=1))
    return np.concatenate(parts)


def _jaccard(found: Shingles, pairs: Indices) -> NDArray[np.float64]:
    starts, ends = found.starts[pairs], found.starts[pairs + 1]
    sizes = (ends - starts).ravel()
    begins = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    places = np.repeat(starts.ravel() - begins, sizes) + np.arange(int(sizes.sum()))
    owners = np.repeat(np.repeat(np.arange(len(pairs)), 2), sizes)
    values = found.values[places]
    order = np.lexsort((values, owners))
    owners, values = owners[order], values[order]
    shared = (owners[1:] == owners[:-1]) & (values[1:] == values[:-1])
    both = np.bincount(owners[1:][shared], minlength=len(pairs)).astype(np.float64)
    totals = (ends - starts).sum(axis=1)
    similarity: NDArray[np.float64] = both / (totals - both)
    return similarity
