"""How like the training requests a request is: its letters' trigrams against those of training. Pure.

A text in another language, or another kind of text in the same one, is made of other trigrams. The measure is
the mean log-probability of a text's trigrams under the training texts' own, with unseen ones at a floor. It
costs some microseconds per word, and needs no model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

MAX_TRIGRAMS = 20_000
MAX_CHARACTERS = 4_096  # of a text are looked at


class Familiarity(msgspec.Struct, frozen=True):
    """`known` are natural log-probabilities of the commonest trigrams, `unseen` that of all others."""

    known: dict[str, float] = {}
    unseen: float = 0.0


def learn(texts: Iterable[str]) -> Familiarity:
    """Count the trigrams of training requests."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_trigrams(text))
    total = sum(counts.values()) + 1
    known = {trigram: math.log(number / total) for trigram, number in counts.most_common(MAX_TRIGRAMS)}
    return Familiarity(known, math.log(0.5 / total))


def familiarity(learnt: Familiarity, text: str) -> float:
    """The mean log-probability of a text's trigrams; 0 where nothing was learnt."""
    if not learnt.known:
        return 0.0
    found: Sequence[str] = _trigrams(text)
    known, unseen = learnt.known, learnt.unseen
    return sum(known.get(trigram, unseen) for trigram in found) / len(found)


def _trigrams(text: str) -> list[str]:
    padded = f"  {text[:MAX_CHARACTERS].casefold()} "
    return [padded[start : start + 3] for start in range(len(padded) - 2)]
