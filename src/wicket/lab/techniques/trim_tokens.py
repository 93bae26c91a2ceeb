"""A smaller vocabulary of byte-level BPE: what the task uses, the commonest of the rest, and every byte.

Tokens are learned in the order of how often their merge was seen (Sennrich et al. 2016; Radford et al. 2019),
so the commonest are those of the first merges. A token that stays keeps all that it is merged from. Text that
was looked at is cut as before therefore: each merge that leads to its tokens is still there, and the first
that applies still comes first. Any other text is spelled by shorter tokens, at worst byte by byte, and comes
back the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

NORMAL = 1  # the kind of an ordinary token: gguf.md, `tokenizer.ggml.token_type`


class Words(msgspec.Struct, frozen=True):
    """A byte-level vocabulary as GGUF has it: spellings and kinds by id, merges ("left right") by rank."""

    tokens: Sequence[str]
    kinds: Sequence[int]
    merges: Sequence[str]


def kept_tokens(words: Words, seen: Iterable[int], size: int) -> list[int]:
    """The ids to keep, in order: every one that no merge makes (bytes, control tokens), all of `seen` and
    what they are merged from, then by rank up to `size`. There may be more than `size` if more was seen.
    """
    ranks = {merge: rank for rank, merge in enumerate(words.merges)}
    numbers = {token: number for number, token in enumerate(words.tokens)}
    merged = [merge.replace(" ", "", 1) for merge in words.merges]
    made = set(merged)
    kept = {number for number, token in enumerate(words.tokens) if token not in made}
    kept |= {number for number, kind in enumerate(words.kinds) if kind != NORMAL}
    for number in set(seen) - kept:
        kept |= {numbers[part] for part in parts_of(words.tokens[number], ranks)}
    for token in merged:
        if len(kept) >= size:
            break
        if token in numbers:
            kept |= {numbers[part] for part in parts_of(token, ranks)}
    return sorted(kept)


def parts_of(token: str, ranks: dict[str, int]) -> set[str]:
    """A token with all that BPE goes through on the way to it, its single letters apart."""
    cut = list(token)
    found = {token}
    while len(cut) > 1:
        pairs = [f"{left} {right}" for left, right in pairwise(cut)]
        first = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)))
        if first not in ranks:
            break
        place = pairs.index(first)
        cut[place : place + 2] = [cut[place] + cut[place + 1]]
        found.add(cut[place])
    return found


def trimmed(words: Words, kept: Sequence[int]) -> Words:
    """The vocabulary of these tokens only, numbered by their place in the list."""
    tokens = [words.tokens[number] for number in kept]
    known = set(tokens)

    def stays(merge: str) -> bool:
        left, _, right = merge.partition(" ")
        return known >= {left, right, left + right}

    return Words(
        tokens,
        [words.kinds[number] for number in kept],
        [merge for merge in words.merges if stays(merge)],
    )
