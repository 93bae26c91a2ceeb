"""Documents that hold what the evaluation data asks: who learned them would be judged by memory.

Three exact measures: the same words (whatever case and punctuation); `n` words in a row in common (13 as in
Brown et al. 2020, appendix C); nearly the same request by Jaccard similarity of word 3-grams. What stands
in more than `template_share` of the evaluation documents is their template, no question, and does not count
for words in a row.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec

from wicket.errors import CallerFault
from wicket.lab.data.document import Document, Shard, answer_text, request_text
from wicket.lab.data.step import Outcome, Removed
from wicket.lab.shingles import WORDS_PER_SHINGLE, words

VERSION = 1
SCOPE = "document"
_LEAST_FOR_TEMPLATE = 10  # of fewer evaluation documents nothing is called a template
_SHOWN_CHARACTERS = 120


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`n` 0 and `near` 1 leave those measures out. `answers`: long answers of the evaluation count too."""

    n: Annotated[int, msgspec.Meta(ge=0)] = 13
    near: Annotated[float, msgspec.Meta(ge=0.3, le=1.0)] = 0.8
    template_share: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.2
    answers: bool = True


class Index(msgspec.Struct):
    """The evaluation data by what is looked for; values are places in it."""

    origins: list[str]
    whole: dict[str, int]
    grams: dict[str, int]
    shingled: dict[str, list[int]]
    sizes: list[int]


def apply(shard: Shard, options: Options, evaluation: Shard) -> Outcome:
    """Take out what the evaluation holds; `where` says which line, and the words."""
    if not evaluation:
        message = "Step decontaminate: name the evaluation data to be kept out: --against EVAL.jsonl."
        raise CallerFault("no_evaluation", message)
    index = build(evaluation, options)
    kept, removed = [], []
    touched: set[str] = set()
    for document in shard:
        hit = _hit(document, index, options)
        if hit is None:
            kept.append(document)
            continue
        reason, origin, shown = hit
        touched.add(origin)
        removed.append(Removed(document, reason, f"{origin}: {shown}" if shown else origin))
    return Outcome(
        kept, removed, found={"evaluation_documents": len(evaluation), "found_again": len(touched)}
    )


def build(evaluation: Shard, options: Options) -> Index:
    """The index of the evaluation data."""
    index = Index([document.origin for document in evaluation], {}, {}, defaultdict(list), [])
    num_with: Counter[str] = Counter()
    for place, document in enumerate(evaluation):
        asked = words(_asked(document), None)
        index.whole.setdefault(" ".join(asked), place)
        mine = set(_shingles(asked))
        index.sizes.append(len(mine))
        for shingle in mine:
            index.shingled[shingle].append(place)
        found = {gram for text in _texts(document, options) for gram in _grams(words(text, None), options.n)}
        num_with.update(found)
        for gram in found:
            index.grams.setdefault(gram, place)
    if len(evaluation) >= _LEAST_FOR_TEMPLATE:
        limit = max(1.0, options.template_share * len(evaluation))
        for gram, number in num_with.items():
            if number > limit:
                del index.grams[gram]
    return index


def _hit(document: Document, index: Index, options: Options) -> tuple[str, str, str] | None:
    """Reason, the evaluation's place, and the words in common."""
    asked = words(_asked(document), None)
    whole = " ".join(asked)
    if whole and whole in index.whole:
        return "same_words", index.origins[index.whole[whole]], ""
    for text in (request_text(document), answer_text(document)):
        found = words(text, None)
        for gram in _grams(found, options.n):
            if gram in index.grams:
                return "words_in_a_row", index.origins[index.grams[gram]], gram[:_SHOWN_CHARACTERS]
    if options.near < 1.0:
        place, similarity = _nearest(set(_shingles(asked)), index)
        if similarity >= options.near:
            return "nearly_same", index.origins[place], f"similarity {similarity:.2f}"
    return None


def _nearest(mine: set[str], index: Index) -> tuple[int, float]:
    shared = Counter(place for shingle in mine for place in index.shingled.get(shingle, ()))
    best, highest = -1, 0.0
    for place, both in sorted(shared.items()):
        similarity = both / (len(mine) + index.sizes[place] - both)
        if similarity > highest:
            best, highest = place, similarity
    return best, highest


def _asked(document: Document) -> str:
    return request_text(document) or answer_text(document)


def _texts(document: Document, options: Options) -> Iterator[str]:
    yield request_text(document)
    if options.answers or not document.messages:
        yield answer_text(document)


def _grams(found: Sequence[str], size: int) -> Iterator[str]:
    if size:
        for at in range(len(found) - size + 1):
            yield " ".join(found[at : at + size])


def _shingles(found: Sequence[str]) -> Iterator[str]:
    yield from _grams([*found, *[""] * (WORDS_PER_SHINGLE - len(found))], WORDS_PER_SHINGLE)
