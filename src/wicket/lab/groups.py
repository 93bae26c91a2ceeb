"""Which kinds of requests a route carries: by system prompt, template, and what the answers look like. Pure.

A template is a long text that many requests begin or end with. Two tasks in one route come out as two groups,
so that training can number their system prompts, take one of them, or refuse.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from wicket.lab.examples import Sample
from wicket.lab.shapes import as_object

TEMPLATE_WORDS = 8  # requests with so many first (or last) words in common may share a template
TEMPLATE_CHARACTERS = 40
TEMPLATE_SHARE = 0.05
TEMPLATE_REQUESTS = 10
GROUP_SHARE = 0.15  # what fewer answers look like is no task of its own but broken answers of one
GROUP_REQUESTS = 10
LABEL_CHARACTERS = 60
LABEL_SEEN = 3

JSON, LABEL, TEXT = "json", "label", "text"


class Group(msgspec.Struct, frozen=True):
    """One kind of request. `prefix` and `suffix` are its template ("" for none)."""

    number: int
    system: str
    prefix: str
    suffix: str
    kind: str
    num_requests: int

    def bare(self, text: str) -> str:
        """What of a text is not template."""
        return bare(text, self.prefix, self.suffix)


class Grouped(msgspec.Struct, frozen=True):
    """The groups, the largest first, and the samples with their group's number, in the order they came."""

    groups: tuple[Group, ...]
    samples: tuple[Sample, ...]


def find_groups(samples: Sequence[Sample]) -> Grouped:
    """Sort samples into groups. The same samples in another order give the same groups."""
    by_template: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for system, places in _by_system(samples).items():
        texts = [samples[place].text for place in places]
        for place, (prefix, suffix) in zip(places, templates(texts), strict=True):
            by_template[system, prefix, suffix].append(place)
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for key, places in by_template.items():
        kinds = answer_kinds([samples[place].answer for place in places])
        for place, kind in zip(places, kinds, strict=True):
            found.setdefault((*key, kind), []).append(place)
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    numbers = [-1] * len(samples)
    for number, (_, places) in enumerate(ordered):
        for place in places:
            numbers[place] = number
    groups = tuple(Group(number, *key, len(places)) for number, (key, places) in enumerate(ordered))
    numbered = (msgspec.structs.replace(s, group=n) for s, n in zip(samples, numbers, strict=True))
    return Grouped(groups, tuple(numbered))


def templates(texts: Sequence[str]) -> list[tuple[str, str]]:
    """For each text the constant beginning and end that it shares with many others ("" for none)."""
    least = max(TEMPLATE_REQUESTS, TEMPLATE_SHARE * len(texts))
    prefixes = _shared([text.split(None, TEMPLATE_WORDS) for text in texts], texts, least, is_end=False)
    rest = [text[len(prefix) :] for text, prefix in zip(texts, prefixes, strict=True)]
    suffixes = _shared([text.rsplit(None, TEMPLATE_WORDS) for text in rest], rest, least, is_end=True)
    return list(zip(prefixes, suffixes, strict=True))


def bare(text: str, prefix: str, suffix: str) -> str:
    """What of a text is not template; all of it where the template does not fit."""
    if len(text) <= len(prefix) + len(suffix) or not (text.startswith(prefix) and text.endswith(suffix)):
        return text
    return text[len(prefix) : len(text) - len(suffix)]


def answer_kinds(answers: Sequence[str]) -> list[str]:
    """For each answer "json", "label" or "text"; kinds of few answers join the most frequent one."""
    plain = [" ".join(answer.split()) for answer in answers]
    counts = Counter(plain)
    kinds = [
        JSON
        if as_object(answer) is not None
        else LABEL
        if 0 < len(text) <= LABEL_CHARACTERS and counts[text] >= LABEL_SEEN
        else TEXT
        for answer, text in zip(answers, plain, strict=True)
    ]
    numbers = Counter(kinds)
    least = max(GROUP_REQUESTS, GROUP_SHARE * len(kinds))
    main = max(sorted(numbers), key=lambda kind: numbers[kind], default=TEXT)
    return [kind if numbers[kind] >= least else main for kind in kinds]


def _by_system(samples: Iterable[Sample]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        places[sample.system].append(place)
    return places


def _shared(split: Sequence[list[str]], texts: Sequence[str], least: float, *, is_end: bool) -> list[str]:
    """For each text what all texts with the same first (last) words have in common, if it is long enough."""
    buckets: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, found in enumerate(split):
        if len(found) > TEMPLATE_WORDS:  # the rest of the text is the one more
            buckets[tuple(found[1:] if is_end else found[:-1])].append(place)
    result = [""] * len(texts)
    for places in buckets.values():
        if len(places) < least:
            continue
        chosen = [texts[place] for place in places]
        common = _common_end(chosen) if is_end else _common_beginning(chosen)
        if len(common) >= TEMPLATE_CHARACTERS and len(set(chosen)) > 1:
            for place in places:
                result[place] = common
    return result


def _common_beginning(texts: Sequence[str]) -> str:
    """What texts begin with, up to the end of a word."""
    first, last = min(texts), max(texts)  # what these two share, all between them share as well
    size = next(
        (at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first)
    )
    common = first[:size]
    return common if all(text == common for text in texts) else common[: _last_blank(common) + 1]


def _common_end(texts: Sequence[str]) -> str:
    return _common_beginning([text[::-1] for text in texts])[::-1]


def _last_blank(text: str) -> int:
    return max((place for place, sign in enumerate(text) if sign.isspace()), default=-1)
